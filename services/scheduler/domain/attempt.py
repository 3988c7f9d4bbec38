"""One call to a provider: what was intended, written down before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The intent to create a post at a provider.

    ``due_at`` is the time that the provider is given, ``fingerprint`` says what appears where and
    when, ``request_hash`` is of all that was sent. ``token`` fences off a worker that was too slow.
    ``handle`` is what the provider calls that which was prepared there before anything was out.
    """

    id: str
    publication: str
    number: int
    fingerprint: str
    request_hash: str
    due_at: datetime
    started_at: datetime
    worker: str
    token: int
    ended_at: datetime | None = None
    handle: str = ""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How a call ended: ``outcome`` is ``accepted`` or the kind of failure, ``answer`` is raw."""

    outcome: str
    ended_at: datetime
    message: str = ""
    provider_post_id: str = ""
    answer: Mapping[str, Any] | None = None
