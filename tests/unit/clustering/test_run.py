from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.clustering.domain.run import (
    ALLOWED_MOVES,
    ENDED,
    READ_BY,
    Algorithm,
    Mode,
    Run,
    RunFilter,
    RunParams,
    RunState,
    cancelled_state,
    check_wanted,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "granularity": 0.4,
    "min_size": 3,
    "threshold": 0.0,
    "cluster_count": 7,
}


def run(state: RunState) -> Run:
    return Run("id", "personas/nora", Mode.AUTO, NOON, state=state)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RunState.QUEUED, RunState.CANCELLED),
        (RunState.RUNNING, RunState.CANCELLING),
        (RunState.CANCELLING, RunState.CANCELLING),
        (RunState.CANCELLED, RunState.CANCELLED),
    ],
)
def test_cancelling(before: RunState, after: RunState) -> None:
    assert cancelled_state(run(before)) is after


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED])
def test_what_has_ended_cannot_be_cancelled(state: RunState) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        cancelled_state(run(state))
    assert caught.value.reason == "RUN_ENDED"
    assert caught.value.metadata == {"state": state}


def test_every_state_is_active_or_ended() -> None:
    ended = {state for state in RunState if run(state).ended}
    assert ended == {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}


def test_what_is_cancelled_makes_an_allowed_move() -> None:
    for state in RunState:
        if state not in (RunState.SUCCEEDED, RunState.FAILED):
            after = cancelled_state(run(state))
            assert after is state or after in ALLOWED_MOVES[state]


def test_there_is_a_way_to_an_end_from_everywhere_and_none_back() -> None:
    assert ALLOWED_MOVES.keys() == set(RunState)
    for state, following in ALLOWED_MOVES.items():
        assert bool(following) is (state not in ENDED)
        assert state not in following
    assert any(to in ENDED for to in ALLOWED_MOVES[RunState.CANCELLING])


def wrong_fields(**wanted: Any) -> list[str]:
    """The fields of which a run with these wishes says that they are wrong."""
    scope = wanted.pop("scope", "personas/nora")
    try:
        check_wanted(Run("id", scope, Mode.AUTO, NOON, **wanted), NOON)
    except InvalidArgument as error:
        return [violation.field for violation in error.violations]
    return []


@pytest.mark.parametrize("algorithm", Algorithm)
@pytest.mark.parametrize("name", VALUES)
def test_a_parameter_is_taken_only_by_the_algorithms_that_read_it(
    algorithm: Algorithm, name: str
) -> None:
    given = {name: VALUES[name]}
    if algorithm is Algorithm.K_MEANS:
        given.setdefault("cluster_count", 3)
    wrong = wrong_fields(algorithm=algorithm, params=RunParams(**given))
    fits = algorithm in READ_BY[name]
    assert wrong == ([] if fits else [f"clustering_run.params.{name}"])


def test_k_means_must_be_told_how_many_groups() -> None:
    wrong = wrong_fields(algorithm=Algorithm.K_MEANS)
    assert wrong == ["clustering_run.params.cluster_count"]


def test_every_wrong_field_is_named_at_once() -> None:
    later = NOON + timedelta(seconds=1)
    wrong = wrong_fields(
        params=RunParams(threshold=0.5, cluster_count=2), filter=RunFilter(("slack",), later)
    )
    assert wrong == [
        "clustering_run.params.threshold",
        "clustering_run.params.cluster_count",
        "clustering_run.filter.sources",
        "clustering_run.filter.since_time",
    ]


def test_sources_are_for_texts_and_now_is_not_the_future() -> None:
    assert wrong_fields(scope="projects/radar", filter=RunFilter(("slack",), NOON)) == []
    assert wrong_fields(filter=RunFilter(since=NOON)) == []


@pytest.mark.parametrize(
    ("wanted", "refits"),
    [
        ({}, False),
        ({"filter": RunFilter(since=NOON)}, False),
        ({"params": RunParams(granularity=0.3)}, True),
        ({"params": RunParams(min_size=2)}, True),
        ({"algorithm": Algorithm.NEAREST}, True),
    ],
)
def test_another_way_of_grouping_groups_everything_anew(
    wanted: dict[str, Any], refits: bool
) -> None:
    assert Run("id", "personas/nora", Mode.AUTO, NOON, **wanted).refits is refits
    assert Run("id", "personas/nora", Mode.REFIT, NOON).refits


def test_a_run_makes_way_for_people_for_an_hour_after_it_began() -> None:
    waiting = run(RunState.QUEUED)
    assert waiting.may_yield(NOON + timedelta(days=1)), "it has not begun"
    begun = replace(waiting, start_time=NOON)
    assert begun.may_yield(NOON + timedelta(minutes=59))
    assert not begun.may_yield(NOON + timedelta(minutes=60))
