"""What the stand-in knows: accounts, channels, posts, faults, settings; kept in one JSON file.

Field names are Buffer's own, so that a record can be answered as it is. Times are wire strings.
"""

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.support.buffer.clock import StandInClock
from tests.support.buffer.rates import RateWindows

ACCOUNT_ID = "65a000000000000000000001"
ORGANIZATION_ID = "65a0000000000000000000aa"
INSTAGRAM_ID = "65a0000000000000000000c1"
MASTODON_ID = "65a0000000000000000000c2"
SINCE = "2025-01-01T00:00:00.000Z"


@dataclass
class Channel:
    id: str
    service: str
    name: str
    displayName: str
    organizationId: str = ORGANIZATION_ID
    timezone: str = "Europe/London"
    type: str = "business"
    serviceId: str = "17840000000000000"
    isDisconnected: bool = False
    isLocked: bool = False
    isQueuePaused: bool = False
    dailyLimit: int | None = None
    postingSchedule: list[dict[str, Any]] = field(default_factory=list)
    allowedActions: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    createdAt: str = SINCE
    updatedAt: str = SINCE


@dataclass
class Post:
    id: str
    channelId: str
    channelService: str
    text: str
    status: str
    shareMode: str
    createdAt: str
    updatedAt: str
    schedulingType: str | None = "automatic"
    dueAt: str | None = None
    sentAt: str | None = None
    finishAt: str | None = None
    externalLink: str | None = None
    error: dict[str, str] | None = None
    assets: list[dict[str, str]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    metricsUpdatedAt: str | None = None
    fetched: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Fault:
    """One thing that goes wrong, ``times`` times, in calls of ``operation`` (``*``: any).

    drop_before     the connection breaks, nothing was done
    drop_after      done, then the connection breaks
    gateway_error   done (unless ``processed`` is false), then HTML with ``status`` 502 or 504
    delay           done, answered after ``seconds`` of real time
    errors          200 with ``errors[]`` of ``code``; done first if ``processed`` is true
    duplicate       refused as a duplicate
    rate_limit      429 for ``window``, with Retry-After ``seconds``
    slow_media      the next picture takes ``seconds`` of the stand-in's time to fetch
    disconnect      done; then the channel loses its connection
    """

    kind: str
    operation: str = "createPost"
    times: int = 1
    seconds: float = 60.0
    status: int = 502
    code: str = "UNEXPECTED"
    message: str = "Something went wrong"
    window: str = "15m"
    processed: bool | None = None


@dataclass
class Settings:
    checkUserAgent: bool = True
    duplicateMinutes: float = 0.0
    scheduledPosts: int = 2000
    publishSeconds: float = 2.0
    quotas: dict[str, int] = field(
        default_factory=lambda: {"900": 100, "86400": 250, "2592000": 7500}
    )


@dataclass
class State:
    channels: dict[str, Channel] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    calls: dict[str, dict[str, int]] = field(default_factory=dict)
    clock_offset: float = 0.0


def default_state() -> State:
    """One organization with an Instagram and a Mastodon channel, without posts."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    schedule = [{"day": day, "times": ["09:00", "17:30"], "paused": False} for day in days]
    instagram = Channel(INSTAGRAM_ID, "instagram", "colonnade.studio", "Colonnade")
    mastodon = Channel(MASTODON_ID, "mastodon", "colonnade", "Colonnade", type="profile")
    for channel in (instagram, mastodon):
        channel.postingSchedule = [dict(day) for day in schedule]
    return State(channels={INSTAGRAM_ID: instagram, MASTODON_ID: mastodon})


def new_id(clock: StandInClock) -> str:
    """24 hexadecimal digits, the first eight of them the time, as MongoDB makes them."""
    return f"{int(clock.now().timestamp()):08x}{secrets.token_hex(8)}"


class Store:
    """The state, written to ``path`` as a whole (if there is one) on every ``save``."""

    def __init__(self, path: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self.state = _read(path) if path and path.exists() else default_state()
        self.clock = StandInClock(self.state.clock_offset, wall)
        self.rates = RateWindows(self.clock)

    def save(self) -> None:
        """Writes a new file and puts it in the place of the old one."""
        self.state.clock_offset = self.clock.offset_seconds
        if self._path is None:
            return
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(orjson.dumps(self.state))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def reset(self) -> None:
        """Back to the default data; the clock goes back to that of the wall."""
        self.state = default_state()
        self.clock.offset_seconds = 0.0
        self.rates.clear()
        self.save()

    def count(self, operation: str, stage: str) -> None:
        """Counts a call as ``received`` or ``processed``."""
        counts = self.state.calls.setdefault(operation, {"received": 0, "processed": 0})
        counts[stage] += 1


def _read(path: Path) -> State:
    raw = orjson.loads(path.read_bytes())
    return State(
        channels={key: Channel(**value) for key, value in raw["channels"].items()},
        posts={key: Post(**value) for key, value in raw["posts"].items()},
        faults=[Fault(**value) for value in raw["faults"]],
        settings=Settings(**raw["settings"]),
        calls=raw["calls"],
        clock_offset=raw["clock_offset"],
    )
