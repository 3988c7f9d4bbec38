from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.scheduler.domain.post import (
    ALLOWED_MOVES,
    PostState,
    check_scheduled_time,
    final_text,
    path,
    post_state_of,
)
from services.scheduler.domain.publication import PublicationState

ALLOWED = {
    "draft": "awaiting_image ready scheduled cancelled",
    "awaiting_image": "ready cancelled",
    "ready": "scheduled cancelled",
    "scheduled": "posting draft cancelled",
    "posting": "posted failed scheduled",
    "posted": "",
    "failed": "scheduled cancelled",
    "cancelled": "",
}
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("state", PostState)
@pytest.mark.parametrize("to", PostState)
def test_every_move(state: PostState, to: PostState) -> None:
    allowed = ALLOWED[state].split()
    assert ALLOWED_MOVES[state] == set(allowed)
    if to in (state, *allowed):
        assert path(state, to) == ((to,) if to in allowed else ())
        return
    try:
        steps = (state, *path(state, to))
    except FailedPrecondition as error:
        assert error.reason == "ILLEGAL_STATE_MOVE"
        assert error.metadata == {"from": state, "to": to, "allowed": ",".join(sorted(allowed))}
        return
    assert len(steps) > 2
    assert all(after in ALLOWED[before].split() for before, after in pairwise(steps))


def test_there_is_no_way_out_of_a_final_state() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        path(PostState.POSTED, PostState.SCHEDULED)
    assert caught.value.reason == "ILLEGAL_STATE_MOVE"
    assert caught.value.metadata == {"from": "posted", "to": "scheduled", "allowed": ""}


def test_a_path_takes_every_move_in_between() -> None:
    assert path(PostState.SCHEDULED, PostState.POSTED) == (PostState.POSTING, PostState.POSTED)
    assert path(PostState.SCHEDULED, PostState.SCHEDULED) == ()
    assert path(PostState.FAILED, PostState.POSTED) == (
        PostState.SCHEDULED,
        PostState.POSTING,
        PostState.POSTED,
    )
    with pytest.raises(FailedPrecondition):
        path(PostState.POSTED, PostState.SCHEDULED)


@pytest.mark.parametrize(
    ("publication", "post"),
    [
        ("draft", "draft"),
        ("ready", "scheduled"),
        ("submitting", "posting"),
        ("retry_wait", "scheduled"),
        ("unknown", "posting"),
        ("reconciling", "posting"),
        ("scheduled", "scheduled"),
        ("publishing", "posting"),
        ("posted", "posted"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("missed", "failed"),
        ("needs_review", "posting"),
    ],
)
def test_one_publication_gives_its_post_a_state(publication: str, post: str) -> None:
    assert post_state_of([PublicationState(publication)]) == PostState(post)
    with_cancelled = [PublicationState(publication), PublicationState.CANCELLED]
    assert post_state_of(with_cancelled) == PostState(post)


@pytest.mark.parametrize(
    ("publications", "post"),
    [
        ("posted posted", "posted"),
        ("posted scheduled", "posting"),
        ("posted ready", "posting"),
        ("posted unknown", "posting"),
        ("posted failed", "failed"),
        ("posted missed", "failed"),
        ("failed scheduled", "scheduled"),
        ("failed submitting", "posting"),
        ("ready scheduled", "scheduled"),
        ("draft ready", "scheduled"),
        ("draft posted", "posted"),
        ("cancelled cancelled", "cancelled"),
        ("cancelled posted failed", "failed"),
        ("failed needs_review scheduled posted", "posting"),
    ],
)
def test_several_publications_give_their_post_a_state(publications: str, post: str) -> None:
    states = [PublicationState(name) for name in publications.split()]
    assert post_state_of(states) == PostState(post)
    assert post_state_of(reversed(states)) == PostState(post)


def test_a_post_without_publications_keeps_its_own_state() -> None:
    assert post_state_of([]) is None


def test_the_text_is_the_caption_a_blank_line_and_the_hashtags() -> None:
    text = final_text("  Morning light\n", ["#Cats", "garden", "CATS", "Straße", "STRASSE"])
    assert text == "Morning light\n\n#Cats #garden #Straße"


def test_hashtags_of_the_caption_are_not_repeated() -> None:
    assert final_text("My #Cats", ["cats", "dogs"]) == "My #Cats\n\n#dogs"


def test_a_text_without_hashtags_or_caption() -> None:
    assert final_text("Only words") == "Only words"
    assert final_text("", ["one", "two"]) == "#one #two"


def test_the_text_is_in_nfc() -> None:
    assert final_text("Cafe\u0301", ["cafe\u0301"]) == "Caf\u00e9\n\n#caf\u00e9"


@pytest.mark.parametrize("hashtag", ["", "#", "two words", "a-b", "##x"])
def test_a_hashtag_is_one_word(hashtag: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        final_text("x", [hashtag])
    assert caught.value.violations[0].field == "post.hashtags"


def test_2200_characters_with_hashtags_are_the_most() -> None:
    assert len(final_text("x" * 2194, ["abc"])) == 2200
    with pytest.raises(InvalidArgument) as caught:
        final_text("x" * 2195, ["abc"])
    assert caught.value.violations[0].field == "post.caption"
    assert "2201" in caught.value.message


def test_30_hashtags_in_all_are_the_most() -> None:
    tags = [f"t{n}" for n in range(29)]
    assert final_text("#a", tags).count("#") == 30
    with pytest.raises(InvalidArgument) as caught:
        final_text("#a #b", tags)
    assert caught.value.violations[0].field == "post.hashtags"
    assert "31" in caught.value.message


@pytest.mark.parametrize(
    "offset",
    [timedelta(seconds=-60), timedelta(0), timedelta(days=365)],
)
def test_times_that_may_be_scheduled(offset: timedelta) -> None:
    check_scheduled_time(NOW + offset, NOW)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (NOW - timedelta(seconds=61), "past"),
        (NOW + timedelta(days=365, seconds=1), "too far"),
        (NOW.replace(tzinfo=None), "time zone"),
    ],
)
def test_times_that_may_not(at: datetime, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        check_scheduled_time(at, NOW)
    assert caught.value.violations[0].field == "post.scheduled_time"
