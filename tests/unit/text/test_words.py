"""Words and their stems."""

import pytest

from libs.text.words import holds, stem, stems, words


def test_words_are_lower_case_and_whole() -> None:
    assert words("Café-Terrace, 9 o’clock: DON'T!") == ["café", "terrace", "9", "o’clock", "don't"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("flowers", "flower"),
        ("dishes", "dish"),
        ("boxes", "box"),
        ("stories", "story"),
        ("glass", "glass"),
        ("bus", "bus"),
        ("tennis", "tennis"),
        ("sea", "sea"),
        ("as", "as"),
    ],
)
def test_plurals_have_the_stem_of_their_singular(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_words_that_say_nothing_are_left_out() -> None:
    assert stems("The first of the hours, with a cup") == ["first", "hour", "cup"]


def test_a_phrase_is_held_in_one_piece_only() -> None:
    text = stems("hands at work with fresh bread")
    assert holds(text, stems("work with fresh"))
    assert holds(text, stems("breads"))
    assert not holds(text, stems("fresh hands"))
    assert not holds(text, [])
