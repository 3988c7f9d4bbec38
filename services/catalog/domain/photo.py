"""A picture in the library, and how posts use it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from libs.errors import FailedPrecondition, InvalidArgument
from services.catalog.domain.measures import Measures
from services.catalog.domain.names import PHOTO, PILLAR

MAX_TAGS = 20


class PhotoState(StrEnum):
    """Whether a photo is in use. An archived one is kept and readable, but counted nowhere."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class Usage(StrEnum):
    """Whether posts use a photo."""

    UNUSED = "UNUSED"
    SCHEDULED = "SCHEDULED"
    POSTED = "POSTED"


class EmbeddingState(StrEnum):
    """Where the embedding of a photo stands."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Embedding:
    """Where the embedding of a photo stands, what made it, and why it failed."""

    state: EmbeddingState = EmbeddingState.PENDING
    model: str = ""
    revision: str = ""
    error_reason: str = ""
    error_message: str = ""


class FilingState(StrEnum):
    """Whether the pillar of a photo is settled."""

    CONFIRMED = "CONFIRMED"
    PENDING = "PENDING"
    PROPOSED = "PROPOSED"
    REVIEW = "REVIEW"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pillar that comes into question for a photo. ``confidence`` is 0..1."""

    pillar: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Filing:
    """How a photo came to its pillar.

    CONFIRMED: a person or the importer named it. PENDING: nobody did, and nothing is known of what
    the photo shows. PROPOSED: it was filed by what it shows. REVIEW: so it was, but not surely
    enough, so that it waits in the inbox. ``confidence`` is 0..1; ``alternatives``, surest first,
    are other pillars.
    """

    state: FilingState = FilingState.CONFIRMED
    confidence: float = 0.0
    reason: str = ""
    alternatives: tuple[Proposal, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether posts may count on it: it neither waits for a decision nor for a person."""
        return self.state in (FilingState.CONFIRMED, FilingState.PROPOSED)


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag, and how many photos in use carry it."""

    tag: str
    photos: int


@dataclass(frozen=True, slots=True)
class PhotoPost:
    """A post that uses a photo: its name, its state, and when it went out."""

    post: str
    state: str
    posted_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """The ids of what a photo was made by; empty where there is none."""

    suggestion: str = ""
    run: str = ""
    candidate: str = ""
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Rights:
    """When a photo may be used: not before ``embargo_time``, not after ``expire_time``."""

    embargo_time: datetime | None = None
    expire_time: datetime | None = None
    notice: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """What the bytes of a photo are. ``width`` and ``height`` are in pixels when upright."""

    sha256: str
    mime_type: str
    size_bytes: int
    width: int
    height: int
    thumbnail_sha256: str
    taken_time: datetime | None = None
    measures: Measures = ()

    @property
    def quality(self) -> float | None:
        """The mean of what was measured, 0..1."""
        values = [measure.value for measure in self.measures]
        return _mean([value for value in values if value is not None])


@dataclass(frozen=True, slots=True)
class Photo:
    """An image in the library; it belongs to one persona and one of its pillars.

    ``scene`` is the id of the photo that all photos of one scene are gathered around, its own where
    it stands alone. ``posted_time`` is when the last post that uses it went out; ``posts`` are all
    that use it, newest first, and ``lineage`` what made it, as they were when the photo was read.
    """

    persona: str
    id: str
    pillar: str
    picture: Picture
    create_time: datetime
    update_time: datetime
    scene: str
    file_name: str = ""
    source_path: str = ""
    tags: tuple[str, ...] = ()
    alt_text: str = ""
    caption: str = ""
    state: PhotoState = PhotoState.ACTIVE
    usage: Usage = Usage.UNUSED
    posted_time: datetime | None = None
    embedding: Embedding = Embedding()
    filing: Filing = Filing()
    rights: Rights = Rights()
    posts: tuple[PhotoPost, ...] = ()
    lineage: Lineage = Lineage()
    version: int = 1

    @property
    def name(self) -> str:
        """The resource name; empty for one that is not stored."""
        return PHOTO.format(self.persona, self.id) if self.id else ""

    @property
    def pillar_name(self) -> str:
        """The resource name of its pillar."""
        return PILLAR.format(self.persona, self.pillar)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is written about it besides the tags, each once."""
        measured = (measure.text for measure in self.picture.measures)
        return tuple(dict.fromkeys(t for t in (self.caption, self.alt_text, *measured) if t))


@dataclass(frozen=True, slots=True)
class PostUse:
    """What a post does with a photo: its state and, once it is out, since when."""

    state: str
    posted_time: datetime | None = None

    @property
    def usage(self) -> Usage:
        """How this post alone uses the photo. A state that is not known here uses it."""
        if self.state == "CANCELLED":
            return Usage.UNUSED
        out = self.state == "POSTED" or (self.state == "FAILED" and self.posted_time is not None)
        return Usage.POSTED if out else Usage.SCHEDULED


def usage_of(uses: Sequence[PostUse]) -> tuple[Usage, datetime | None]:
    """How all posts together use a photo, and when the last of them went out."""
    usages = {use.usage for use in uses}
    times = [use.posted_time for use in uses if use.posted_time is not None]
    usage = next((u for u in (Usage.SCHEDULED, Usage.POSTED) if u in usages), Usage.UNUSED)
    return usage, max(times, default=None)


def without_repeats(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags in their order, each once."""
    return tuple(dict.fromkeys(tags))


def check_rights(rights: Rights) -> None:
    """Raises InvalidArgument if the photo could never be used."""
    embargo, expire = rights.embargo_time, rights.expire_time
    if embargo is not None and expire is not None and expire <= embargo:
        raise InvalidArgument.of(
            "photo.rights.expire_time", "must be later than embargo_time, or it can never be used"
        )


def check_unneeded(photo: Photo) -> None:
    """Raises FailedPrecondition (PHOTO_IN_USE) while a post that is not out uses the photo."""
    if photo.usage is Usage.SCHEDULED:
        uses = [(each.post, PostUse(each.state, each.posted_time)) for each in photo.posts]
        raise in_use(photo.name, [post for post, use in uses if use.usage is Usage.SCHEDULED])


def check_unused(photo: Photo) -> None:
    """Raises FailedPrecondition (PHOTO_IN_USE) if any post uses the photo, even one that is out."""
    check_unneeded(photo)
    if photo.usage is Usage.POSTED:
        raise FailedPrecondition(
            f"{photo.name} was posted; it stays what it is",
            reason="PHOTO_IN_USE",
            metadata={"photo": photo.name},
        )


def archived(photo: Photo) -> Photo:
    """The photo, put away. Raises FailedPrecondition (PHOTO_IN_USE) as check_unneeded does."""
    check_unneeded(photo)
    return replace(photo, state=PhotoState.ARCHIVED)


def unarchived(photo: Photo) -> Photo:
    """The photo, in use again."""
    return replace(photo, state=PhotoState.ACTIVE)


def filed(photo: Photo, pillar: str) -> Photo:
    """The photo under the pillar that a person named, which settles its filing."""
    return replace(photo, pillar=pillar, filing=Filing())


def tagged(photo: Photo, add: Sequence[str], remove: Collection[str]) -> Photo:
    """The photo with some tags more and some less; one that is in both goes.

    Raises FailedPrecondition (TOO_MANY_TAGS).
    """
    tags = without_repeats(tag for tag in (*photo.tags, *add) if tag not in remove)
    if len(tags) > MAX_TAGS:
        raise too_many_tags(photo.name)
    return replace(photo, tags=tags)


def in_use(photo: str, posts: Sequence[str] = ()) -> FailedPrecondition:
    """What to raise where posts that are not out use the photo of that name; these, if known."""
    named = f" ({', '.join(posts)})" if posts else ""
    return FailedPrecondition(
        f"a post that is not out yet uses {photo}{named}; cancel the post first",
        reason="PHOTO_IN_USE",
        metadata={"photo": photo, "posts": ",".join(posts)},
    )


def too_many_tags(photo: str) -> FailedPrecondition:
    """What to raise where the photo of that name would get too many tags."""
    return FailedPrecondition(
        f"{photo} would have more than {MAX_TAGS} tags; take some away first",
        reason="TOO_MANY_TAGS",
        metadata={"photo": photo, "max_tags": str(MAX_TAGS)},
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
