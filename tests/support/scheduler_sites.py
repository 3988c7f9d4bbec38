"""The stand-ins of all providers, with channels that are connected to them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel

from tests.support import bluesky, instagram, mastodon, postiz, webhook
from tests.support.scheduler_world import World


@dataclass(frozen=True)
class Kind:
    """A provider: its stand-in, and what one connects an account with."""

    stand_in: Callable[[], Any]
    provider: Channel.Provider
    account: str
    token: str
    service: str


KINDS = {
    "mastodon": Kind(
        mastodon.MastodonStandIn, Channel.PROVIDER_MASTODON, "@nora", mastodon.TOKEN, "mastodon"
    ),
    "bluesky": Kind(
        bluesky.BlueskyStandIn,
        Channel.PROVIDER_BLUESKY,
        bluesky.HANDLE,
        bluesky.APP_PASSWORD,
        "bluesky",
    ),
    "webhook": Kind(
        webhook.WebhookStandIn, Channel.PROVIDER_WEBHOOK, webhook.ACCOUNT, webhook.SECRET, "webhook"
    ),
    "postiz": Kind(
        postiz.PostizStandIn,
        Channel.PROVIDER_POSTIZ,
        postiz.MASTODON_ID,
        postiz.KEY,
        "mastodon",
    ),
    "instagram": Kind(
        instagram.InstagramStandIn,
        Channel.PROVIDER_INSTAGRAM,
        instagram.ACCOUNT_ID,
        instagram.TOKEN,
        "instagram",
    ),
}


@dataclass
class Site:
    """A running stand-in, and the channel that is connected to it."""

    world: World
    kind: Kind
    stand_in: Any

    async def connect(self, **fields: Any) -> Channel:
        channel = Channel(
            provider=self.kind.provider,
            provider_channel_id=fields.pop("account", self.kind.account),
            access_token=fields.pop("token", self.kind.token),
            endpoint=self.stand_in.url,
            display_name="Site",
        )
        request = pb.CreateChannelRequest(parent="personas/nora", channel=channel, **fields)
        return await self.world.stub.CreateChannel(request)

    @property
    def posts(self) -> int:
        """How many posts people see."""
        seen = self.stand_in
        return len(seen.posts if isinstance(seen, webhook.WebhookStandIn) else seen.live)
