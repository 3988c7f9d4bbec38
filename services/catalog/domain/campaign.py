"""Plans of posts that come in as a whole: checked, and turned into suggestions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.errors import InvalidArgument, Violation
from services.catalog.domain.names import CAMPAIGN, PILLAR, SUGGESTION
from services.catalog.domain.pillar import Pillar, free_id
from services.catalog.domain.suggestion import Brief, Suggestion
from services.catalog.domain.texts import MAX_DISPLAY_NAME, comparable

SOURCE = "campaign"
MAX_AHEAD = timedelta(days=365)
# A plan takes a while to arrive; a post that was due a moment ago is not one of the past.
_PAST = timedelta(minutes=5)
_TITLE_WORDS = 5
_TITLE_LENGTH = 80
# An error travels in a trailer of 8 kB: a hundred wrong posts have to be told in few words.
_SHOWN = 5
_SHOWN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class CampaignPost:
    """One post of a campaign, which waits for its picture.

    ``pillar`` is its id; in a campaign that is not imported yet, what the caller wrote for it.
    ``suggestion`` is the id of the one that asks for its picture; empty once that is deleted.
    """

    pillar: str
    suggestion: str
    title: str = ""
    description: str = ""
    prompt: str = ""
    caption: str = ""
    hashtags: tuple[str, ...] = ()
    scheduled_time: datetime | None = None

    @property
    def picture(self) -> str:
        """What an image backend is asked for."""
        return self.prompt or self.description or self.title

    @property
    def short_title(self) -> str:
        """Its title, else the first words of what it shows."""
        words = self.picture.split()[:_TITLE_WORDS]
        return self.title or " ".join(words)[:_TITLE_LENGTH].rstrip()


@dataclass(frozen=True, slots=True)
class Campaign:
    """A plan of posts. ``posts`` is empty where only their number was read."""

    persona: str
    id: str
    display_name: str
    create_time: datetime
    description: str = ""
    posts: tuple[CampaignPost, ...] = ()
    post_count: int = 0

    @property
    def name(self) -> str:
        """The resource name; empty for one that was only checked."""
        return CAMPAIGN.format(self.persona, self.id) if self.id else ""

    @property
    def display_key(self) -> str:
        """Equal for display names that count as the same."""
        return comparable(self.display_name)

    def pillar_name(self, post: CampaignPost) -> str:
        """The resource name of the pillar of a post."""
        return PILLAR.format(self.persona, post.pillar)

    def suggestion_name(self, post: CampaignPost) -> str:
        """The resource name of the suggestion of a post; empty without one."""
        return SUGGESTION.format(self.persona, post.suggestion) if post.suggestion else ""


@dataclass(frozen=True, slots=True)
class Import:
    """All that importing a campaign creates."""

    campaign: Campaign
    pillars: tuple[Pillar, ...]
    suggestions: tuple[Suggestion, ...]


def imported(campaign: Campaign, pillars: Sequence[Pillar], *, create_missing: bool) -> Import:
    """What importing ``campaign`` into a persona with these pillars creates.

    A pillar is looked for by its resource name, then by its id, then by its display name. One that
    is missing is created with weight 0 if ``create_missing``. Raises InvalidArgument naming every
    field that is wrong; its reason is UNKNOWN_PILLAR if nothing else is.
    """
    campaign = _tidied(campaign)
    known = _Pillars(campaign, pillars)
    wrong = [*_wrong_head(campaign)]
    unknown: list[Violation] = []
    found: list[CampaignPost] = []
    for index, post in enumerate(campaign.posts):
        path = f"campaign.posts[{index}]"
        wrong += _wrong_post(post, path, campaign.create_time)
        id = known.find(post.pillar)
        if id is None and create_missing and known.creatable(post.pillar):
            id = known.create(post.pillar)
        if id is None and post.pillar:
            text = f"there is no pillar {post.pillar[:_SHOWN_LENGTH]!r}"
            unknown.append(Violation(f"{path}.pillar", text))
        found.append(replace(post, pillar=id or ""))
    if wrong or unknown:
        raise _refusal(wrong, unknown)
    whole = replace(campaign, posts=tuple(found), post_count=len(found))
    return Import(whole, tuple(known.created), tuple(_suggestions(whole)))


def without_effect(campaign: Campaign) -> Campaign:
    """``campaign`` as it is told when it was only checked: without names of what is not there."""
    return replace(
        campaign, id="", posts=tuple(replace(post, suggestion="") for post in campaign.posts)
    )


class _Pillars:
    """The pillars that posts may name, those to be created among them."""

    def __init__(self, campaign: Campaign, pillars: Iterable[Pillar]) -> None:
        self._campaign = campaign
        self._by_name: dict[str, str] = {}
        self._ids: set[str] = set()
        self.created: list[Pillar] = []
        for pillar in pillars:
            self._add(pillar)

    def find(self, text: str) -> str | None:
        """The id of the pillar that ``text`` names."""
        id = self._id_in(text)
        return id if id in self._ids else self._by_name.get(comparable(text))

    def creatable(self, text: str) -> bool:
        """Whether a pillar can be made of ``text``: not of the name of somebody else's."""
        named = self._id_in(text)
        return 0 < len(named) <= MAX_DISPLAY_NAME and not named.startswith("personas/")

    def create(self, text: str) -> str:
        """The id of a new pillar that ``text`` names from now on."""
        id, now = self._id_in(text), self._campaign.create_time
        name = text if id == text else id.replace("-", " ").capitalize()
        free = self._by_name.get(comparable(name)) or free_id(id, self._ids)
        if free not in self._ids:
            self._add(pillar := Pillar(self._campaign.persona, free, name, now, now))
            self.created.append(pillar)
        self._by_name[comparable(text)] = free
        return free

    def _id_in(self, text: str) -> str:
        own = PILLAR.format(self._campaign.persona, "")
        return text.removeprefix(own)

    def _add(self, pillar: Pillar) -> None:
        self._ids.add(pillar.id)
        self._by_name[pillar.display_key] = pillar.id


def _tidied(campaign: Campaign) -> Campaign:
    return replace(
        campaign,
        display_name=campaign.display_name.strip(),
        description=campaign.description.strip(),
        posts=tuple(
            replace(
                post,
                pillar=post.pillar.strip(),
                title=post.title.strip(),
                description=post.description.strip(),
                prompt=post.prompt.strip(),
                caption=post.caption.strip(),
                hashtags=_hashtags(post.hashtags),
            )
            for post in campaign.posts
        ),
    )


def _hashtags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags with their sign, each once without regard to case."""
    first: dict[str, str] = {}
    for tag in tags:
        signed = f"#{tag.removeprefix('#')}"
        first.setdefault(comparable(signed), signed)
    return tuple(first.values())


def _wrong_head(campaign: Campaign) -> Iterator[Violation]:
    if not campaign.display_name:
        text = f"give a name of 1 to {MAX_DISPLAY_NAME} characters"
        yield Violation("campaign.display_name", text)
    if not campaign.posts:
        yield Violation("campaign.posts", "give 1 to 100 posts")


def _wrong_post(post: CampaignPost, path: str, now: datetime) -> Iterator[Violation]:
    if not post.pillar:
        yield Violation(f"{path}.pillar", "name a pillar")
    if not post.picture:
        text = "say what the picture shows, here or in title or prompt"
        yield Violation(f"{path}.description", text)
    due = post.scheduled_time
    if due is not None and due < now - _PAST:
        yield Violation(f"{path}.scheduled_time", "is in the past")
    if due is not None and due > now + MAX_AHEAD:
        text = f"is more than {MAX_AHEAD.days} days ahead"
        yield Violation(f"{path}.scheduled_time", text)


def _refusal(wrong: Sequence[Violation], unknown: Sequence[Violation]) -> InvalidArgument:
    violations = sorted([*wrong, *unknown], key=_place)
    text = "; ".join(f"{v.field}: {v.description}" for v in violations[:_SHOWN])
    if len(violations) > _SHOWN:
        text += f"; and {len(violations) - _SHOWN} more"
    return InvalidArgument(text, violations, reason=None if wrong else "UNKNOWN_PILLAR")


def _place(violation: Violation) -> int:
    """The index of the post that a violation is about; -1 for the campaign itself."""
    _, _, rest = violation.field.partition("[")
    return int(rest.partition("]")[0]) if rest else -1


def _suggestions(campaign: Campaign) -> Iterator[Suggestion]:
    for rank, post in enumerate(campaign.posts, start=1):
        due = f", due on {post.scheduled_time:%Y-%m-%d}" if post.scheduled_time else ""
        yield Suggestion(
            persona=campaign.persona,
            id=post.suggestion,
            pillar=post.pillar,
            brief=Brief(
                title=post.short_title,
                description=post.description,
                prompt=post.picture,
                keywords=tuple(tag.removeprefix("#") for tag in post.hashtags),
            ),
            create_time=campaign.create_time,
            update_time=campaign.create_time,
            source=SOURCE,
            campaign=campaign.id,
            reason=f"Post {rank} of {len(campaign.posts)} of {campaign.display_name}{due}.",
            rank=rank,
        )
