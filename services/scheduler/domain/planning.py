"""Which photo goes out in which slot, and why.

A strategy puts the pillars in an order for each slot; the best photo of the first pillar that keeps
the rules of variety is taken. When none keeps them, the photo of the pillar that was used longest
ago is taken all the same, and the decision says so. What was decided before counts for what is
decided next, so a plan is the same however often it is made.
"""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from services.scheduler.domain.photo import Photo
from services.scheduler.domain.slots import Slot

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Days since the last use of a pillar that has none.
_NEVER: Final = 999.0
# Above every difference of shares.
_THEME: Final = 1000.0


class Strategy(StrEnum):
    """How the pillars are put in order."""

    SHARE = "share"
    BEST_FIRST = "best_first"
    ROTATION = "rotation"
    THEME = "theme"


class VarietyRule(StrEnum):
    """What keeps a photo from being chosen for a moment."""

    RIGHTS = "rights"
    REPEAT = "repeat"
    SCENE = "scene"
    PILLAR_GAP = "pillar_gap"
    PILLAR_WEEK = "pillar_week"


@dataclass(frozen=True, slots=True)
class Pillar:
    """A pillar that is planned: ``weight`` above 0, ``priority`` 1 to 5, 5 the highest."""

    name: str
    title: str
    weight: int
    priority: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo that no post uses. Photos of one ``scene`` are nearly the same; ``objects`` are words
    for what it shows."""

    picture: Photo
    file_name: str
    scene: str
    quality: float | None
    create_time: datetime
    caption: str = ""
    objects: tuple[str, ...] = ()

    @property
    def photo(self) -> str:
        """Its resource name."""
        return self.picture.name

    @property
    def pillar(self) -> str:
        """The resource name of its pillar."""
        return self.picture.pillar

    @property
    def rank(self) -> tuple[float, datetime, str]:
        """Best first: by quality, unmeasured ones last, then the oldest."""
        return (-(self.quality if self.quality is not None else -1.0), self.create_time, self.photo)


@dataclass(frozen=True, slots=True)
class Use:
    """A photo that goes out at a moment, or went out."""

    at: datetime
    photo: str
    pillar: str
    scene: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment from which ``photo`` keeps its distance, as a copy of it is seen then."""

    photo: str
    at: datetime
    distance: timedelta


@dataclass(frozen=True, slots=True)
class Copies:
    """Which photos show the same picture, where that is seen already, and the ``distance`` that is
    kept from what is planned."""

    of: Mapping[str, Collection[str]] = field(default_factory=dict)
    seen: Sequence[Seen] = ()
    distance: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Variety:
    """The distances that are kept, and how far back shares are counted."""

    pillar_gap: timedelta = timedelta(days=2)
    pillar_per_week: int = 3
    scene_gap: timedelta = timedelta(days=7)
    share_window: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Score:
    """How a pillar stood: its weight and its share of the posts in per cent, what the strategy
    gave it, and the photos of it that were left."""

    pillar: str
    weight: float
    share: float
    score: float
    stock: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The photo for a slot. ``refused`` counts photos by the rule that kept them from it;
    ``relaxed``: nothing kept all rules."""

    slot: Slot
    photo: str
    file_name: str
    pillar: str
    scene: str
    reason: str
    relaxed: bool
    scores: tuple[Score, ...]
    refused: Mapping[VarietyRule, int]


def plan(
    slots: Iterable[Slot],
    pillars: Sequence[Pillar],
    stock: Iterable[Candidate],
    uses: Iterable[Use],
    strategy: Strategy,
    zone: ZoneInfo,
    variety: Variety | None = None,
    copies: Copies | None = None,
) -> Iterator[Decision | None]:
    """A decision for each slot, in order; None where no photo is left that may go out then."""
    desk = _Desk(pillars, stock, uses, strategy, zone, variety or Variety(), copies or Copies())
    for slot in slots:
        yield desk.decide(slot)


@dataclass
class _Desk:
    """What is known while a plan is made."""

    pillars: Sequence[Pillar]
    stock: Iterable[Candidate]
    uses: Iterable[Use]
    strategy: Strategy
    zone: ZoneInfo
    variety: Variety
    copies: Copies
    _left: dict[str, list[Candidate]] = field(init=False)
    _used: list[Use] = field(init=False)
    _seen: list[Seen] = field(init=False)

    def __post_init__(self) -> None:
        planned = {pillar.name for pillar in self.pillars}
        self._left = defaultdict(list)
        for candidate in sorted(self.stock, key=lambda c: c.rank):
            if candidate.pillar in planned:
                self._left[candidate.pillar].append(candidate)
        self._used = sorted(self.uses, key=_moment)
        self._seen = list(self.copies.seen)

    def decide(self, slot: Slot) -> Decision | None:
        """The photo for a slot, which is used from then on."""
        stocked = [pillar for pillar in self.pillars if self._left[pillar.name]]
        scores = self._scores(stocked, slot.at)
        refused: Counter[VarietyRule] = Counter()
        found = self._first([score.pillar for score in scores], self._rules(slot.at), refused)
        relaxed = found is None
        if found is None:
            found = self._relaxed(stocked, slot.at)
        if found is None:
            return None
        use = Use(slot.at, found.photo, found.pillar, found.scene)
        insort(self._used, use, key=_moment)
        self._left[found.pillar].remove(found)
        for copy in self.copies.of.get(found.photo, ()):
            self._seen.append(Seen(copy, slot.at, self.copies.distance))
        reason = self._reason(found, scores, relaxed=relaxed)
        return Decision(
            slot=slot,
            photo=found.photo,
            file_name=found.file_name,
            pillar=found.pillar,
            scene=found.scene,
            reason=reason,
            relaxed=relaxed,
            scores=tuple(scores),
            refused=dict(refused),
        )

    def _relaxed(self, stocked: Sequence[Pillar], at: datetime) -> Candidate | None:
        """What was used longest ago, of another scene if there is one."""
        order = sorted((p.name for p in stocked), key=lambda name: (self._last_use(name), name))
        rules = self._rules(at)
        for allowed in (replace(rules, pillars={}), replace(rules, pillars={}, scenes=frozenset())):
            if found := self._first(order, allowed, Counter()):
                return found
        return None

    def _first(
        self, order: Sequence[str], rules: "_Rules", refused: Counter[VarietyRule]
    ) -> Candidate | None:
        """The best photo of the first pillar that has one which keeps the rules."""
        found: list[Candidate] = []
        for pillar in order:
            for candidate in self._left[pillar]:
                broken = rules.broken_by(candidate)
                if broken is None:
                    found.append(candidate)
                    break
                refused[broken] += 1
            if found and self.strategy is not Strategy.BEST_FIRST:
                break
        return min(found, key=lambda candidate: candidate.rank, default=None)

    def _rules(self, at: datetime) -> "_Rules":
        """What must not be chosen for a moment."""
        scenes = {use.scene for use in self._within(at, self.variety.scene_gap)}
        close = {use.pillar for use in self._within(at, self.variety.pillar_gap)}
        week = self._week(at)
        counts = Counter(use.pillar for use in self._used if self._week(use.at) == week)
        full = {name for name, n in counts.items() if n >= self.variety.pillar_per_week}
        pillars = {
            **dict.fromkeys(full, VarietyRule.PILLAR_WEEK),
            **dict.fromkeys(close, VarietyRule.PILLAR_GAP),
        }
        if self.strategy is Strategy.THEME:
            pillars.pop(self._theme(week), None)
        repeated = {seen.photo for seen in self._seen if abs(seen.at - at) < seen.distance}
        return _Rules(at, frozenset(repeated), frozenset(scenes), pillars)

    def _within(self, at: datetime, gap: timedelta) -> Iterator[Use]:
        """The uses that are closer to ``at`` than ``gap``, before or after."""
        return (use for use in self._used if abs(use.at - at) < gap)

    def _scores(self, stocked: Sequence[Pillar], at: datetime) -> list[Score]:
        """How each pillar with photos stands, best first."""
        total = sum(pillar.weight for pillar in stocked) or 1
        shares = self._shares(at)
        theme = self._theme(self._week(at)) if self.strategy is Strategy.THEME else ""
        rows = []
        for pillar in stocked:
            weight, share = 100 * pillar.weight / total, shares.get(pillar.name, 0.0)
            score = self._score(pillar.name, weight - share, at, is_theme=pillar.name == theme)
            left = len(self._left[pillar.name])
            rows.append((pillar, Score(pillar.name, weight, share, score, left)))
        rows.sort(key=lambda row: (-row[1].score, -row[0].priority, row[0].name))
        return [score for _, score in rows]

    def _score(self, pillar: str, lack: float, at: datetime, *, is_theme: bool) -> float:
        match self.strategy:
            case Strategy.ROTATION:
                return min(_NEVER, (at - self._last_use(pillar)) / timedelta(days=1))
            case Strategy.BEST_FIRST:
                return self._left[pillar][0].quality or 0.0
            case Strategy.THEME if is_theme:
                return _THEME
            case _:
                return lack

    def _shares(self, at: datetime) -> dict[str, float]:
        """The share in per cent of each pillar in the posts of the window before ``at``."""
        start = at - self.variety.share_window
        counted = Counter(use.pillar for use in self._used if start < use.at <= at)
        total = counted.total()
        return {pillar: 100 * count / total for pillar, count in counted.items()}

    def _theme(self, week: tuple[int, int]) -> str:
        """The pillar of the first post of an ISO week that has photos left; none yet: empty."""
        for use in self._used:
            if self._week(use.at) == week and self._left[use.pillar]:
                return use.pillar
        return ""

    def _week(self, at: datetime) -> tuple[int, int]:
        year, week, _ = at.astimezone(self.zone).isocalendar()
        return year, week

    def _last_use(self, pillar: str) -> datetime:
        times = [use.at for use in self._used if use.pillar == pillar]
        return times[-1] if times else _LONG_AGO

    def _reason(self, found: Candidate, scores: Sequence[Score], *, relaxed: bool) -> str:
        title = {pillar.name: pillar.title for pillar in self.pillars}[found.pillar]
        score = next(s for s in scores if s.pillar == found.pillar)
        if relaxed:
            return f"nothing kept its distance; {title} was used longest ago"
        if self.strategy is Strategy.BEST_FIRST:
            return f"the best photo left{_of_quality(found)}"
        best = f"its best photo{_of_quality(found)}"
        match self.strategy:
            case Strategy.ROTATION:
                return f"{title} was used longest ago; {best}"
            case Strategy.THEME if score.score == _THEME:
                return f"{title} is the theme of the week; {best}"
            case _:
                return (
                    f"{title} has {score.share:.0f} % of the posts of 30 days and is to have "
                    f"{score.weight:.0f} %; {best}"
                )


@dataclass(frozen=True, slots=True)
class _Rules:
    """What must not be chosen for the moment ``at``: photos whose rights forbid it, these of which
    copies are seen, of these scenes, of these pillars."""

    at: datetime
    repeated: frozenset[str]
    scenes: frozenset[str]
    pillars: Mapping[str, VarietyRule]

    def broken_by(self, candidate: Candidate) -> VarietyRule | None:
        """The rule that a photo breaks."""
        if candidate.picture.rights.obstacle(self.at):
            return VarietyRule.RIGHTS
        if candidate.photo in self.repeated:
            return VarietyRule.REPEAT
        if candidate.scene in self.scenes:
            return VarietyRule.SCENE
        return self.pillars.get(candidate.pillar)


def _moment(use: Use) -> datetime:
    return use.at


def _of_quality(candidate: Candidate) -> str:
    return "" if candidate.quality is None else f" (quality {candidate.quality:.2f})"
