import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clustering.domain.digest import (
    MAX_ISSUE_BODY,
    MAX_ISSUE_TITLE,
    MAX_SUMMARY,
    MAX_TITLE,
    Excerpt,
    Subject,
    cut,
    pause_after,
    repository_of,
    template,
)

FAMILY = "👩\u200d👩\u200d👧"


def subject(*texts: str, noun: str = "texts", title: str = "Login fails") -> Subject:
    excerpts = tuple(Excerpt(f"projects/p/items/{n}", text) for n, text in enumerate(texts))
    return Subject(noun, len(texts), title, ("login fails", "reset"), excerpts)


@pytest.mark.parametrize(
    ("text", "most", "left"),
    [
        pytest.param("short", 10, "short", id="fits"),
        pytest.param("  exactly ten ", 11, "exactly ten", id="fits without blanks"),
        pytest.param("a word too many", 12, "a word too…", id="on a word"),
        pytest.param("one, two, three", 11, "one, two…", id="without the comma"),
        pytest.param("incomprehensibilities", 10, "incompreh…", id="one long word"),
        pytest.param("海辺の写真を撮りました", 6, "海辺の写真…", id="no blanks"),
        pytest.param("abcdefgh" + "e\u0301" * 5, 10, "abcdefgh…", id="no accent torn off"),
        pytest.param(f"xxxxxxx{FAMILY}", 10, "xxxxxxx…", id="no family torn apart"),
    ],
)
def test_cut(text, most, left):
    assert cut(text, most) == left


@given(st.text(max_size=400), st.integers(min_value=2, max_value=300))
def test_what_is_cut_fits_and_is_a_beginning(text, most):
    left = cut(text, most)
    assert len(left) <= most
    assert text.strip().startswith(left.removesuffix("…"))
    if left != text.strip():
        assert left.endswith("…")
        beyond = text.strip()[len(left) - 1 :][:1]
        assert len(left) <= 2 or not unicodedata.category(beyond or "a").startswith("M")


def test_a_template_says_what_the_members_share_and_lists_them():
    text = template(subject("Login fails after reset\nIt says wrong password.", "Cannot log in"))
    assert text.title == "Login fails"
    assert text.summary == "2 texts about login fails and reset. Login fails after reset"
    assert text.issue_title == "Login fails after reset"
    assert text.issue_body == (
        "2 texts about login fails and reset.\n\n- Login fails after reset\n- Cannot log in"
    )


def test_a_template_about_photos_writes_no_issue():
    text = template(subject("A red bicycle", noun="photos", title="Red bicycle"))
    assert (text.title, text.issue_title, text.issue_body) == ("Red bicycle", "", "")


def test_a_template_quotes_no_paths_and_no_tags():
    by_path = Excerpt("p", "sea/the-lighthouse-01.jpg", quotable=False)
    about = Subject("photos", 5, "Lighthouse", ("lighthouse",), (by_path, Excerpt("q", "At dusk.")))
    assert template(about).summary == "5 photos about lighthouse. At dusk."
    assert template(replace(about, excerpts=(by_path,))).summary == "5 photos about lighthouse."


def test_a_template_keeps_the_limits():
    text = template(subject(*("so many words " * 40 for _ in range(10)), title="long " * 30))
    assert len(text.title) <= MAX_TITLE
    assert len(text.summary) <= MAX_SUMMARY
    assert len(text.issue_title) <= MAX_ISSUE_TITLE
    assert len(text.issue_body) <= MAX_ISSUE_BODY


@pytest.mark.parametrize(
    ("named", "repository"),
    [
        pytest.param([], "", id="nobody"),
        pytest.param(["", "", "web"], "web", id="one that names one"),
        pytest.param(["web", "web", "api"], "web", id="majority"),
        pytest.param(["web", "api"], "", id="no majority"),
        pytest.param(["web", "api", "cli", "web"], "", id="half is not enough"),
    ],
)
def test_the_repository_is_that_of_the_majority(named, repository):
    assert repository_of(named) == repository


def test_the_hash_is_of_the_set_and_of_who_writes():
    one, turned = subject("a", "b"), subject("a", "b")
    turned = Subject("texts", 9, "Other", (), turned.excerpts[::-1])
    assert one.hash("template") == turned.hash("template")
    assert one.hash("template") != one.hash("stand-in-1")
    assert one.hash("template") != subject("a", "c").hash("template")


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(1, timedelta(minutes=1)), (2, timedelta(minutes=2)), (99, timedelta(hours=6))],
)
def test_a_model_that_fails_is_left_alone_longer_each_time(failures, pause):
    assert pause_after(failures) == pause
