"""Which hashtags a post gets."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.hashtags import Origin, Size, SizeMix, Strategy, choose
from services.scheduler.domain.manner import Subject
from services.scheduler.domain.post import final_text

SUBJECT = Subject("p", "Morning walks", objects=("dog", "beach"))
# Enough of every size.
MANY = Strategy(
    targets=tuple(
        f"{letter * size}{number}"
        for size in (3, 12, 20)
        for number, letter in enumerate("abcdefghijkl")
    )
)
NOTHING = Subject("p")


@pytest.mark.parametrize(
    ("mix", "count", "expected"),
    [
        (SizeMix.BALANCED, 12, (3, 4, 5)),
        (SizeMix.BALANCED, 5, (1, 2, 2)),
        (SizeMix.BALANCED, 30, (8, 10, 12)),
        (SizeMix.NICHE_HEAVY, 12, (2, 3, 7)),
        (SizeMix.NICHE_HEAVY, 8, (1, 2, 5)),
        (SizeMix.BROAD_REACH, 11, (4, 4, 3)),
        (SizeMix.BROAD_REACH, 5, (2, 2, 1)),
    ],
)
def test_sizes_are_mixed_as_the_persona_wants(
    mix: SizeMix, count: int, expected: tuple[int, int, int]
) -> None:
    found = choose(NOTHING, Strategy(targets=MANY.targets, mix=mix), count)
    by_size = Counter(hashtag.size for hashtag in found)
    assert (by_size[Size.LARGE], by_size[Size.MEDIUM], by_size[Size.NICHE]) == expected


@given(st.integers(1, 30), st.sampled_from(SizeMix))
def test_as_many_as_were_asked_for(count: int, mix: SizeMix) -> None:
    found = choose(SUBJECT, Strategy(targets=MANY.targets, mix=mix), count)
    assert len(found) == count
    assert len({hashtag.tag.casefold() for hashtag in found}) == count


def test_what_is_known_of_the_photo_gives_some() -> None:
    found = choose(SUBJECT, Strategy(niches=("dog life",), targets=("#Nordsee",), brand=("nora",)))
    tags = [hashtag.tag for hashtag in found]
    assert tags[:2] == ["nora", "Nordsee"]
    assert {"dog", "beach", "Morningwalks", "doglife"} <= set(tags)
    assert [hashtag.origin for hashtag in found] == sorted(
        (hashtag.origin for hashtag in found), key=list(Origin).index
    )
    assert 5 <= len(tags) <= 12


def test_what_is_to_be_avoided_is_never_among_them() -> None:
    strategy = Strategy(targets=("Dog", "sea"), brand=("NORA",), avoid=("#dog", "nora"))
    tags = {hashtag.tag.casefold() for hashtag in choose(SUBJECT, strategy)}
    assert "sea" in tags
    assert not tags & {"dog", "nora"}


def test_no_tag_comes_twice_and_none_is_a_number() -> None:
    subject = Subject("p", "2026", objects=("dog", "2026", "Dog"))
    tags = [hashtag.tag for hashtag in choose(subject, Strategy(targets=("DOG", "#dog")))]
    assert tags[0] == "DOG"
    assert len([tag for tag in tags if tag.casefold() == "dog"]) == 1
    assert not any(tag.isdecimal() for tag in tags)


def test_brand_tags_are_not_more_than_were_asked_for() -> None:
    found = choose(SUBJECT, Strategy(brand=("a", "b", "c")), 2)
    assert [hashtag.tag for hashtag in found] == ["a", "b"]


def test_a_size_that_has_too_few_leaves_its_place_to_others() -> None:
    found = choose(NOTHING, Strategy(targets=tuple("abcdefgh")), 5)
    assert len(found) == 5


def test_nothing_known_gives_nothing() -> None:
    assert choose(NOTHING, Strategy()) == []


def test_letters_with_marks_are_left_out_rather_than_garbled() -> None:
    found = choose(SUBJECT, Strategy(targets=("हिन्दी", "ไทยแลนด์", "café", "caf\u0065\u0301s")))
    tags = [hashtag.tag for hashtag in found]
    assert tags[:2] == ["café", "cafés"]
    assert not any(tag.startswith(("ह", "ไ")) for tag in tags)


@given(st.text(max_size=200), st.lists(st.text(max_size=120), max_size=5))
def test_whatever_people_wrote_posts_take_what_comes_out(pillar: str, words: list[str]) -> None:
    subject = Subject("p", pillar, objects=tuple(words))
    tags = [hashtag.tag for hashtag in choose(subject, Strategy(targets=tuple(words)))]
    assert final_text("", tags) == " ".join(f"#{tag}" for tag in tags)
    assert all(len(tag) <= 100 for tag in tags)
    assert not any(tag.isnumeric() for tag in tags)
