"""Which pillar a photo is filed under, and why."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import FailedPrecondition
from services.catalog.domain.filing import Neighbour, accepted, distance_of, looked_at
from services.catalog.domain.photo import (
    Embedding,
    EmbeddingState,
    Filing,
    FilingState,
    Photo,
    Picture,
    Proposal,
)
from services.catalog.domain.pillar import Guidelines, Pillar, PillarState

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ENOUGH = 0.7
PENDING = Filing(FilingState.PENDING)


def pillar(name: str, **fields: Any) -> Pillar:
    return Pillar("nora", name.lower().replace(" ", "-"), name, NOW, NOW, **fields)


def photo(path: str = "", **fields: Any) -> Photo:
    picture = Picture("0" * 64, "image/jpeg", 1, 1, 1, "0" * 64)
    file_name = path.rpartition("/")[2]
    fields = {"filing": PENDING, "file_name": file_name, "source_path": path, **fields}
    return Photo("nora", "id", "food", picture, NOW, NOW, "id", **fields)


def near(pillar: str, distance: float, number: int = 1, confirmed: bool = True) -> Neighbour:
    return Neighbour(pillar, f"{pillar}-{number}.jpg", 1 - 0.3 * distance, distance, confirmed)


PILLARS = [pillar("Food"), pillar("Slow mornings"), pillar("Out there")]


def look(subject: Photo, neighbours: list[Neighbour], pillars: list[Pillar] | None = None) -> Photo:
    return looked_at(subject, neighbours, PILLARS if pillars is None else pillars, ENOUGH, NOW)


def test_photos_near_it_name_the_pillar() -> None:
    mornings = [near("slow-mornings", 0.6 + n / 20, n) for n in range(9)]
    filed = look(photo("x/1.jpg"), [*mornings, *(near("food", 1.2, n) for n in range(5))])
    assert filed.pillar == "slow-mornings"
    assert filed.filing.state is FilingState.PROPOSED
    assert filed.filing.confidence > 0.9
    assert filed.filing.reason == (
        "9 of its 12 nearest photos are in Slow mornings (0.82 to the nearest, slow-mornings-0.jpg)"
    )
    assert [p.pillar for p in filed.filing.alternatives] == ["food"]


@pytest.mark.parametrize(
    ("neighbours", "reason"),
    [
        ([near("food", 0.5)], "the photo nearest to it is in Food (0.85, food-1.jpg)"),
        (
            [near("food", 0.5, 1), near("food", 0.7, 2)],
            "all of its 2 nearest photos are in Food (0.85 to the nearest, food-1.jpg)",
        ),
        (
            [near("food", 0.4), near("out-there", 0.9), near("slow-mornings", 1.0)],
            "1 of its 3 nearest photos is in Food (0.88 to the nearest, food-1.jpg)",
        ),
        ([near("food", 2.0)], "only food-1.jpg in Food is a little like it (0.40)"),
        ([], "nothing like it has been filed yet"),
    ],
)
def test_the_reason_tells_what_was_found(neighbours: list[Neighbour], reason: str) -> None:
    assert look(photo(), neighbours).filing.reason == reason


@pytest.mark.parametrize(
    ("subject", "pillar_id", "state", "reason"),
    [
        (photo("food/1.jpg"), "food", "PROPOSED", "its folder food matches the pillar Food"),
        (photo("2024/Foods/1.jpg"), "food", "PROPOSED", "its folder Foods matches the pillar Food"),
        (
            photo("trip/slow_morning.jpg"),
            "slow-mornings",
            "PROPOSED",
            "its file name slow_morning.jpg matches the pillar Slow mornings",
        ),
        (
            photo("a/1.jpg", tags=("food",)),
            "food",
            "PROPOSED",
            "its tag food matches the pillar Food",
        ),
        (
            photo("mornings/1.jpg"),
            "slow-mornings",
            "PROPOSED",
            "its folder mornings fits the pillar Slow mornings",
        ),
        (photo("paintings/1.jpg"), "art", "PROPOSED", "its folder paintings is a topic of Art"),
        (
            photo("brush/1.jpg"),
            "art",
            "REVIEW",
            "its folder brush is in the description of Art",
        ),
        (photo("photos/IMG_0012.jpg"), "food", "REVIEW", "nothing like it has been filed yet"),
    ],
)
def test_words_say_something_before_anything_is_filed(
    subject: Photo, pillar_id: str, state: str, reason: str
) -> None:
    art = pillar(
        "Art", description="Photos of brushes.", guidelines=Guidelines(topics=("Painting",))
    )
    filed = look(subject, [], [*PILLARS, art])
    assert (filed.pillar, filed.filing.state, filed.filing.reason) == (pillar_id, state, reason)


def test_words_that_fit_two_pillars_alike_decide_nothing() -> None:
    filed = look(photo("food/1.jpg"), [], [pillar("Street food"), pillar("Sweet food")])
    assert filed.filing.state is FilingState.REVIEW
    assert [p.pillar for p in filed.filing.alternatives] == ["sweet-food"]
    better = look(photo("food/1.jpg"), [], [pillar("Street food"), pillar("Food")])
    assert (better.pillar, better.filing.state) == ("food", FilingState.PROPOSED)


def test_photos_that_are_very_like_it_outweigh_a_word() -> None:
    filed = look(photo("food/1.jpg"), [near("out-there", 0.3, n) for n in range(3)])
    assert filed.pillar == "out-there"
    assert filed.filing.state is FilingState.PROPOSED


def test_both_reasons_are_told_the_better_one_first() -> None:
    filed = look(photo("food/1.jpg"), [near("food", 0.5)])
    assert filed.filing.reason == (
        "the photo nearest to it is in Food (0.85, food-1.jpg); "
        "its folder food matches the pillar Food"
    )


def test_what_is_far_from_everything_waits_in_the_inbox() -> None:
    filed = look(photo(), [near("food", 2.4, n) for n in range(20)])
    assert filed.filing.state is FilingState.REVIEW
    assert filed.filing.confidence < 0.3


def test_pillars_that_are_not_active_are_no_candidates() -> None:
    closed = replace(PILLARS[1], state=PillarState.INACTIVE)
    over = replace(PILLARS[2], end_time=NOW)
    there = [near("slow-mornings", 0.4, n) for n in range(5)] + [near("food", 1.0)]
    filed = look(photo(), there, [PILLARS[0], pillar("Art"), closed, over])
    assert filed.pillar == "food"
    assert filed.filing.state is FilingState.REVIEW, "most speaks for a pillar that is closed"
    assert look(photo(), there, [closed, over]).filing == Filing(
        FilingState.REVIEW, reason="nothing like it has been filed yet"
    )


def test_where_there_is_one_pillar_there_is_no_question() -> None:
    filed = look(photo(), [], [pillar("Art"), replace(PILLARS[1], state=PillarState.INACTIVE)])
    assert filed.pillar == "art"
    assert filed.filing == Filing(FilingState.PROPOSED, 1.0, "Art is the only active pillar")


@pytest.mark.parametrize("pillars", [PILLARS, PILLARS[:1]])
def test_what_could_not_be_embedded_is_left_to_a_person(pillars: list[Pillar]) -> None:
    failed = Embedding(EmbeddingState.FAILED, error_message="too dark")
    filed = look(photo("food/1.jpg", embedding=failed), [], pillars)
    assert (filed.pillar, filed.filing.state) == ("food", FilingState.REVIEW)
    assert filed.filing.reason.startswith("it could not be embedded (too dark); its folder food")
    plain = look(photo(embedding=failed), [], pillars)
    assert plain.filing.reason == "it could not be embedded (too dark)"


def test_a_guess_weighs_less_than_what_a_person_said() -> None:
    said = look(photo(), [near("food", 1.0), near("out-there", 1.0, confirmed=False)])
    assert said.pillar == "food"
    alone = look(photo(), [near("food", 1.0, confirmed=False)])
    assert alone.filing.state is FilingState.REVIEW


@pytest.mark.parametrize(
    ("filing", "settled"),
    [
        (Filing(FilingState.REVIEW, 0.4, "why", (Proposal("art", 0.1),)), True),
        (Filing(FilingState.PROPOSED, 0.9), True),
        (Filing(), True),
        (Filing(FilingState.REVIEW), False),
        (PENDING, False),
    ],
)
def test_what_is_proposed_can_be_accepted(filing: Filing, settled: bool) -> None:
    subject = photo(filing=filing)
    if settled:
        assert accepted(subject).filing == replace(filing, state=FilingState.CONFIRMED)
    else:
        with pytest.raises(FailedPrecondition) as caught:
            accepted(subject)
        assert caught.value.reason == "NO_PROPOSAL"


def test_distances_mean_the_same_for_every_model() -> None:
    assert distance_of(0.7, 0.7) == distance_of(0.98, 0.98) == 1
    assert distance_of(1.0000001, 0.7) == 0
    assert distance_of(0.4, 0.7) == pytest.approx(2)


NEIGHBOURS = st.lists(
    st.builds(
        near,
        st.sampled_from(["food", "slow-mornings", "out-there", "gone"]),
        st.floats(0, 30),
        st.integers(0, 99),
        st.booleans(),
    ),
    max_size=40,
)
WORDS = st.sampled_from(["", "food/1.jpg", "slow-mornings/a.jpg", "there/food.jpg"])


def confidences(filed: Photo) -> dict[str, float]:
    first = {filed.pillar: filed.filing.confidence} if filed.filing.confidence else {}
    return first | {p.pillar: p.confidence for p in filed.filing.alternatives}


@given(NEIGHBOURS, WORDS)
def test_confidence_is_a_share(neighbours: list[Neighbour], path: str) -> None:
    filed = look(photo(path), neighbours)
    found = confidences(filed)
    assert all(0 < value <= 1 for value in found.values())
    assert sum(found.values()) <= 1 + 1e-9
    assert filed.filing.confidence == max(found.values(), default=0.0)
    assert filed.filing.reason
    assert (filed.filing.state is FilingState.PROPOSED) == (filed.filing.confidence >= ENOUGH)


@given(NEIGHBOURS, WORDS, st.floats(0, 30), st.booleans())
def test_one_more_photo_never_makes_its_pillar_less_sure(
    neighbours: list[Neighbour], path: str, distance: float, confirmed: bool
) -> None:
    before = confidences(look(photo(path), neighbours)).get("food", 0.0)
    more = [*neighbours, near("food", distance, 100, confirmed)]
    after = confidences(look(photo(path), more)).get("food", 0.0)
    assert after >= before - 1e-9


@given(NEIGHBOURS.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))), WORDS)
def test_the_order_of_the_neighbours_does_not_matter(
    orders: tuple[list[Neighbour], list[Neighbour]], path: str
) -> None:
    one, other = orders
    assert look(photo(path), one) == look(photo(path), other)


@given(NEIGHBOURS, WORDS)
def test_who_is_filed_is_filed_under_an_active_pillar(
    neighbours: list[Neighbour], path: str
) -> None:
    filed = look(photo(path), neighbours)
    assert filed.pillar in {p.id for p in PILLARS}
    assert {p.pillar for p in filed.filing.alternatives} <= {p.id for p in PILLARS} - {filed.pillar}
