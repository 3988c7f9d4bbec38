import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.clustering.domain.item import ItemKey, Neighbour, Pair, assign_scenes, scene_of

ID = "01920000-0000-7000-8000-000000000001"
NAMES = st.sampled_from("abcdefgh")
PAIRS = st.lists(
    st.builds(Pair.of, NAMES, NAMES, st.floats(0.5, 1)).filter(
        lambda pair: pair.first < pair.second
    ),
    unique_by=lambda pair: (pair.first, pair.second),
    max_size=12,
)


def test_the_key_of_a_photo_is_in_its_name() -> None:
    key = ItemKey.of_photo(f"personas/nora/photos/{ID}")
    assert key == ItemKey(f"personas/nora/photos/{ID}", "personas/nora", ID)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nora",
        f"personas/nora/{ID}",
        f"projects/x/items/{ID}",
        "personas/nora/photos/not-a-uuid",
    ],
)
def test_what_is_not_the_name_of_a_photo_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        ItemKey.of_photo(name)


def test_an_item_alone_is_its_own_scene() -> None:
    assert scene_of("a", [], {}, 0.9) == "a"


def test_an_item_takes_the_scene_of_its_nearest_known_neighbour() -> None:
    neighbours = [Neighbour("b", 0.91), Neighbour("c", 0.95), Neighbour("unknown", 0.99)]
    assert scene_of("a", neighbours, {"b": "b", "c": "old"}, 0.9) == "old"


def test_a_neighbour_below_the_threshold_is_of_another_scene() -> None:
    assert scene_of("a", [Neighbour("b", 0.89)], {"b": "b"}, 0.9) == "a"


def test_two_that_arrive_together_share_a_scene() -> None:
    assert assign_scenes(["b", "a"], [Pair("a", "b", 0.95)], {}, 0.9) == {"a": "a", "b": "a"}


def test_scenes_that_were_given_stay() -> None:
    pairs = [Pair("a", "b", 0.95), Pair("b", "c", 0.95)]
    assert assign_scenes(["b"], pairs, {"a": "a", "c": "c"}, 0.9) == {"b": "a"}


@settings(max_examples=100)
@given(pairs=PAIRS, known=st.sets(NAMES))
def test_every_scene_is_ones_own_or_that_of_a_near_item(pairs: list[Pair], known: set[str]) -> None:
    scenes = {name: name for name in known}
    fresh = {name for pair in pairs for name in (pair.first, pair.second)} - known
    given_ = assign_scenes(fresh, pairs, scenes, 0.8)
    assert given_.keys() == fresh
    near = {(p.first, p.second) for p in pairs if p.score >= 0.8}
    for name, scene in given_.items():
        others = [other for other in (given_ | scenes) if {(name, other), (other, name)} & near]
        assert scene == name or scene in [(given_ | scenes)[other] for other in others]
