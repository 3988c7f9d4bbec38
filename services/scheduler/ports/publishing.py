"""What a call to a provider needs."""

from typing import Protocol

from libs.signing import Signer
from services.scheduler.domain.channel import Provider
from services.scheduler.providers.base import Publisher


class Publishers(Protocol):
    """The adapters of the providers."""

    def of(self, provider: Provider, endpoint: str) -> Publisher:
        """The one for a provider at an address; empty means its public address."""


class Vault(Protocol):
    """Keeps keys from being readable in the database."""

    def seal(self, text: str) -> str:
        """``text``, encrypted."""

    def unseal(self, sealed: str) -> str:
        """What ``seal`` was given. Raises ValueError if it was sealed with another secret."""

    def signer(self, purpose: str) -> Signer:
        """Signs texts for one purpose."""
