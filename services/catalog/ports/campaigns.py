"""Campaigns: where they are kept and how they are told about."""

from typing import Protocol

from libs.rpc.paging import Page
from services.catalog.domain.campaign import Campaign
from services.catalog.domain.names import Key
from services.catalog.ports.shared import Listing


class Campaigns(Protocol):
    """Where campaigns are kept."""

    async def add(self, campaign: Campaign) -> None:
        """Raises AlreadyExists if the display name is taken."""

    async def get(self, key: Key) -> Campaign:
        """With its posts, each with its suggestion if that is still there. Raises NotFound."""

    async def page(self, persona: str, listing: Listing) -> Page[Campaign]:
        """One page without posts, by time of creation. Raises NotFound for an unknown persona."""


class CampaignEvents(Protocol):
    """What the world is told once the transaction is committed."""

    def imported(self, campaign: Campaign) -> None:
        """A campaign came in, whose posts wait for their pictures."""
