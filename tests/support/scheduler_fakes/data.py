"""What is committed in memory."""

from dataclasses import dataclass, field
from datetime import datetime

from services.scheduler.domain.attempt import Attempt, AttemptResult
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key
from services.scheduler.domain.photo import Rights
from services.scheduler.domain.post import Post
from services.scheduler.domain.repeat import Likeness


@dataclass
class Data:
    """What is committed."""

    channels: dict[Key, Channel] = field(default_factory=dict)
    posts: dict[Key, Post] = field(default_factory=dict)
    attempts: dict[str, tuple[Attempt, AttemptResult | None]] = field(default_factory=dict)
    leases: dict[str, datetime] = field(default_factory=dict)
    prepare_at: dict[Key, datetime] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    rights: dict[str, tuple[Rights, int]] = field(default_factory=dict)
    handled: set[tuple[str, str]] = field(default_factory=set)
    copies: dict[str, tuple[dict[str, Likeness], int]] = field(default_factory=dict)

    def copy(self) -> "Data":
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Data(**{name: part.copy() for name, part in parts.items()})
