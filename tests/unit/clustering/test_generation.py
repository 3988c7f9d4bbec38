from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.errors import FailedPrecondition
from services.clustering.domain.generation import (
    Counts,
    Filled,
    Generation,
    GenerationState,
    check_activation,
    check_cancelling,
    check_deleting,
)
from tests.support.clustering.photos import COLLECTION

READY = Generation("g", COLLECTION, GenerationState.READY, datetime(2026, 1, 1, tzinfo=UTC))


def filled(state: GenerationState, done: int, missing: int) -> Filled:
    return Filled(replace(READY, state=state), Counts(done=done, missing=missing))


@pytest.mark.parametrize("state", [GenerationState.READY, GenerationState.RETIRED])
def test_one_photo_in_a_hundred_may_be_missing(state: GenerationState) -> None:
    check_activation(filled(state, 99, 1), None)
    with pytest.raises(FailedPrecondition) as caught:
        check_activation(filled(state, 98, 2), None)
    assert caught.value.reason == "GENERATION_INCOMPLETE"
    assert caught.value.metadata == {"missing": "2"}
    check_activation(filled(state, 0, 2), 2)
    with pytest.raises(FailedPrecondition):
        check_activation(filled(state, 98, 2), 1)


def test_one_that_is_filling_becomes_active_only_on_purpose() -> None:
    whole = filled(GenerationState.FILLING, 100, 0)
    with pytest.raises(FailedPrecondition, match="still being filled"):
        check_activation(whole, None)
    check_activation(whole, 0)


@pytest.mark.parametrize("state", [GenerationState.FAILED, GenerationState.CANCELLED])
def test_what_was_given_up_never_becomes_active(state: GenerationState) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        check_activation(filled(state, 1, 0), 5)
    assert (caught.value.reason, caught.value.metadata["state"]) == (
        "GENERATION_STATE",
        state.upper(),
    )


def test_what_may_be_cancelled_and_deleted() -> None:
    may_cancel = {GenerationState.FILLING, GenerationState.READY}
    may_not_delete = {GenerationState.ACTIVE, GenerationState.FILLING}
    for state in GenerationState:
        generation = replace(READY, state=state)
        for check, allowed in (
            (check_cancelling, state in may_cancel),
            (check_deleting, state not in may_not_delete),
        ):
            if allowed:
                check(generation)
            else:
                with pytest.raises(FailedPrecondition):
                    check(generation)


def test_what_is_counted() -> None:
    assert Counts(done=5, failed=2, missing=3).total == 10
