"""Which pillar a photo or a run goes to: the table of docs/migrating.md, shape by shape."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.legacy.library import (
    Assignment,
    LegacyCluster,
    LegacyLibrary,
    LegacyPersona,
    LegacyPhoto,
    LegacyPillar,
    LegacyRun,
)
from services.catalog.legacy.rules import Decision, Doubt, Rule, decide_photo, decide_run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EARLY, LATE = NOW - timedelta(days=20), NOW - timedelta(days=10)
PAGE = Path(__file__).parents[4] / "docs" / "migrating.md"

NORA, OTTO = LegacyPersona("1", "Nora"), LegacyPersona("2", "Otto")
COFFEE = LegacyPillar("10", "1", "Coffee", create_time=EARLY)
TRAVEL = LegacyPillar("11", "1", "Travel", create_time=LATE)
MAPS = LegacyPillar("20", "2", "Maps", create_time=EARLY)
PHOTO = LegacyPhoto("7", "1", "a.jpg", cluster="c")
LIBRARY = LegacyLibrary(
    personas=(NORA, OTTO), pillars=(COFFEE, TRAVEL, MAPS), clusters=(LegacyCluster("c"),)
)


def assigned(*pillars: tuple[str, bool]) -> LegacyLibrary:
    """The library with the cluster assigned to these pillars, in this order."""
    assignments = [
        Assignment(str(n), "c", pillar, primary, EARLY + timedelta(hours=n))
        for n, (pillar, primary) in enumerate(pillars)
    ]
    return replace(LIBRARY, assignments=tuple(assignments))


INACTIVE = replace(assigned(("11", True)), pillars=(COFFEE, replace(TRAVEL, active=False)))
ENDED = replace(assigned(("11", True)), pillars=(COFFEE, replace(TRAVEL, end_time=LATE)))
NONE_IN_USE = replace(
    LIBRARY, pillars=(replace(COFFEE, active=False), replace(TRAVEL, end_time=LATE), MAPS)
)
ALL_GONE = replace(LIBRARY, personas=(OTTO,))
PUT_AWAY = replace(assigned(("10", True)), personas=(replace(NORA, archived=True), OTTO))
ORPHAN = replace(PHOTO, cluster="")
STRAY = replace(PHOTO, cluster="gone")

SHAPES = {
    "one pillar, primary": (
        assigned(("10", True)), PHOTO, Decision(Rule.PRIMARY_PILLAR, "10"),
    ),
    "one pillar, not primary": (
        assigned(("11", False)), PHOTO, Decision(Rule.FIRST_PILLAR, "11"),
    ),
    "two pillars, the second primary": (
        assigned(("10", False), ("11", True)), PHOTO, Decision(Rule.PRIMARY_PILLAR, "11"),
    ),
    "two pillars, none primary": (
        assigned(("11", False), ("10", False)), PHOTO, Decision(Rule.FIRST_PILLAR, "11"),
    ),
    "two primary pillars": (
        assigned(("11", True), ("10", True)), PHOTO,
        Decision(Rule.PRIMARY_PILLAR, "11", (Doubt.SEVERAL_PRIMARIES,)),
    ),
    "no pillar": (
        LIBRARY, PHOTO, Decision(Rule.DEFAULT_PILLAR, "10", (Doubt.CLUSTER_WITHOUT_PILLAR,)),
    ),
    "an inactive pillar": (
        INACTIVE, PHOTO, Decision(Rule.PRIMARY_PILLAR, "11", (Doubt.INACTIVE_PILLAR,)),
    ),
    "a pillar whose time is over": (
        ENDED, PHOTO, Decision(Rule.PRIMARY_PILLAR, "11", (Doubt.ENDED_PILLAR,)),
    ),
    "a pillar that is gone": (
        assigned(("99", True), ("11", False)), PHOTO,
        Decision(Rule.FIRST_PILLAR, "11", (Doubt.DANGLING_PILLAR,)),
    ),
    "a pillar of another persona": (
        assigned(("20", True)), PHOTO,
        Decision(Rule.DEFAULT_PILLAR, "10", (Doubt.FOREIGN_PILLAR, Doubt.CLUSTER_WITHOUT_PILLAR)),
    ),
    "a cluster that is gone": (
        LIBRARY, STRAY, Decision(Rule.DEFAULT_PILLAR, "10", (Doubt.DANGLING_CLUSTER,)),
    ),
    "no cluster": (
        LIBRARY, ORPHAN, Decision(Rule.DEFAULT_PILLAR, "10", (Doubt.ORPHAN,)),
    ),
    "no cluster, and no pillar in use": (
        NONE_IN_USE, ORPHAN, Decision(Rule.QUARANTINE, "", (Doubt.ORPHAN,), "NO_ACTIVE_PILLAR"),
    ),
    "an archived persona": (
        PUT_AWAY, PHOTO, Decision(Rule.PRIMARY_PILLAR, "10", (Doubt.ARCHIVED_PERSONA,)),
    ),
    "a persona that is gone": (
        ALL_GONE, PHOTO, Decision(Rule.QUARANTINE, error="NO_PERSONA"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_its_rule(shape: str) -> None:
    library, photo, expected = SHAPES[shape]
    assert decide_photo(photo, library, NOW) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_the_documentation_lists_each_shape_with_its_rule(shape: str) -> None:
    _, _, decision = SHAPES[shape]
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| {shape} |"))
    assert f"`{decision.rule}`" in row
    for doubt in decision.doubts:
        assert f"`{doubt}`" in row


RUN = LegacyRun("5", persona="1", cluster="c")
RUNS = {
    "primary": (assigned(("11", True)), RUN, Decision(Rule.PRIMARY_PILLAR, "11")),
    "first": (assigned(("11", False)), RUN, Decision(Rule.FIRST_PILLAR, "11")),
    "no cluster": (LIBRARY, replace(RUN, cluster=""), Decision(Rule.NO_PILLAR)),
    "no pillar": (
        LIBRARY, RUN, Decision(Rule.NO_PILLAR, doubts=(Doubt.CLUSTER_WITHOUT_PILLAR,)),
    ),
    "cluster gone": (
        LIBRARY, replace(RUN, cluster="gone"),
        Decision(Rule.NO_PILLAR, doubts=(Doubt.DANGLING_CLUSTER,)),
    ),
    "persona of the cluster": (
        replace(assigned(("11", True)), clusters=(LegacyCluster("c", persona="1"),)),
        replace(RUN, persona=""), Decision(Rule.PRIMARY_PILLAR, "11"),
    ),
    "nobody's": (
        LIBRARY, replace(RUN, persona=""), Decision(Rule.QUARANTINE, error="NO_PERSONA"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", RUNS)
def test_a_run_has_no_default(shape: str) -> None:
    library, run, expected = RUNS[shape]
    assert decide_run(run, library) == expected


PILLARS = st.lists(
    st.builds(
        LegacyPillar,
        id=st.integers(1, 9).map(str),
        persona=st.sampled_from(["1", "2"]),
        name=st.just("x"),
        active=st.booleans(),
        end_time=st.sampled_from([None, LATE, NOW + timedelta(days=1)]),
    ),
    unique_by=lambda pillar: pillar.id,
)
ASSIGNMENTS = st.lists(
    st.builds(
        Assignment,
        id=st.uuids().map(str),
        cluster=st.sampled_from(["c", "d", "gone"]),
        pillar=st.integers(1, 10).map(str),
        primary=st.booleans(),
    )
)


@given(PILLARS, ASSIGNMENTS, st.sampled_from(["c", "d", "gone", ""]), st.sampled_from("123"))
def test_every_photo_gets_a_pillar_of_its_persona_or_waits(
    pillars: list[LegacyPillar], assignments: list[Assignment], cluster: str, persona: str
) -> None:
    library = LegacyLibrary(
        personas=(NORA, OTTO),
        pillars=pillars,
        clusters=(LegacyCluster("c"), LegacyCluster("d")),
        assignments=assignments,
    )
    decision = decide_photo(LegacyPhoto("7", persona, "a.jpg", cluster), library, NOW)
    if decision.pillar:
        assert library.pillar_of[decision.pillar].persona == persona
        assert not decision.error
    else:
        assert decision.rule is Rule.QUARANTINE
        assert decision.error
    if decision.rule is Rule.DEFAULT_PILLAR:
        assert library.pillar_of[decision.pillar].counts(NOW)
        assert decision.doubts, "a default is never silent"
