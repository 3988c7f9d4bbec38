"""What a language model is told, word for word, and what counts as an answer."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.llm.reading import Unusable
from services.catalog.domain.asking import (
    MAX_PROMPTS,
    SYSTEM,
    brief_in,
    inputs_of,
    question,
)
from services.catalog.domain.brief import Ground, wish_of
from services.catalog.domain.pillar import Guidelines, Pillar
from services.catalog.domain.seen import Seen
from services.catalog.domain.suggestion import Brief

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
GUIDELINES = Guidelines("calm", ("coffee", "bread"), ("alcohol",), "No flash.")
PILLAR = Pillar(
    "mila",
    "slow",
    "Slow mornings",
    NOW,
    NOW,
    description="The first hour.",
    start_time=NOW,
    guidelines=GUIDELINES,
)
GROUND = Ground(
    voice="Warm.",
    pillar=PILLAR,
    seen=[
        Seen("1", ("coffee",), "A cup", "", "secret-name.jpg", 30, 40),
        Seen("2", ("bread", "x")),
    ],
    prompts=[f"Idea {number}" for number in range(30)],
    titles=["Idea"],
    rejected=[("A dark cup", "too dark")] * 12,
)
ANSWER = {"title": "Bread by hand", "description": "Hands.", "prompt": "Hands in dough.",
          "keywords": ["bread", " bread ", 7, ""]}  # fmt: skip


def test_the_question_word_for_word() -> None:
    told = json.loads(question(inputs_of(GROUND, wish_of(GROUND)), [Brief("t", "d", "Again")]))
    assert told == {
        "persona": {"voice": "Warm."},
        "pillar": {
            "name": "Slow mornings",
            "description": "The first hour.",
            "tone": "calm",
            "topics": ["coffee", "bread"],
            "avoid_topics": ["alcohol"],
            "style_notes": "No flash.",
            "starts": "2026-03-02T12:00:00+00:00",
            "ends": "",
        },
        "wanted": {"topic": "coffee", "shape": "level"},
        "lacks": [],
        "existing_prompts": [f"Idea {number}" for number in range(20)],
        "rejected": [{"prompt": "A dark cup", "reason": "too dark"}] * 10,
        "existing_photos": ["A cup", "bread, x"],
        "refused_as_repetition": ["Again"],
    }


def test_no_group_that_software_found_and_no_file_is_named() -> None:
    asked = SYSTEM + question(inputs_of(GROUND, wish_of(GROUND)), [])
    assert "cluster" not in asked.lower()
    assert "secret-name" not in asked
    assert len(inputs_of(GROUND, None)["existing_prompts"]) == MAX_PROMPTS == 20


@pytest.mark.parametrize(
    "text", ["{}", "```json\n{}\n```", "Sure!\n```\n{}\n```\nEnjoy.", " {} \n"]
)
def test_fences_and_what_stands_around_are_stripped(text: str) -> None:
    brief = brief_in(text.replace("{}", json.dumps(ANSWER)), GROUND)
    assert brief == Brief("Bread by hand", "Hands.", "Hands in dough.", ("bread",))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"title": "Bread"}, "two to five"),
        ({"title": "One two three four five six"}, "two to five"),
        ({"title": "x" * 60 + " " + "y" * 60}, "80 characters"),
        ({"prompt": []}, "prompt"),
        ({"description": 5}, "description"),
        ({"keywords": "bread"}, "keywords"),
        ({"prompt": "Wine beside the bread."}, "avoid_topics"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(change: dict[str, object], problem: str) -> None:
    with pytest.raises(Unusable, match=problem):
        brief_in(json.dumps({**ANSWER, **change}), GROUND)


def test_what_no_database_takes_is_taken_out() -> None:
    answer = json.dumps({**ANSWER, "prompt": "Dough\x00 and \ud800 hands"})
    assert brief_in(answer, GROUND).prompt == "Dough and ? hands"


@given(st.text())
def test_any_text_is_a_brief_or_unusable(text: str) -> None:
    with pytest.raises(Unusable):
        brief_in(text, GROUND)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["title", "description", "prompt", "keywords"]), inner
            )
        ),
    )
)
def test_any_json_is_a_brief_or_unusable(value: object) -> None:
    try:
        brief = brief_in(json.dumps(value), GROUND)
    except Unusable:
        return
    brief.prompt.encode()
