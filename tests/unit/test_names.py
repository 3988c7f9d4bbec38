"""Resource names, there and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from libs.names import id_from_title, pattern

PHOTO = "personas/{persona}/photos/{photo}"
IDS = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=20)
USER_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@given(IDS, IDS)
def test_a_name_is_made_of_ids_and_read_back(persona: str, photo: str) -> None:
    name = pattern(PHOTO).format(persona, photo)
    assert name == f"personas/{persona}/photos/{photo}"
    assert pattern(PHOTO).parse(name) == (persona, photo)
    assert pattern(PHOTO).fits(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "personas/nora",
        "personas/nora/photos/",
        "personas//photos/1",
        "personas/nora/photos/1/more",
        "/personas/nora/photos/1",
        "people/nora/photos/1",
    ],
)
def test_what_does_not_fit_is_refused_with_the_shape(name: str) -> None:
    assert not pattern(PHOTO).fits(name)
    with pytest.raises(InvalidArgument) as refused:
        pattern(PHOTO).parse(name, "post.photo")
    (violation,) = refused.value.violations
    assert violation.field == "post.photo"
    assert PHOTO in violation.description


def test_an_id_too_few_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        pattern(PHOTO).format("nora")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Nora", "nora"),
        ("Nora & Friends", "nora-friends"),
        ("  Sea -- and  SAND!  ", "sea-and-sand"),
        ("24 hours", "hours"),
        ("a" * 80, "a" * 63),
        ("a" * 62 + " bc", "a" * 62),
    ],
)
def test_an_id_is_made_of_a_title(title: str, expected: str) -> None:
    assert id_from_title(title, "persona_id") == expected


@given(st.text(max_size=200))
def test_whatever_the_title_the_id_is_usable_or_refused(title: str) -> None:
    try:
        made = id_from_title(title, "persona_id")
    except InvalidArgument as refused:
        assert [v.field for v in refused.violations] == ["persona_id"]
        assert not re.search("[a-zA-Z]", title)
    else:
        assert USER_ID.fullmatch(made)


@pytest.mark.parametrize("title", ["", "写真", "2026", "!?"])
def test_a_title_without_letters_needs_an_id(title: str) -> None:
    with pytest.raises(InvalidArgument, match="give one of 1 to 63 letters"):
        id_from_title(title, "persona_id")
