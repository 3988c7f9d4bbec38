"""The rules of texts: what is taken in, what sending one again does, what is embedded."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.clustering.domain.text import (
    BODY_BYTES,
    Draft,
    StoredText,
    TextState,
    checked,
    created,
    updated,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
DRAFT = Draft(source="github", external_id="issue:1", title="T", body="B")


def text(draft: Draft = DRAFT, **changes: Any) -> StoredText:
    return replace(created("projects/p", "0192", draft, NOW), **changes)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("title", {"title": " \n", "body": "\0"}),
        ("source", {"source": ""}),
        ("source", {"source": "GitHub"}),
        ("source", {"source": "1st"}),
        ("source", {"source": "a" * 41}),
        ("external_id", {"external_id": "x" * 257}),
        ("external_id", {"external_id": "a\0b"}),
        ("title", {"title": "x" * 501}),
        ("repository", {"repository": "x" * 201}),
        ("url", {"url": "javascript:alert(1)"}),
        ("url", {"url": "https://" + "x" * 2000}),
        ("metadata", {"metadata": {str(n): "" for n in range(51)}}),
        ("metadata", {"metadata": {"": "x"}}),
        ("metadata", {"metadata": {"k": "x" * 1001}}),
        ("metadata", {"metadata": {"k": "\0"}}),
    ],
)
def test_what_is_wrong_is_named(field: str, changes: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked(replace(DRAFT, **changes), "items[3]")
    assert [violation.field for violation in caught.value.violations] == [f"items[3].{field}"]


@pytest.mark.parametrize("source", ["reddit", "sentry", "github", "manual", "our-desk-2", "x"])
def test_sources_are_those_that_are_known_and_any_name(source: str) -> None:
    assert checked(replace(DRAFT, source=source), "item").source == source


def test_a_title_or_a_body_is_enough() -> None:
    assert checked(Draft("manual", title=" T "), "item").title == "T"
    assert checked(Draft("manual", body="\nB\0"), "item").body == "B"


@given(st.text(min_size=1, max_size=40), st.integers(0, 9))
def test_a_long_body_is_cut_at_a_whole_character_and_flagged(piece: str, more: int) -> None:
    body = ("x" + piece) * (BODY_BYTES // 2) + "x" * more
    kept = checked(Draft("manual", body=body, title="T"), "item")
    assert len(kept.body.encode()) <= BODY_BYTES
    whole = body.replace("\0", "").strip()
    assert kept.truncated == (len(whole.encode()) > BODY_BYTES)
    assert whole.startswith(kept.body)


def test_a_body_that_just_fits_is_not_flagged() -> None:
    fitting = checked(Draft("manual", body="é" * (BODY_BYTES // 2)), "item")
    assert (len(fitting.body), fitting.truncated) == (BODY_BYTES // 2, False)
    larger = checked(Draft("manual", body="é" * (BODY_BYTES // 2) + "é"), "item")
    assert (len(larger.body), larger.truncated) == (BODY_BYTES // 2, True)


def test_the_same_again_changes_nothing() -> None:
    assert updated(text(), DRAFT, LATER) == text()


def test_another_text_keeps_name_and_cluster_and_waits() -> None:
    before = text(state=TextState.CLUSTERED, cluster_id="c")
    after = updated(before, replace(DRAFT, body="another"), LATER)
    assert (after.name, after.cluster_id) == (before.name, "c")
    assert (after.state, after.body) == (TextState.PENDING, "another")
    assert (after.create_time, after.update_time) == (NOW, LATER)
    assert after.text_hash != before.text_hash


def test_what_is_not_embedded_may_change_without_waiting() -> None:
    draft = replace(DRAFT, body="x" * 1500)
    before = text(draft, state=TextState.CLUSTERED, cluster_id="c")
    after = updated(before, replace(draft, body=draft.body + "y", url="https://e.org"), LATER)
    assert after.text_hash == before.text_hash
    assert after.state is TextState.CLUSTERED
    assert after.update_time == LATER


def test_the_hash_is_of_the_title_and_the_beginning_of_the_body() -> None:
    assert text(replace(DRAFT, title="other")).text_hash != text().text_hash
    long = replace(DRAFT, body="x" * 1499 + "y" + "z")
    assert text(long).text_hash == text(replace(long, body="x" * 1499 + "y")).text_hash
    assert text(long).text_hash != text(replace(long, body="x" * 1500)).text_hash


def test_closing_and_opening_by_sending_again() -> None:
    clustered = text(state=TextState.CLUSTERED, cluster_id="c")
    closed = updated(clustered, replace(DRAFT, closed=True), LATER)
    assert (closed.state, closed.cluster_id, closed.closed) == (TextState.CLOSED, "", True)
    assert updated(closed, DRAFT, LATER) == closed
    assert updated(closed, replace(DRAFT, body="new"), LATER).closed
    assert updated(closed, replace(DRAFT, closed=False), LATER).state is TextState.PENDING
    assert created("projects/p", "1", replace(DRAFT, closed=True), NOW).closed


def test_a_time_that_is_not_sent_again_stays() -> None:
    before = text(replace(DRAFT, source_time=NOW))
    assert updated(before, DRAFT, LATER) == before


def test_a_quarantined_one_is_tried_again_when_its_text_changes() -> None:
    before = text(state=TextState.QUARANTINED, error_reason="BAD", error_message="no")
    after = updated(before, replace(DRAFT, title="better"), LATER)
    assert (after.state, after.error_reason, after.error_message) == (TextState.PENDING, "", "")


def test_the_item_that_stands_for_it() -> None:
    item = text(replace(DRAFT, body="b" * 500)).item
    assert (item.name, item.point_id, item.scope) == ("projects/p/items/0192", "0192", "projects/p")
    assert item.words == ("text:T", "text:" + "b" * 400)
    assert item.prose == "b" * 500
