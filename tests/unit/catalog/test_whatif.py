"""What-if: a preview says what the report says once the change is made, and keeps nothing."""

import asyncio
import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.rpc.requests import RequestKey
from services.catalog.domain.names import Key
from services.catalog.domain.persona import Cadence, Persona
from services.catalog.domain.photo import EmbeddingState, Usage
from services.catalog.domain.pillar import Pillar, PillarState
from services.catalog.domain.strategy import PillarChange, Strategy, StrategyChange, changed
from services.catalog.domain.supply import Condition, Stock
from services.catalog.usecases.gaps import GapCases
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.pillars import PillarCases
from tests.support.clock import FakeClock
from tests.unit.catalog.memory import MemoryCatalog, comparable

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
IDS = ("coffee", "city", "sea", "home")
PLAIN = RequestKey("", "", "")


def pillar(id: str = "coffee", **fields: Any) -> Pillar:
    return replace(Pillar("nora", id, id.title(), NOW, NOW), **fields)


def apply(
    pillars: list[Pillar], *changes: PillarChange, posts_per_week: int | None = None
) -> Strategy:
    change = StrategyChange(changes, posts_per_week)
    return changed(Strategy("nora", tuple(pillars), 3), change, NOW)


def test_what_is_not_named_stays() -> None:
    before = [pillar(weight=40, posts_per_week=2), pillar("city", weight=20)]
    assert apply(before) == Strategy("nora", tuple(before), 3)
    assert apply(before, PillarChange("coffee")).pillars == tuple(before)
    after = apply(before, PillarChange("coffee", weight=0, posts_per_week=0), posts_per_week=7)
    assert (after.pillars[0].weight, after.pillars[0].posts_per_week) == (0, 0)
    assert (after.pillars[1], after.posts_per_week) == (before[1], 7)


def test_a_target_can_be_cleared_and_a_pillar_rested() -> None:
    before = [pillar(weight=40, posts_per_week=2)]
    change = PillarChange("coffee", clear_posts_per_week=True, state=PillarState.INACTIVE)
    (after,) = apply(before, change).pillars
    assert (after.posts_per_week, after.state) == (None, PillarState.INACTIVE)


def test_what_is_refused_names_what_is_wrong() -> None:
    pillars = [pillar(weight=60), pillar("city", weight=40)]
    with pytest.raises(NotFound, match="personas/nora/pillars/sea"):
        apply(pillars, PillarChange("sea", weight=1))
    for twice, field in (
        ([PillarChange("coffee"), PillarChange("coffee")], "changes[1].pillar"),
        (
            [PillarChange("coffee", posts_per_week=0, clear_posts_per_week=True)],
            "changes[0].clear_posts_per_week",
        ),
    ):
        with pytest.raises(InvalidArgument) as raised:
            apply(pillars, *twice)
        assert [v.field for v in raised.value.violations] == [field]


def test_weights_are_judged_as_they_would_be_together() -> None:
    pillars = [pillar(weight=60), pillar("city", weight=40), pillar("sea", end_time=NOW)]
    swapped = [PillarChange("coffee", weight=40), PillarChange("city", weight=60)]
    assert [p.weight for p in apply(pillars, *swapped).pillars] == [40, 60, 0]
    assert apply(pillars, PillarChange("sea", weight=90)), "what has ended does not weigh"
    with pytest.raises(FailedPrecondition) as raised:
        apply(pillars, PillarChange("coffee", weight=61))
    assert raised.value.reason == "WEIGHTS_EXCEED_100"
    assert raised.value.metadata == {"sum": "101", "left": "60"}
    rested = PillarChange("city", state=PillarState.INACTIVE)
    assert apply(pillars, PillarChange("coffee", weight=100), rested)


MOMENTS = st.sampled_from([None, NOW - timedelta(days=9), NOW + timedelta(days=9)])


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    """Some pillars whose weights sum to 100 at most, as they always do."""
    left, pillars = 100, []
    for id in draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True)):
        weight = draw(st.integers(0, left))
        left -= weight
        pillars.append(
            pillar(
                id,
                weight=weight,
                posts_per_week=draw(st.none() | st.integers(0, 20)),
                state=draw(st.sampled_from(PillarState)),
                priority=draw(st.integers(1, 5)),
                end_time=draw(MOMENTS),
            )
        )
    return Strategy("nora", tuple(pillars), draw(st.integers(1, 70)))


@st.composite
def changes_of(draw: st.DrawFn, strategy: Strategy) -> StrategyChange:
    """Changes of some of its pillars; some of them ask for too much weight."""
    ids = st.sampled_from([pillar.id for pillar in strategy.pillars])
    changes = []
    for id in draw(st.lists(ids, unique=True)):
        target = draw(st.none() | st.integers(0, 20))
        changes.append(
            PillarChange(
                id,
                weight=draw(st.none() | st.integers(0, 40)),
                posts_per_week=target,
                clear_posts_per_week=target is None and draw(st.booleans()),
                state=draw(st.none() | st.sampled_from(PillarState)),
            )
        )
    return StrategyChange(tuple(changes), draw(st.none() | st.integers(1, 70)))


CASES = strategies().flatmap(lambda s: st.tuples(st.just(s), changes_of(s)))
STOCKS = st.lists(
    st.builds(
        Stock,
        pillar=st.sampled_from(IDS),
        condition=st.builds(
            Condition,
            usage=st.sampled_from(Usage),
            embedding=st.sampled_from(EmbeddingState),
            held=st.booleans(),
            unsorted=st.booleans(),
        ),
        size=st.integers(1, 9),
        scenes=st.integers(1, 9),
        posted=st.integers(0, 3),
        newest=st.sampled_from([NOW - timedelta(days=days) for days in (1, 20, 40, 90)]),
    ),
    max_size=8,
)


async def really_changed(catalog: Any, strategy: Strategy, change: StrategyChange) -> None:
    """Makes the change through the use cases that keep it, the weights that fall first."""
    clock = FakeClock(NOW)
    pillars, personas = PillarCases(catalog, clock), PersonaCases(catalog, clock)
    before = {pillar.id: pillar for pillar in strategy.pillars}
    after = [c.applied(before[c.pillar]) for c in change.pillars]
    for made in [*(replace(p, weight=0) for p in after), *after]:
        await pillars.update(Key("nora", made.id), partial(_as, made), "", PLAIN)
    if change.posts_per_week:
        cadence = Cadence(posts_per_week=change.posts_per_week)
        await personas.update("nora", lambda p: replace(p, cadence=cadence), "", PLAIN)


def _as(made: Pillar, before: Pillar) -> Pillar:
    return replace(made, version=before.version)


@settings(max_examples=1000)
@given(CASES, STOCKS, st.integers(1, 365))
def test_a_preview_is_the_report_after_the_change_was_made(
    case: tuple[Strategy, StrategyChange], stocks: list[Stock], horizon: int
) -> None:
    """Preview and real change agree in what they say, and in what they refuse."""
    strategy, change = case
    cadence = Cadence(posts_per_week=strategy.posts_per_week)
    persona = Persona("nora", "Nora", NOW, NOW, cadence=cadence)
    catalog: Any = MemoryCatalog(strategy, persona, stocks)
    gaps = GapCases(catalog, FakeClock(NOW))

    async def check() -> None:
        before = copy.deepcopy((catalog.personas.rows, catalog.pillars.rows))
        current = await gaps.analyze("nora", NOW, horizon, PLAIN)
        try:
            preview = await gaps.preview("nora", NOW, horizon, change)
        except FailedPrecondition as refused:
            with pytest.raises(FailedPrecondition) as raised:
                await really_changed(catalog, strategy, change)
            assert raised.value.reason == refused.reason == "WEIGHTS_EXCEED_100"
            return
        assert (catalog.personas.rows, catalog.pillars.rows) == before
        assert (catalog.writes, len(catalog.reports.rows)) == (1, 1), "the report made before"
        await really_changed(catalog, strategy, change)
        after = await gaps.analyze("nora", NOW, horizon, PLAIN)
        assert comparable(preview.current) == comparable(current)
        assert comparable(preview.changed) == comparable(after)

    asyncio.run(check())
