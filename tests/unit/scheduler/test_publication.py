from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.errors import FailedPrecondition
from services.scheduler.domain.publication import (
    ALLOWED_MOVES,
    PublicationState,
    fingerprint,
    move,
    to_milliseconds,
)

ALLOWED = {
    "draft": "ready failed cancelled",
    "ready": "draft submitting failed cancelled missed",
    "submitting": "ready retry_wait unknown scheduled publishing posted failed",
    "retry_wait": "draft submitting failed cancelled missed",
    "unknown": "reconciling",
    "reconciling": "unknown scheduled retry_wait needs_review",
    "scheduled": "draft publishing posted failed cancelled needs_review",
    "publishing": "posted failed needs_review",
    "posted": "",
    "failed": "ready cancelled",
    "cancelled": "",
    "missed": "ready cancelled",
    "needs_review": "ready reconciling scheduled posted failed cancelled",
}


@pytest.mark.parametrize("state", PublicationState)
@pytest.mark.parametrize("to", PublicationState)
def test_every_move(state: PublicationState, to: PublicationState) -> None:
    allowed = ALLOWED[state].split()
    if to in allowed:
        move(state, to)
        return
    with pytest.raises(FailedPrecondition) as caught:
        move(state, to)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    assert caught.value.metadata == {
        "from": state.value,
        "to": to.value,
        "allowed": ",".join(sorted(allowed)),
    }
    assert f"is {state.value} cannot become {to.value}" in caught.value.message


def test_an_unknown_outcome_leads_to_a_second_call_only_by_proof_or_by_a_person() -> None:
    proofs = {
        (PublicationState.RECONCILING, PublicationState.RETRY_WAIT),
        (PublicationState.NEEDS_REVIEW, PublicationState.READY),
        # Known to the provider by then: adopted, and taken back or ended there.
        (PublicationState.RECONCILING, PublicationState.SCHEDULED),
        (PublicationState.NEEDS_REVIEW, PublicationState.SCHEDULED),
        (PublicationState.NEEDS_REVIEW, PublicationState.FAILED),
    }
    reached, waiting = set(), [PublicationState.UNKNOWN]
    while waiting:
        state = waiting.pop()
        reached.add(state)
        waiting += [
            to for to in ALLOWED_MOVES[state] if (state, to) not in proofs and to not in reached
        ]
    assert PublicationState.SUBMITTING not in reached


DUE = datetime(2026, 12, 1, 15, 0, 0, 123_000, tzinfo=UTC)


def test_a_fingerprint_is_of_what_appears_where_and_when() -> None:
    base = fingerprint("channels/1", "Caf\u00e9", ["ab", "cd"], DUE)
    assert len(base) == 64
    assert base == fingerprint("channels/1", "Cafe\u0301", ["ab", "cd"], DUE)
    local = DUE.astimezone(timezone(timedelta(hours=2))) + timedelta(microseconds=400)
    assert base == fingerprint("channels/1", "Caf\u00e9", ["ab", "cd"], local)
    others = [
        fingerprint("channels/2", "Caf\u00e9", ["ab", "cd"], DUE),
        fingerprint("channels/1", "Caf\u00e9!", ["ab", "cd"], DUE),
        fingerprint("channels/1", "Caf\u00e9", ["cd", "ab"], DUE),
        fingerprint("channels/1", "Caf\u00e9", ["abcd"], DUE),
        fingerprint("channels/1", "Caf\u00e9", ["ab", "cd"], DUE + timedelta(milliseconds=1)),
    ]
    assert len({base, *others}) == 6


def test_milliseconds_are_cut_not_rounded_and_in_utc() -> None:
    at = datetime(2026, 12, 1, 17, 0, 0, 1_999, tzinfo=timezone(timedelta(hours=2)))
    assert to_milliseconds(at) == datetime(2026, 12, 1, 15, 0, 0, 1_000, tzinfo=UTC)
    assert to_milliseconds(at).tzinfo is UTC
