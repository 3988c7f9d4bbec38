"""The adapters of all providers that are served."""

from typing import Final

from libs.clock import Clock
from libs.http import HttpClient
from services.scheduler.domain.channel import Provider
from services.scheduler.providers.base import Publisher
from services.scheduler.providers.bluesky import BLUESKY_URL, BlueskyPublisher
from services.scheduler.providers.buffer import BUFFER_URL, BufferPublisher
from services.scheduler.providers.instagram import INSTAGRAM_URL, InstagramPublisher
from services.scheduler.providers.mastodon import MastodonPublisher
from services.scheduler.providers.pictures import Blobs, Pictures
from services.scheduler.providers.postiz import POSTIZ_URL, PostizPublisher
from services.scheduler.providers.webhook import WebhookPublisher

# Buffer's front door turns away clients that go by the name of their library.
USER_AGENT: Final = "Colonnade (self-hosted content studio)"


class ProviderPublishers:
    """See ``ports.Publishers``. One adapter an address, so that it knows all of its rate limits."""

    def __init__(self, http: HttpClient, blobs: Blobs, clock: Clock) -> None:
        self._http = http
        self._pictures = Pictures(blobs)
        self._clock = clock
        self._made: dict[tuple[Provider, str], Publisher] = {}

    def of(self, provider: Provider, endpoint: str) -> Publisher:
        """See Publishers."""
        place = (provider, endpoint)
        if place not in self._made:
            self._made[place] = self._make(provider, endpoint)
        return self._made[place]

    def _make(self, provider: Provider, endpoint: str) -> Publisher:
        http, pictures, now = self._http, self._pictures, self._clock.now
        match provider:
            case Provider.BUFFER:
                return BufferPublisher(http, url=endpoint or BUFFER_URL, now=now)
            case Provider.MASTODON:
                return MastodonPublisher(http, pictures, url=endpoint, now=now)
            case Provider.BLUESKY:
                return BlueskyPublisher(http, pictures, url=endpoint or BLUESKY_URL, now=now)
            case Provider.WEBHOOK:
                return WebhookPublisher(http, url=endpoint, now=now)
            case Provider.POSTIZ:
                return PostizPublisher(http, pictures, url=endpoint or POSTIZ_URL, now=now)
            case Provider.INSTAGRAM:
                return InstagramPublisher(http, url=endpoint or INSTAGRAM_URL, now=now)
