"""The judge of the publishing soak finds what it is there to find."""

import pytest

from tests.soak.publishing_verdict import Listed, Stored, Verdict, judge


def of(state: str, *statuses: str, reason: str = "why", id: str = "0") -> Verdict:
    """The verdict on one post, which the provider has once for each of ``statuses``."""
    listed = [Listed(str(number), "a", status) for number, status in enumerate(statuses)]
    return judge([Stored("a", state, reason, id)], listed)


@pytest.mark.parametrize(
    ("state", "statuses"),
    [
        ("posted", ["sent"]),
        ("posted", ["sent", "error"]),
        ("failed", []),
        ("failed", ["error"]),
        ("missed", []),
        ("needs_review", []),
        ("needs_review", ["sent"]),
    ],
)
def test_what_is_promised(state: str, statuses: list[str]) -> None:
    assert of(state, *statuses).is_kept


@pytest.mark.parametrize("state", ["posted", "needs_review"])
def test_a_post_that_is_live_twice(state: str) -> None:
    assert of(state, "sent", "scheduled").twice == ["a"]


@pytest.mark.parametrize(
    ("state", "statuses"),
    [("posted", []), ("posted", ["error"]), ("failed", ["sent"]), ("missed", ["scheduled"])],
)
def test_a_post_that_is_lost(state: str, statuses: list[str]) -> None:
    assert of(state, *statuses).lost == ["a"]


def test_a_post_that_is_called_posted_under_the_id_of_another_is_lost() -> None:
    assert of("posted", "sent", id="x").lost == ["a"]


def test_a_post_that_nobody_here_knows_is_lost() -> None:
    assert judge([], [Listed("0", "b", "sent")]).lost == ["b"]


@pytest.mark.parametrize("state", ["ready", "submitting", "retry_wait", "unknown", "scheduled"])
def test_a_post_that_is_neither_resolved_nor_escalated(state: str) -> None:
    assert of(state).open == ["a"]


@pytest.mark.parametrize("state", ["failed", "missed", "needs_review"])
def test_a_post_that_is_not_out_and_says_not_why(state: str) -> None:
    assert of(state, reason="").silent == ["a"]
