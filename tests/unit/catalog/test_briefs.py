"""Briefs written without a model: useful, varied, obedient, and the same every time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import pytest

from libs.text.similarity import similarity, vector_of
from libs.text.words import stems
from services.catalog.domain.brief import Ground, Wish, offline_brief, wish_of
from services.catalog.domain.pillar import Guidelines, Pillar
from services.catalog.domain.repetition import SAME, TOO_NEAR_REJECTED, Repetition
from services.catalog.domain.seen import Orientation, Seen
from services.catalog.domain.suggestion import Brief
from services.catalog.domain.vocabulary import FRAMES, LIGHTS, SCENERY, Kind, kind_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
# What is promised of a hundred briefs in a row for one pillar.
MEAN_BOUND = 0.6
VOICE = "Warm, unhurried, a little dry. Speaks of small things as if they mattered."


def pillar(description: str = "", name: str = "Slow mornings", **guidelines: object) -> Pillar:
    given = Guidelines(**guidelines) if guidelines else None  # type: ignore[arg-type]
    return Pillar("mila", "p", name, NOW, NOW, description=description, guidelines=given)


def ground(description: str = "Coffee and flowers.", **guidelines: object) -> Ground:
    return Ground(VOICE, pillar(description, **guidelines))


def wished(ground: Ground) -> Wish:
    wish = wish_of(ground)
    assert wish is not None
    return wish


def consecutive(first: Ground, count: int, reject_every: int = 0) -> list[Brief]:
    """Briefs, each written knowing the ones before, some of which are turned down."""
    repetition, briefs, rejected = Repetition((), ()), [], []
    ground = first
    for number in range(count):
        brief = offline_brief(ground, wished(ground), repetition)
        assert brief is not None
        assert not repetition.refuses(brief.prompt), number
        briefs.append(brief)
        if reject_every and number % reject_every == 0:
            rejected.append(brief.prompt)
        prompts = [b.prompt for b in reversed(briefs)]
        titles = [b.title for b in reversed(briefs)]
        ground = replace(first, prompts=prompts[:50], titles=titles[:50])
        repetition = Repetition(prompts, rejected)
    return briefs


PILLARS = [
    pytest.param(
        ground("Coffee, flowers, soft light; the first quiet hour of a day."), id="things"
    ),
    pytest.param(ground("Streets, shores and hills; reasons to leave the house."), id="places"),
    pytest.param(ground(""), id="nothing but a name"),
    pytest.param(ground("", topics=("sourdough",), tone="quiet pride"), id="one topic"),
    pytest.param(
        ground(
            "",
            topics=("behind the scenes at the bakery", "our people"),
            style_notes="Natural colours, no flash, real places only, shallow focus, some grain.",
        ),
        id="long topics and style notes",
    ),
]


@pytest.mark.parametrize("start", PILLARS)
def test_a_hundred_briefs_in_a_row_are_varied(start: Ground) -> None:
    briefs = consecutive(start, 100, reject_every=10)
    vectors = [vector_of(brief.prompt) for brief in briefs]
    pairs = [float(one @ other) for one, other in combinations(vectors, 2)]
    assert sum(pairs) / len(pairs) < MEAN_BOUND
    for place, vector in enumerate(vectors):
        before = vectors[:place]
        assert all(float(vector @ other) < SAME for other in before)
        turned_down = [v for n, v in enumerate(before) if n % 10 == 0]
        assert all(float(vector @ other) < TOO_NEAR_REJECTED for other in turned_down)
    assert all(2 <= len(brief.title.split()) <= 5 for brief in briefs)
    assert all(len(brief.prompt) < 4000 and brief.description for brief in briefs)


def test_the_same_ground_gives_the_same_brief() -> None:
    start = ground()
    one, other = (offline_brief(start, wished(start), Repetition((), ())) for _ in range(2))
    assert one == other
    assert one != offline_brief(start, wished(start), Repetition((), ()), attempt=1)


def test_a_brief_reads_like_one() -> None:
    start = ground("Coffee.", tone="Calm, dry", style_notes="No flash")
    brief = offline_brief(start, wished(start), Repetition((), ()))
    assert brief is not None
    assert "coffee" in brief.prompt
    assert brief.title.startswith("Coffee ")
    assert "Shoot " in brief.description
    assert brief.description.endswith("Mood: Calm, dry. No flash.")
    assert brief.prompt.endswith("photograph. Mood: Calm, dry. Style: No flash.")


@pytest.mark.parametrize(
    ("description", "topics"),
    [
        ("Coffee, flowers, soft light; the first quiet hour of a day.", ["coffee", "flowers"]),
        ("Streets, shores and hills; reasons to leave the house.", ["streets", "shores", "hills"]),
        ("Clothes and cloth with a long life ahead.", ["clothes", "cloth"]),
        ("Photos of city, sea.", ["city", "sea"]),
        ("Lisbon trams", ["Lisbon trams"]),
        ("", ["Slow mornings"]),
        ("The light, and the mood.", ["Slow mornings"]),
    ],
)
def test_topics_are_read_from_the_description(description: str, topics: list[str]) -> None:
    assert ground(description).topics == topics


def test_topics_of_the_guidelines_come_first_and_tags_before_the_name() -> None:
    assert ground("Coffee.", topics=("tea", " tea ", "")).topics == ["tea"]
    tagged = [Seen("1", tags=("sea", "sun")), Seen("2", tags=("sea",))]
    assert Ground("", pillar(""), tagged).topics == ["sea", "sun"]


def test_what_is_to_be_avoided_never_appears() -> None:
    avoided = ("people", "night", "alcohol", "window light", "flowers")
    start = ground("Coffee, flowers and wine.", avoid_topics=avoided)
    assert start.topics == ["coffee"]
    for brief in consecutive(start, 100):
        text = " ".join((brief.title, brief.description, brief.prompt, *brief.keywords))
        assert not start.names_avoided(text), text
        assert not {"hand", "person", "wine", "flower", "night", "lamp"} & set(stems(text)), text


def test_style_and_mood_that_name_what_is_avoided_are_left_out() -> None:
    start = ground(
        "Coffee.", tone="night owls", style_notes="At night only", avoid_topics=("night",)
    )
    brief = offline_brief(start, wished(start), Repetition((), ()))
    assert brief is not None
    assert "Mood" not in brief.prompt and "Style" not in brief.prompt


def test_the_voice_is_the_mood_if_it_tells_how_somebody_speaks() -> None:
    for voice, mood in ((VOICE, "Mood: Warm, unhurried, a little dry."), ("I am a baker.", "")):
        start = Ground(voice, pillar("Coffee."))
        brief = offline_brief(start, wished(start), Repetition((), ()))
        assert brief is not None
        assert brief.prompt.partition("photograph.")[2].strip() == mood


def test_where_all_is_avoided_there_is_nothing_to_say() -> None:
    assert wish_of(ground("Coffee.", topics=("coffee",), avoid_topics=("coffee",))) is not None
    nameless = Ground("", pillar("Coffee.", name="Coffee", avoid_topics=("coffee",)))
    assert wish_of(nameless) is None


def photos(count: int, **fields: object) -> list[Seen]:
    return [Seen(str(number), **fields) for number in range(count)]  # type: ignore[arg-type]


def test_what_no_photo_shows_comes_first_then_what_was_suggested_least() -> None:
    seen = [*photos(3, tags=("flowers",)), *photos(1, caption="A cup of coffee")]
    start = replace(ground("Flowers, coffee, bread."), seen=seen)
    assert wished(start).topic == "bread"
    assert wished(start).lacks[0] == "None of its 4 photos says that it shows bread."
    after = replace(start, prompts=["Close-up of bread", "Bread from above"])
    assert wished(after).topic == "coffee"
    assert wished(replace(after, prompts=[*after.prompts, "Coffee", "Coffee"])).topic == "flowers"


def test_the_shape_that_is_rarest_is_asked_for() -> None:
    level = photos(8, width=400, height=300)
    square = photos(1, width=300, height=310)
    start = replace(ground("Coffee."), seen=[*level, *square])
    assert wished(start).orientation is Orientation.UPRIGHT
    assert "None of its 9 photos is upright." in wished(start).lacks
    brief = offline_brief(start, wished(start), Repetition((), ()))
    assert brief is not None and "vertical 4:5 photograph" in brief.prompt
    after = replace(start, prompts=[brief.prompt] * 2)
    assert wished(after).orientation is Orientation.SQUARE
    assert "1 of its 9 photos is square." in wished(after).lacks


def test_a_tag_that_is_on_most_photos_is_named() -> None:
    start = replace(ground("Coffee."), seen=photos(5, tags=("coffee",), width=3, height=4))
    assert "5 of its 5 photos carry the tag coffee." in wished(start).lacks
    assert wished(ground("Coffee.")).lacks == ()


def test_a_model_is_refused_what_a_person_would_call_the_same() -> None:
    kept = Repetition(["A cup of coffee on a worn table by the window at dawn."], [])
    assert kept.refuses("A cup of coffee, on a worn table, by the windows at dawn!")
    assert not kept.refuses("A row of lamps along a wet quay at midnight.")
    turned_down = "A cup of coffee on a worn table by the window at dawn, steam rising slowly."
    nearly = "A cup of coffee on a worn table by the window at dusk, steam rising slowly."
    assert TOO_NEAR_REJECTED <= similarity(turned_down, nearly) < SAME
    assert Repetition([], [turned_down]).refuses(nearly)
    assert not Repetition([turned_down], []).refuses(nearly)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("latte art", Kind.FOOD),
        ("beaches", Kind.PLACE),
        ("winter coats", Kind.THING),
        ("our team", Kind.PEOPLE),
        ("gratitude", Kind.ANY),
    ],
)
def test_a_subject_gets_the_scenery_of_its_kind(subject: str, kind: Kind) -> None:
    assert kind_of(subject) is kind


def all_entries() -> Sequence[Sequence[object]]:
    lists: list[Sequence[object]] = [FRAMES, LIGHTS]
    for scenery in SCENERY.values():
        lists += [scenery.looks, scenery.places, scenery.moments]
    return lists


def test_no_entry_of_the_vocabulary_stands_twice_in_its_list() -> None:
    for entries in all_entries():
        assert len(set(entries)) == len(entries) >= 10
