"""A library of the older shape: photos hang on clusters, and clusters on pillars."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LegacyPersona:
    """An identity. ``settings`` are its documents by name, as JSON texts."""

    id: str
    name: str
    time_zone: str = ""
    voice: str = ""
    archived: bool = False
    create_time: datetime | None = None
    caption_config: str = ""
    hashtag_strategy: str = ""


@dataclass(frozen=True, slots=True)
class LegacyPillar:
    """A theme of a persona. Numbers are texts as they were found."""

    id: str
    persona: str
    name: str
    description: str = ""
    weight: str = ""
    priority: str = ""
    posts_per_week: str = ""
    active: bool = True
    start_time: datetime | None = None
    end_time: datetime | None = None
    guidelines: str = ""
    create_time: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Whether it is in use: active and not ended."""
        return self.active and not self.ended(now)

    def ended(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.end_time is not None and self.end_time <= now


@dataclass(frozen=True, slots=True)
class LegacyCluster:
    """A group of photos that people made."""

    id: str
    name: str = ""
    persona: str = ""
    prompt: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Says that a cluster feeds a pillar."""

    id: str
    cluster: str
    pillar: str
    primary: bool = False
    create_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegacyPhoto:
    """A picture. ``path`` is where its file was; ``cluster`` is empty for an orphan."""

    id: str
    persona: str
    path: str
    cluster: str = ""
    caption: str = ""
    alt_text: str = ""
    create_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegacyRun:
    """An attempt to make a picture."""

    id: str
    persona: str = ""
    cluster: str = ""
    name: str = ""
    prompt: str = ""
    status: str = ""
    create_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegacyPost:
    """A post of a photo. ``provider_post`` is the id that a provider gave it."""

    id: str
    photo: str = ""
    persona: str = ""
    status: str = ""
    caption: str = ""
    provider: str = ""
    provider_post: str = ""
    permalink: str = ""
    scheduled_time: datetime | None = None
    posted_time: datetime | None = None


@dataclass(frozen=True)
class LegacyLibrary:
    """Everything that was found, in the order of (time of creation, id)."""

    personas: Sequence[LegacyPersona] = field(default_factory=tuple)
    pillars: Sequence[LegacyPillar] = field(default_factory=tuple)
    clusters: Sequence[LegacyCluster] = field(default_factory=tuple)
    assignments: Sequence[Assignment] = field(default_factory=tuple)
    photos: Sequence[LegacyPhoto] = field(default_factory=tuple)
    runs: Sequence[LegacyRun] = field(default_factory=tuple)
    posts: Sequence[LegacyPost] = field(default_factory=tuple)

    @cached_property
    def persona_of(self) -> dict[str, LegacyPersona]:
        """Personas by id."""
        return {persona.id: persona for persona in self.personas}

    @cached_property
    def pillar_of(self) -> dict[str, LegacyPillar]:
        """Pillars by id."""
        return {pillar.id: pillar for pillar in self.pillars}

    @cached_property
    def cluster_of(self) -> dict[str, LegacyCluster]:
        """Clusters by id."""
        return {cluster.id: cluster for cluster in self.clusters}

    @cached_property
    def photo_of(self) -> dict[str, LegacyPhoto]:
        """Photos by id."""
        return {photo.id: photo for photo in self.photos}

    @cached_property
    def assignments_of(self) -> dict[str, list[Assignment]]:
        """The assignments of each cluster, first ones first."""
        found: dict[str, list[Assignment]] = {}
        for assignment in self.assignments:
            found.setdefault(assignment.cluster, []).append(assignment)
        return found

    @cached_property
    def pillars_of(self) -> dict[str, list[LegacyPillar]]:
        """The pillars of each persona, first ones first."""
        found: dict[str, list[LegacyPillar]] = {}
        for pillar in self.pillars:
            found.setdefault(pillar.persona, []).append(pillar)
        return found

    @cached_property
    def photos_of(self) -> dict[str, list[LegacyPhoto]]:
        """The photos of each cluster."""
        found: dict[str, list[LegacyPhoto]] = {}
        for photo in self.photos:
            found.setdefault(photo.cluster, []).append(photo)
        return found

    @cached_property
    def posts_of(self) -> dict[str, list[LegacyPost]]:
        """The posts of each photo."""
        found: dict[str, list[LegacyPost]] = {}
        for post in self.posts:
            found.setdefault(post.photo, []).append(post)
        return found


def by_age(time: datetime | None, id: str) -> tuple[datetime, int, str]:
    """What "first" goes by: the time of creation, then the id; numbers count as numbers."""
    return time or _LONG_AGO, int(id) if id.isdigit() else 0, id
