"""The adapters of all providers that are served."""

from typing import Final

from libs.clock import Clock
from libs.http import HttpClient
from services.scheduler.domain.channel import Provider
from services.scheduler.providers.base import Publisher
from services.scheduler.providers.buffer import BUFFER_URL, BufferPublisher

# Buffer's front door turns away clients that go by the name of their library.
USER_AGENT: Final = "Colonnade (self-hosted content studio)"


class ProviderPublishers:
    """See ``ports.Publishers``. One adapter an address, so that it knows all of its rate limits."""

    def __init__(self, http: HttpClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._made: dict[tuple[Provider, str], Publisher] = {}

    def of(self, provider: Provider, endpoint: str) -> Publisher:
        """See Publishers."""
        place = (provider, endpoint)
        if place not in self._made:
            self._made[place] = self._make(provider, endpoint)
        return self._made[place]

    def _make(self, provider: Provider, endpoint: str) -> Publisher:
        match provider:
            case Provider.BUFFER:
                url = endpoint or BUFFER_URL
                return BufferPublisher(self._http, url=url, now=self._clock.now)
