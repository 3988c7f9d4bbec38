"""The port to a provider of publishing.

A call that creates something is made exactly once. It ends in one of three ways: ``Submitted``,
``NotSent`` (provably nothing was created) or ``OutcomeUnknown`` (it may have been). After the
last the caller asks ``find`` what became of it and never simply calls again.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from services.scheduler.domain.counts import Counts
from services.scheduler.domain.reconciliation import Doubt
from services.scheduler.domain.submission import FailureKind, bounded


@dataclass(frozen=True, slots=True)
class Credentials:
    """A provider's key or token. It shows neither in ``repr`` nor in ``key``.

    ``account`` is whose it is, for providers at which one signs in with a name too.
    """

    token: str = field(repr=False)
    account: str = ""

    @property
    def key(self) -> str:
        """A name for the token: what breakers, budgets and metrics are counted by."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Channel:
    """An account to publish to. ``service`` is the network behind it (``instagram``, …).

    ``limits`` are what the provider told of it, by the names of ``limits.Limits``.
    """

    id: str
    organization_id: str
    service: str
    credentials: Credentials
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteChannel:
    """An account as the provider lists it, for connecting and watching it.

    ``aliases`` are other names by which people may ask for it.
    """

    id: str
    organization_id: str
    service: str
    name: str
    display_name: str
    timezone: str
    is_disconnected: bool
    is_locked: bool
    is_queue_paused: bool = False
    aliases: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that the provider will fetch from ``url``, as late as the time of publishing.

    ``key`` is where its bytes are kept here, for providers that want them sent. ``token`` is in
    each address that the publication's picture ever had, and in no other.
    """

    url: str
    alt_text: str
    content_type: str
    size_bytes: int
    width: int
    height: int
    key: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What shall appear, and when. ``due_at`` has a time zone; milliseconds count.

    All attempts of one publication must carry the same text and image tokens: they are what
    ``find`` knows it by. Where a later attempt needs a later time, ``earlier_due_at`` holds the
    times of the attempts before. ``key`` is the same for all attempts of the publication, and for
    no other's; ``handles`` are what its attempts noted, oldest first.
    """

    text: str
    due_at: datetime
    images: tuple[Image, ...]
    earlier_due_at: tuple[datetime, ...] = ()
    key: str = ""
    handles: tuple[str, ...] = ()

    @property
    def first_due_at(self) -> datetime:
        """The time of the first attempt: it is the same for all attempts."""
        return min((self.due_at, *self.earlier_due_at))


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


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider has taken the post. ``raw`` is its answer, for the record.

    ``live`` is the post as it is out already, where the answer proves that.
    """

    provider_post_id: str
    raw: Mapping[str, Any]
    live: RemotePost | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A token in place of another, which may be the same; when it expires."""

    token: str = field(repr=False)
    expires_at: datetime


class ProviderError(Exception):
    """A call to a provider failed. ``retry_after`` (seconds, a day at most) where it said so.

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
        self.retry_after = None if retry_after is None else bounded(retry_after)
        self.window = window


class NotSent(ProviderError):
    """Provably nothing was created; ``kind`` tells what may follow."""


class OutcomeUnknown(ProviderError):
    """Bytes may have arrived and the answer was lost: reconcile, never call again blindly."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureKind.UNKNOWN, message)


class ReadFailed(ProviderError):
    """A query failed, after its retries; nothing is known, nothing was changed."""


Note = Callable[[str], Awaitable[None]]
"""Keeps a handle of what was prepared at the provider, durably, before anything is out."""


async def forget(handle: str) -> None:
    """The ``Note`` of a caller that never tries again."""


class Publisher(Protocol):
    """One provider. Implementations hold no state of posts; the caller's rows do."""

    name: str
    doubt: Doubt

    def preflight(self, channel: Channel, request: PublishRequest) -> list[Problem]:
        """What the network behind ``channel`` would refuse of ``request``, known without asking."""
        ...

    async def submit(
        self, channel: Channel, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        """Creates the post, in one single call, which others may prepare.

        What was prepared shows nowhere; ``note`` keeps it for a later attempt. Raises ``NotSent``
        or ``OutcomeUnknown``.
        """
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

    def reads(self, post: RemotePost, text: str) -> bool:
        """Whether a post that is out still says ``text``, but for what the network itself makes
        of texts, such as markup and short links.
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


@runtime_checkable
class Measuring(Protocol):
    """A provider that tells what posts reached."""

    async def measure(
        self, channel: Channel, posts: Mapping[str, datetime]
    ) -> Mapping[str, Counts]:
        """What the posts reached. ``posts`` maps provider post ids to when they went out; like
        ``status``, all that may be read with ``channel``'s credentials. An id of which nothing is
        told, or not yet, is absent. Raises ``ReadFailed``."""
        ...


@runtime_checkable
class Renewing(Protocol):
    """A provider whose tokens end."""

    async def renew(self, credentials: Credentials) -> Renewal:
        """A token that lasts longer. Raises ``ReadFailed``."""
        ...
