"""What becomes of drafts of captions, and which come first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.caption import (
    RECENT,
    TARGETS,
    Source,
    best,
    count_emoji,
    polished,
    repeated_runs,
    repeats,
    score_of,
    sentences,
    shortened,
)
from services.scheduler.domain.caption_templates import drafts
from services.scheduler.domain.manner import EmojiDensity, Length, Manner, Subject, Tone

PLAIN = Manner(emoji=EmojiDensity.HIGH)
SUBJECT = Subject(
    "personas/nora/photos/1", "Morning walks", "A dog runs on the beach.", "", ("dog", "beach")
)


@pytest.mark.parametrize(
    "bait",
    [
        "Double tap if you agree!",
        "Tag a friend who needs this.",
        "Tag someone you love.",
        "Like and share!",
        "LIKE IF you miss summer.",
        "Comment below.",
        "Drop a heart in the comments.",
        "Follow for more.",
        "Don't forget to follow us.",
        "Share this with your mum.",
        "Save this post!",
        "Smash that like button.",
        "Who else?",
        "Link in bio.",
    ],
)
def test_begging_is_taken_out(bait: str) -> None:
    assert polished(f"The sea was calm. {bait} We stayed.", PLAIN) == "The sea was calm. We stayed."


@pytest.mark.parametrize(
    "honest",
    [
        "We like the way it shares the light.",
        "A friend tagged along.",
        "I followed the path for more than an hour.",
        "The tap dripped. Double espresso.",
        "She commented on the weather.",
    ],
)
def test_what_only_sounds_like_it_stays(honest: str) -> None:
    assert polished(honest, PLAIN) == honest


def test_what_the_persona_avoids_is_taken_out() -> None:
    manner = Manner(avoid_topics=("alcohol", "red wine"))
    assert (
        polished("Bread first. Then red wines. Then sleep.", manner) == "Bread first. Then sleep."
    )
    assert polished("Alcohol, mostly.", manner) == ""


def test_quotation_marks_and_hashtags_are_kept_apart() -> None:
    assert polished('"A quiet day." #calm #sea', PLAIN) == '"A quiet day."'
    assert polished("“A quiet day.”", PLAIN) == "A quiet day."
    assert polished('"One", she said, "two"', PLAIN) == '"One", she said, "two"'
    assert polished("One.\r\n\n\n\nTwo   three. #x", PLAIN) == "One.\n\nTwo three."


def test_a_caption_is_cut_after_a_sentence_else_after_a_word() -> None:
    assert shortened("One two. Three four. Five.", 21) == "One two. Three four."
    assert shortened("One two three four", 12) == "One two…"
    assert shortened("Seven, eight nine", 8) == "Seven…"
    assert shortened("abcdefghij", 5) == "abcd…"
    assert shortened("as it is", 8) == "as it is"
    long = "Word " * 600
    assert len(polished(long, PLAIN)) <= 2200


@given(st.text(max_size=300), st.integers(1, 80))
def test_no_caption_is_longer_than_it_may_be(text: str, most: int) -> None:
    assert len(shortened(text, most)) <= max(most, 1)
    assert "".join(sentences(text)) == text


def test_emoji_are_counted_as_people_see_them() -> None:
    assert count_emoji("1 2 3 # * ©") == 0
    assert count_emoji("🙂 ☕ 👩‍🍳 🇩🇪 👍🏽 ✔️") == 6
    few = Manner(emoji=EmojiDensity.LOW)
    assert polished("Sun 🌞 and rain 🌧️ and 2 dogs 🐶.", few) == "Sun 🌞 and rain and 2 dogs."
    assert polished("Sun 🌞.", Manner(emoji=EmojiDensity.NONE)) == "Sun."


def test_runs_that_occur_twice_are_worn() -> None:
    worn = repeated_runs(["One cup of tea", "another CUP OF TEA, please", "of tea"])
    assert worn == {("cup", "of", "tea")}
    assert repeats("My cup of tea, the cup of tea", worn) == 1
    assert repeats("a cup of coffee", worn) == 0


def test_only_the_latest_posts_count() -> None:
    others = [f"number {n} differs wholly{n}" for n in range(RECENT - 1)]
    assert repeated_runs(["one two three", *others, "one two three"]) == frozenset()
    assert repeated_runs(["one two three", *others[1:], "one two three"])


def test_the_best_are_as_long_as_usual_and_repeat_nothing() -> None:
    manner = Manner(length=Length.SHORT, emoji=EmojiDensity.NONE)
    target = TARGETS[Length.SHORT]
    right, short, worn_out = "a" * target, "a" * (target // 4), "Cup of tea " + "b" * (target - 11)
    worn = repeated_runs(["cup of tea"] * 2)
    found = best(
        [(text, Source.MODEL, "m") for text in (short, worn_out, right, right.upper())],
        manner,
        worn,
        3,
    )
    assert [written.text for written in found] == [right, short, worn_out]
    assert found[0].score == 1.0 > found[1].score
    assert score_of("a" * (2 * target), manner, worn) == score_of("a" * (target // 2), manner, worn)


@pytest.mark.parametrize("tone", Tone)
@pytest.mark.parametrize("length", Length)
@pytest.mark.parametrize("density", EmojiDensity)
def test_templates_suit_every_manner(tone: Tone, length: Length, density: EmojiDensity) -> None:
    manner = Manner(tone=tone, length=length, emoji=density, topics=("dogs", "the coast"))
    texts = list(drafts(SUBJECT, manner))
    assert texts == list(drafts(SUBJECT, manner))
    assert texts != list(drafts(SUBJECT, manner, turn=1))
    assert len(set(texts)) > 5
    for text in texts:
        assert "dog" in text.casefold()
        assert "{" not in text
        assert ".." not in text
        assert polished(text, manner) == text
        assert 0 < score_of(text, manner, frozenset()) <= 1


def test_a_template_says_nothing_that_is_avoided() -> None:
    subject = Subject("p", "Bar", "Red wine in a glass.", "", ("wine", "glass"))
    manner = Manner(avoid_topics=("wine",))
    for text in drafts(subject, manner):
        assert "wine" not in polished(text, manner).casefold()
        assert "glass" in polished(text, manner).casefold()


def test_a_template_does_not_say_the_pillar_twice_where_nothing_else_is_known() -> None:
    for tone in Tone:
        for text in drafts(Subject("p", "Slow mornings"), Manner(tone=tone)):
            assert text.casefold().count("slow mornings") == 1


def test_a_template_does_without_anything_known() -> None:
    assert all(polished(text, Manner()) for text in drafts(Subject("p"), Manner()))


@pytest.mark.parametrize("piece", [".", "#a", "#a ", "!?", " .", "“", "a. ", "😀", "\n"])
def test_nothing_takes_long_however_odd(piece: str) -> None:
    """Texts like these once took time that grew with the square of their length."""
    for text in (piece * 400_000, "a" + piece * 400_000 + "x"):
        assert len(polished(text, PLAIN)) <= 2200
