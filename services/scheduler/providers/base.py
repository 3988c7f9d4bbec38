"""The port to a provider of publishing.

A call that creates something is made exactly once. It ends in one of three ways: ``Submitted``,
``NotSent`` (provably nothing was created) or ``OutcomeUnknown`` (it may have been). After the
last the caller asks ``find`` what became of it and never simply calls again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from services.scheduler.domain.submission import FailureKind


@dataclass(frozen=True, slots=True)
class Credentials:
    """A provider's key or token. It shows neither in ``repr`` nor in ``key``."""

    token: str = field(repr=False)

    @property
    def key(self) -> str:
        """A name for the token: what breakers, budgets and metrics are counted by."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Channel:
    """An account to publish to. ``service`` is the network behind it (``instagram``, …)."""

    id: str
    organization_id: str
    service: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class RemoteChannel:
    """An account as the provider lists it, for connecting and watching it."""

    id: str
    organization_id: str
    service: str
    name: str
    display_name: str
    timezone: str
    is_disconnected: bool
    is_locked: bool
    is_queue_paused: bool


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that the provider will fetch from ``url``, as late as the time of publishing."""

    url: str
    alt_text: str
    content_type: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What shall appear, and when. ``due_at`` has a time zone; milliseconds count.

    All attempts of one publication must carry the same text and image addresses: they are what
    ``find`` knows it by. Where a later attempt needs a later time, ``earlier_due_at`` holds the
    times of the attempts before.
    """

    text: str
    due_at: datetime
    images: tuple[Image, ...]
    earlier_due_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request would be refused: ``code`` UPPER_SNAKE, ``field`` of the post, the fix.

    ``has`` is what the request has too much or too little of, ``allowed`` what the network takes.
    """

    code: str
    field: str
    message: str
    has: str = ""
    allowed: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider has taken the post. ``raw`` is its answer, for the record."""

    provider_post_id: str
    raw: Mapping[str, Any]


class RemoteState(StrEnum):
    """Where a post stands at the provider."""

    DRAFT = "draft"
    NEEDS_APPROVAL = "needs_approval"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RemotePost:
    """A post as the provider lists it. ``external_link`` is its address once it is live."""

    id: str
    channel_id: str
    state: RemoteState
    text: str
    created_at: datetime
    due_at: datetime | None = None
    sent_at: datetime | None = None
    external_link: str | None = None
    error_message: str | None = None
    support_url: str | None = None
    media_urls: tuple[str, ...] = ()


class ProviderError(Exception):
    """A call to a provider failed. ``retry_after`` (seconds) where the provider said so.

    ``message`` is for people and never holds a token. ``window`` names the exhausted rate
    window (``15m``, ``24h``, ``30d``) where that is known.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        retry_after: float | None = None,
        window: str | None = None,
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.window = window


class NotSent(ProviderError):
    """Provably nothing was created; ``kind`` tells what may follow."""


class OutcomeUnknown(ProviderError):
    """Bytes may have arrived and the answer was lost: reconcile, never call again blindly."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureKind.UNKNOWN, message)


class ReadFailed(ProviderError):
    """A query failed, after its retries; nothing is known, nothing was changed."""


class Publisher(Protocol):
    """One provider. Implementations hold no state of posts; the caller's rows do."""

    name: str

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What the network behind ``channel`` would refuse of ``request``, known without asking."""
        ...

    async def submit(self, channel: Channel, request: PublishRequest) -> Submitted:
        """Creates the post, in one single call. Raises ``NotSent`` or ``OutcomeUnknown``."""
        ...

    async def find(
        self, channel: Channel, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        """The posts that equal ``request``, made after the first attempt's start, ``since``.

        Raises ``ReadFailed``.
        """
        ...

    async def status(self, channel: Channel, posts: Mapping[str, datetime]) -> list[RemotePost]:
        """How the posts stand. ``posts`` maps provider post ids to due times; those that may
        be read with ``channel``'s credentials can be asked for in one batch. An id that is
        absent from the answer is gone from the provider. Raises ``ReadFailed``.
        """
        ...

    async def withdraw(self, channel: Channel, provider_post_id: str) -> None:
        """Deletes a post that is not out yet; passes if it is gone already.

        Raises ``NotSent``, or ``OutcomeUnknown``, after which it is safe to call again.
        """
        ...

    async def channels(self, credentials: Credentials) -> Sequence[RemoteChannel]:
        """The accounts that the credentials reach. Raises ``ReadFailed``."""
        ...

    def may_poll(self, credentials: Credentials) -> bool:
        """Whether the rate budget has room for reads that can wait."""
        ...
