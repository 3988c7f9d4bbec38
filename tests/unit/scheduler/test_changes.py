"""What may be cancelled and retried, and what a move leaves behind."""

import pytest

from libs.errors import FailedPrecondition
from services.scheduler.domain.post import (
    PostState,
    check_cancellable,
    check_retryable,
    post_state_of,
)
from services.scheduler.domain.publication import Problem, PublicationState, path
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_post, a_publication

S = PublicationState
CANCELLABLE = {
    S.DRAFT,
    S.READY,
    S.RETRY_WAIT,
    S.FAILED,
    S.MISSED,
    S.NEEDS_REVIEW,
    S.CANCELLED,
}
RETRYABLE = {S.RETRY_WAIT, S.UNKNOWN, S.RECONCILING, S.FAILED, S.MISSED, S.NEEDS_REVIEW}


@pytest.mark.parametrize("state", S)
def test_what_may_be_cancelled(state: PublicationState) -> None:
    post = a_post(NOON, a_publication(NOON, state=state), state=post_state_of([state]))
    if state in CANCELLABLE:
        check_cancellable(post)
        return
    with pytest.raises(FailedPrecondition) as caught:
        check_cancellable(post)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    assert {"from", "to", "allowed"} <= caught.value.metadata.keys()
    assert "cancelled" not in caught.value.metadata["allowed"]


def test_one_publication_at_a_provider_keeps_the_whole_post() -> None:
    both = (a_publication(NOON, id="a"), a_publication(NOON, id="b", state=S.SCHEDULED))
    with pytest.raises(FailedPrecondition, match="publications/b is scheduled"):
        check_cancellable(a_post(NOON, *both))


@pytest.mark.parametrize("state", S)
def test_what_may_be_retried(state: PublicationState) -> None:
    post = a_post(NOON, a_publication(NOON, state=state), state=post_state_of([state]))
    if state in RETRYABLE:
        check_retryable(post)
        return
    with pytest.raises(FailedPrecondition) as caught:
        check_retryable(post)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    assert caught.value.metadata["from"] == post.state


def test_what_is_held_may_be_retried() -> None:
    check_retryable(a_post(NOON, a_publication(NOON, state_reason="key revoked")))


@pytest.mark.parametrize("state", S)
def test_the_end_of_a_publication_is_noted(state: PublicationState) -> None:
    moves = path(S.DRAFT, state)
    publication = a_publication(NOON, state=S.DRAFT, state_reason="old", problem=Problem("A", "b"))
    for to in moves:
        publication = publication.moved(to, NOON)
    is_end = state in {S.POSTED, S.FAILED, S.CANCELLED, S.MISSED}
    assert publication.ended_at == (NOON if is_end else None)
    assert publication.state_reason == ("" if moves else "old")
    assert publication.problem == Problem("A", "b")


def test_a_move_that_is_not_allowed_changes_nothing() -> None:
    with pytest.raises(FailedPrecondition):
        a_publication(NOON, state=S.POSTED).moved(S.READY, NOON)
    with pytest.raises(FailedPrecondition):
        path(S.POSTED, S.READY)
    assert path(S.RETRY_WAIT, S.SCHEDULED) == (S.SUBMITTING, S.SCHEDULED)


def test_a_cancelled_post_may_be_cancelled_again() -> None:
    gone = a_publication(NOON, state=S.CANCELLED)
    check_cancellable(a_post(NOON, gone, state=PostState.CANCELLED))


def test_a_publication_shows_no_token() -> None:
    assert "secret-media-token" not in repr(a_post(NOON))
