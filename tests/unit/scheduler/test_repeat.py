"""When a copy of a picture keeps another one from going out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.repeat import Appearance, Likeness, in_the_way, is_ahead
from tests.support.scheduler_fakes import a_channel, a_post, a_publication

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CHANNEL = a_channel(NOW)
SEEN = Appearance(
    photo="personas/nora/photos/1",
    copy="personas/nora/photos/2",
    likeness=Likeness.VARIANT,
    post="personas/nora/posts/other",
    repeats="",
    publication="m",
    persona="nora",
    channel="insta",
    due_at=NOW,
    at=NOW,
    waits=True,
)


def test_the_window_is_kept_on_both_sides_and_is_90_days_unless_the_channel_says() -> None:
    for days, is_close in ((89.9, True), (90, False)):
        for sign in (1, -1):
            at = NOW + sign * days * DAY
            assert (in_the_way([SEEN], [CHANNEL], at) is not None) == is_close
    own = replace(CHANNEL, repeat_window_days=2)
    assert in_the_way([SEEN], [own], NOW + 1.9 * DAY) is SEEN
    assert in_the_way([SEEN], [own], NOW + 2 * DAY) is None
    assert in_the_way([SEEN], [replace(CHANNEL, repeat_window_days=0)], NOW) is None
    assert in_the_way([SEEN], [replace(CHANNEL, id="masto")], NOW) is None


def test_the_nearest_copy_is_the_one_that_is_shown() -> None:
    far = replace(SEEN, at=NOW - 5 * DAY, publication="far")
    near = replace(SEEN, at=NOW + 4 * DAY, publication="near")
    assert in_the_way([far, near], [CHANNEL], NOW) is near


def test_the_message_says_what_where_and_when() -> None:
    assert SEEN.message == (
        "personas/nora/photos/1 is an edit of personas/nora/photos/2, which goes out on "
        "personas/nora/channels/insta at 2026-03-02 12:00 UTC with personas/nora/posts/other"
    )
    out = replace(SEEN, waits=False, likeness=Likeness.DUPLICATE)
    assert "is the same picture as" in out.message
    assert "is on personas/nora/channels/insta since 2026-03-02" in out.message


def test_what_a_provider_may_have_is_always_ahead_unless_it_repeats_this_post() -> None:
    publication = a_publication(NOW - DAY)
    post = a_post(NOW, publication)
    sent = replace(SEEN, waits=False, due_at=NOW + DAY)
    assert is_ahead(sent, post, publication)
    assert not is_ahead(replace(sent, repeats=post.name), post, publication)


def test_what_may_be_out_already_is_ahead_of_what_is_due_before_it() -> None:
    tried = replace(SEEN, due_at=NOW + DAY, was_unknown=True)
    publication = a_publication(NOW, due_at=NOW)
    assert is_ahead(tried, a_post(NOW, publication), publication)
    in_doubt = replace(publication, due_at=NOW + 2 * DAY, was_unknown=True)
    assert not is_ahead(SEEN, a_post(NOW, in_doubt), in_doubt)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.uuids().map(str), st.booleans()),
        min_size=2,
        max_size=6,
        unique_by=lambda place: place[1],
    )
)
def test_of_copies_that_wait_exactly_one_gives_way_to_nobody(
    places: list[tuple[int, str, bool]],
) -> None:
    publications = [
        a_publication(NOW, id=id, due_at=NOW + hours * timedelta(hours=1), was_unknown=was_unknown)
        for hours, id, was_unknown in places
    ]
    free = []
    for publication in publications:
        post = a_post(NOW, publication)
        others = [
            replace(
                SEEN,
                publication=other.id,
                due_at=other.due_at,
                was_unknown=other.was_unknown,
            )
            for other in publications
            if other is not publication
        ]
        if not any(is_ahead(other, post, publication) for other in others):
            free.append(publication)
    assert len(free) == 1
