"""What the posts of a persona's pillars reached, compared."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.counts import Metric
from services.scheduler.domain.planning import Pillar
from services.scheduler.domain.results import (
    LEAST_POSTS,
    Measured,
    PillarResult,
    compared,
    suggested,
)
from services.scheduler.ports import Catalog, OnChannel, Store
from services.scheduler.usecases.known_persona import check_persona_if_reachable

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be compared: a number of the posts of the ``window`` before now, at an age."""

    persona: str
    metric: Metric = Metric.INTERACTIONS
    window: timedelta = timedelta(days=180)
    age: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a comparison. ``weights`` are proposed, None if there is no reason for others;
    ``reason`` tells why, or why not. ``unknown``: posts without that number at that age."""

    asked: Comparison
    start: datetime
    end: datetime
    pillars: Sequence[Pillar]
    results: Sequence[PillarResult]
    compared: int
    unknown: int
    weights: Mapping[str, int] | None
    reason: str


class SummarizeResults:
    """Compares pillars; changes nothing."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, asked: Comparison) -> Summary:
        """Raises NotFound for an unknown persona, and Unavailable."""
        end = self._clock.now()
        start = end - asked.window
        pillars = await self._catalog.pillars(asked.persona, end)
        if not pillars:
            await check_persona_if_reachable(self._catalog, asked.persona)
        async with self._store.reading() as view:
            rows = await view.results.of_persona(asked.persona, start, end, asked.age, _MOST)
        posts = _measured(rows, asked.metric)
        results = compared(posts)
        weights = suggested({pillar.name: pillar.weight for pillar in pillars}, results)
        return Summary(
            asked,
            start,
            end,
            pillars,
            results,
            len(posts),
            len({row.post for row in rows}) - len(posts),
            weights,
            _reason(pillars, results, weights),
        )


def _measured(rows: Sequence[OnChannel], metric: Metric) -> list[Measured]:
    """One for each post with a pillar of which a channel tells the number."""
    by_post: dict[str, dict[str, int]] = defaultdict(dict)
    of_post: dict[str, OnChannel] = {}
    for row in rows:
        count = row.counts.of(metric) if row.counts else None
        if count is not None and row.pillar:
            by_post[row.post][row.channel] = count
            of_post[row.post] = row
    return [
        Measured(
            of_post[post].pillar,
            " ".join(sorted(counts)),
            of_post[post].posted_at,
            sum(counts.values()),
        )
        for post, counts in by_post.items()
    ]


def _reason(
    pillars: Sequence[Pillar],
    results: Sequence[PillarResult],
    weights: Mapping[str, int] | None,
) -> str:
    titles = {pillar.name: pillar.title for pillar in pillars}
    clear = [r for r in results if r.lift and r.lift.is_clear and r.pillar in titles]
    if not results:
        return "There are no numbers of posts of that age yet."
    if not clear:
        return _no_reason(results, titles)
    found = "; ".join(_found(titles[r.pillar], r) for r in clear)
    if weights is None:
        return f"{found}. That is not enough to move a weight by one."
    return (
        f"{found}. The weights go a quarter of the way there; their sum stays. Nothing is changed "
        "unless you change it."
    )


def _found(title: str, result: PillarResult) -> str:
    lift = result.lift
    assert lift is not None, "only what was compared is clear"
    return (
        f"{title}: a typical post gets {lift.value:.1f} times what the others get "
        f"({lift.low:.1f} to {lift.high:.1f}, {result.posts} posts)"
    )


def _no_reason(results: Sequence[PillarResult], titles: Mapping[str, str]) -> str:
    planned = [r for r in results if r.pillar in titles]
    waiting = sorted((r.posts_needed, titles[r.pillar]) for r in planned if r.posts_needed)
    if waiting:
        count, title = waiting[0]
        return (
            f"No pillar differs clearly. About {count} posts more of {title} would show "
            "whether they get twice as much as the others."
        )
    if any(r.lift for r in planned):
        return "No pillar differs clearly, and a doubling would have shown by now."
    return (
        "There is nothing to compare yet: that takes two pillars with posts on the same "
        f"channels, and {LEAST_POSTS} of each."
    )
