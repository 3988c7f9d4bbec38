from datetime import UTC, datetime

import pytest

from libs.errors import FailedPrecondition
from services.clustering.domain.run import Mode, Run, RunState, cancelled_state

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


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
