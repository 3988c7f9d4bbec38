"""A channel: an account at a provider through which a persona publishes."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from libs.errors import FailedPrecondition, InvalidArgument
from services.scheduler.domain.names import CHANNEL, Key

USUAL_REPEAT_DAYS: Final = 90


class ChannelState(StrEnum):
    """Whether a channel can be used."""

    CONNECTED = "connected"
    PAUSED = "paused"
    NEEDS_ATTENTION = "needs_attention"


class Provider(StrEnum):
    """The kinds of provider that are served."""

    BUFFER = "buffer"
    MASTODON = "mastodon"
    BLUESKY = "bluesky"
    WEBHOOK = "webhook"
    POSTIZ = "postiz"
    INSTAGRAM = "instagram"

    @property
    def keeps_posts(self) -> bool:
        """Whether it takes a post before its time; the others publish when they are called."""
        return self in (Provider.BUFFER, Provider.POSTIZ)

    @property
    def lists_posts(self) -> bool:
        """Whether it can be asked what it has; else a lost answer can only be called for again."""
        return self is not Provider.WEBHOOK

    @property
    def fetches_pictures(self) -> bool:
        """Whether it gets pictures from our address; to the others they are sent."""
        return self in (Provider.BUFFER, Provider.WEBHOOK, Provider.INSTAGRAM)

    @property
    def needs_endpoint(self) -> bool:
        """Whether there is no address that serves everybody."""
        return self in (Provider.MASTODON, Provider.WEBHOOK)

    @property
    def renews_tokens(self) -> bool:
        """Whether its tokens end, and a new one is had for the old."""
        return self is Provider.INSTAGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """An account that a persona publishes on.

    ``endpoint`` is empty for the provider's public address; ``account`` is the provider's id of
    the account, ``service`` the network behind it. ``batch`` is equal for channels whose posts can
    be asked for in one query. ``check_at``: when to see next whether it is mended. ``limits`` are
    those of the account, by the names of ``providers.limits``, where the provider told them.
    ``token_expires_at``: when the token ends, if it does; ``renew_at``: when to ask for another.
    ``approval_required``: only posts go out whose approval holds. ``repeat_window_days``: how far
    copies of a picture are apart on it; None for the usual time.
    """

    persona: str
    id: str
    display_name: str
    provider: Provider
    endpoint: str
    account: str
    organization: str
    service: str
    sealed_token: str = field(repr=False)
    batch: str
    create_time: datetime
    update_time: datetime
    state: ChannelState = ChannelState.CONNECTED
    state_reason: str = ""
    check_at: datetime | None = None
    version: int = 1
    limits: Mapping[str, int] = field(default_factory=dict)
    token_expires_at: datetime | None = None
    renew_at: datetime | None = None
    approval_required: bool = False
    repeat_window_days: int | None = None

    @property
    def repeat_window(self) -> timedelta:
        """How long before and after a picture no copy of it goes out on the channel."""
        days = self.repeat_window_days
        return timedelta(days=USUAL_REPEAT_DAYS if days is None else days)

    @property
    def key(self) -> Key:
        """The ids in its name."""
        return Key(self.persona, self.id)

    @property
    def name(self) -> str:
        """Its resource name."""
        return CHANNEL.format(self.persona, self.id)

    def turned(
        self, state: ChannelState, reason: str, now: datetime, check_at: datetime | None = None
    ) -> "Channel":
        """This channel in another state."""
        return replace(
            self,
            state=state,
            state_reason=reason,
            check_at=check_at,
            update_time=now,
            version=self.version + 1,
        )


def check_endpoint(url: str, field_name: str = "channel.endpoint") -> str:
    """``url`` without a slash at its end, if a key may be sent there: https, or this machine.

    Raises InvalidArgument on ``field_name``.
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidArgument.of(
            field_name, "must be a plain address, without a user, a query or a fragment"
        )
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise InvalidArgument.of(field_name, "must be an address that starts with https://")
    if parts.scheme == "http" and not _is_loopback(parts):
        raise InvalidArgument.of(
            field_name, "must start with https://; http is for addresses of this machine only"
        )
    if parts.scheme == "https" and not _is_public_literal(parts.hostname):
        raise InvalidArgument.of(
            field_name, "must be a public address; nothing is sent into private networks"
        )
    return url.rstrip("/")


def check_media_reachable(endpoint: str, media_base_url: str) -> None:
    """Passes if a provider at ``endpoint`` (empty: its public address) can fetch our pictures.

    Raises FailedPrecondition where it is elsewhere and ``media_base_url`` is on this machine.
    """
    is_here = bool(endpoint) and _is_loopback(urlsplit(endpoint))
    if is_here or not _is_loopback(urlsplit(media_base_url)):
        return
    raise FailedPrecondition(
        f"the provider could not fetch the pictures of posts from {media_base_url}, which only "
        "this machine reaches; set COLONNADE_SCHEDULER__MEDIA_BASE_URL to the public address of "
        "the gateway and start the services again",
        metadata={
            "setting": "COLONNADE_SCHEDULER__MEDIA_BASE_URL",
            "media_base_url": media_base_url,
        },
    )


def is_public(address: str) -> bool:
    """Whether an IP address is on the internet: not private, link-local, multicast, loopback."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast


def _is_public_literal(host: str) -> bool:
    """False for an IP address that is not public; names are looked up when they are used."""
    try:
        return is_public(host)
    except ValueError:
        return host != "localhost"


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def check_connected(channel: Channel) -> None:
    """Passes a channel that can be published on. Raises FailedPrecondition (NO_CHANNEL)."""
    if channel.state is not ChannelState.CONNECTED:
        is_paused = channel.state is ChannelState.PAUSED
        way_out = "resume it" if is_paused else "mend it at the provider"
        raise FailedPrecondition(
            f"{channel.name} cannot be used: {channel.state_reason or channel.state}; "
            f"{way_out}, or name other channels",
            reason="NO_CHANNEL",
            metadata={"channel": channel.name, "state": channel.state.upper()},
        )
