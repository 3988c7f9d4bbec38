"""Page tokens fit the list they came from, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from libs.rpc.paging import PageTokens

TOKENS = PageTokens(b"secret")
LISTING = ("ListPhotos", "personas/a", "", "create_time desc")
keys = st.lists(st.text() | st.integers(-(2**53), 2**53), min_size=1, max_size=4).map(tuple)


@given(keys)
def test_a_token_brings_its_key_back(key: tuple[str | int, ...]) -> None:
    token = TOKENS.token(key, *LISTING)
    assert TOKENS.request(0, token, *LISTING).after == key


@given(keys, st.integers(0, 3))
def test_a_token_fits_no_other_list(key: tuple[str | int, ...], changed: int) -> None:
    other = [*LISTING]
    other[changed] += "x"
    with pytest.raises(InvalidArgument, match="page_token: belongs to another list"):
        TOKENS.request(0, TOKENS.token(key, *other), *LISTING)


@given(st.text(min_size=1))
def test_nobody_makes_one_up(text: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        TOKENS.request(0, text, *LISTING)


@given(keys, st.data())
def test_a_changed_character_is_noticed(key: tuple[str | int, ...], data: st.DataObject) -> None:
    token = TOKENS.token(key, *LISTING)
    place = data.draw(st.integers(0, len(token) - 2))
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(InvalidArgument, match="page_token"):
        TOKENS.request(0, changed, *LISTING)


def test_a_token_of_another_installation_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        TOKENS.request(0, PageTokens(b"other").token(("a",), *LISTING), *LISTING)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (200, 200), (5000, 200)])
def test_sizes(asked: int, given: int) -> None:
    assert TOKENS.request(asked, "", *LISTING).size == given


def test_the_last_page_has_no_token() -> None:
    assert TOKENS.token(None, *LISTING) == ""
