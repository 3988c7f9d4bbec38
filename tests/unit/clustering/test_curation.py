"""What people want, beside what the engine finds. Groups are made by hand here."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import FailedPrecondition, InvalidArgument
from services.clustering.algorithms.clustering import Clustering, Diff, Group
from services.clustering.algorithms.engine import Engine
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Member,
    Origin,
    VersionedCluster,
)
from services.clustering.domain.curation import (
    Curation,
    checked_change,
    checked_title,
    require_deletable,
    require_in_use,
    unarchived_state,
)
from services.clustering.domain.item import Item, ItemState
from services.clustering.domain.stats import stats_of
from services.clustering.domain.version import Earlier, cohesion_of, describe
from services.clustering.domain.words import words_of
from tests.support.clustering.photos import NOON

SCOPE = "personas/nora"
MEMORY = Engine().fit([], np.empty((0, 1), np.float32)).memory


def item(name: str) -> Item:
    return Item(
        name=name,
        point_id=name.upper(),
        scope=SCOPE,
        blob_key="key",
        words=words_of("", ["sea"], []),
        words_time=NOON,
        pixels=100,
        quality=None,
        create_time=NOON,
        state=ItemState.READY,
    )


def found(groups: Mapping[str, str], outside: str = "") -> Clustering:
    """What the engine says; an item is a letter, its vector the capital one."""
    return Clustering(
        groups=tuple(
            Group(
                key,
                tuple(names.upper()),
                tuple(1 - place / 10 for place in range(len(names))),
                np.ones(1, np.float32),
                0.5,
            )
            for key, names in groups.items()
        ),
        unclustered=tuple(outside.upper()),
        duplicates={},
        rejected=(),
        diff=Diff(),
        memory=MEMORY,
    )


def cluster(id: str, **fields: object) -> Cluster:
    """A found cluster whose key is its id."""
    return replace(Cluster(id, SCOPE, id, f"Title {id}", NOON, NOON), **fields)  # type: ignore[arg-type]


def curated(id: str, **fields: object) -> Cluster:
    return cluster(id, origin=Origin.CURATED, title_pinned=True, **fields)


def locked(names: str) -> tuple[Member, ...]:
    return tuple(Member(name, None, place, locked=True) for place, name in enumerate(names, 1))


def described(
    clustering: Clustering,
    curation: Curation,
    earlier: Mapping[str, Cluster] | None = None,
    gone: str = "",
) -> dict[str, VersionedCluster]:
    """The clusters of the new version by id; items of ``gone`` were deleted."""
    points = {point for group in clustering.groups for point in group.members}
    points |= {*clustering.unclustered}
    items = {point: item(point.lower()) for point in points if point.lower() not in gone}
    others = {name: item(name) for name in curation.places}
    before = Earlier(earlier if earlier is not None else known(clustering), {})
    version = describe(SCOPE, clustering, items, before, NOON, curation, others)
    return {entry.cluster.id: entry for entry in version}


def known(clustering: Clustering) -> dict[str, Cluster]:
    return {group.key: cluster(group.key) for group in clustering.groups}


def names(entry: VersionedCluster) -> str:
    return "".join(member.item for member in entry.members)


def test_locked_items_go_where_people_want_them() -> None:
    curation = Curation({"g1": cluster("g1"), "c": curated("c")}, locked={"g1": locked("dx")})
    version = described(found({"g1": "abc", "g2": "def"}), curation)
    assert {id: names(entry) for id, entry in version.items()} == {
        "g1": "abcdx",
        "g2": "ef",
        "c": "",
    }
    assert [m.locked for m in version["g1"].members] == [False, False, False, True, True]
    assert [m.position for m in version["g2"].members] == [1, 2]
    assert version["g1"].cluster.member_count == 5
    assert version["g1"].cluster.cohesion == pytest.approx(0.9), "of those that were compared"


def test_a_locked_item_that_the_engine_has_there_too_keeps_its_place() -> None:
    curation = Curation({"g1": cluster("g1")}, locked={"g1": locked("b")})
    version = described(found({"g1": "abc"}), curation)
    assert names(version["g1"]) == "abc"
    assert [m.similarity for m in version["g1"].members] == [1.0, 0.9, 0.8]
    assert [m.locked for m in version["g1"].members] == [False, True, False]


def test_refused_items_are_in_no_cluster() -> None:
    curation = Curation(refused={"g1": frozenset("ab")})
    version = described(found({"g1": "abc"}), curation)
    assert names(version["g1"]) == "c"


def test_a_cluster_of_which_nothing_is_left_is_not_found_any_more() -> None:
    curation = Curation({"c": curated("c")}, locked={"c": locked("abc")})
    assert {*described(found({"g1": "abc"}), curation)} == {"c"}


def test_groups_of_merged_clusters_go_where_these_went() -> None:
    curation = Curation({"c": curated("c")}, {"g1": "g2", "g2": "c"}, refused={"c": frozenset("b")})
    clustering = found({"g1": "abc", "g2": "def", "g3": "g"})
    version = described(clustering, curation)
    assert {id: names(entry) for id, entry in version.items()} == {"c": "adecf", "g3": "g"}
    similarities = [member.similarity for member in version["c"].members]
    assert similarities == sorted(similarities, key=lambda s: -(s or 0))
    assert version["c"].cluster.title == "Title c"


def test_deleted_items_are_left_out() -> None:
    version = described(found({"g1": "abc", "g2": "d"}), Curation(), gone="bd")
    assert {id: names(entry) for id, entry in version.items()} == {"g1": "ac"}


def test_states_that_people_set_are_kept_and_found_ones_come_back() -> None:
    earlier = {
        "g1": cluster("g1", state=ClusterState.ARCHIVED),
        "g2": cluster("g2", state=ClusterState.RETIRED),
    }
    draft = curated("c", state=ClusterState.DRAFT)
    version = described(found({"g1": "a", "g2": "b"}), Curation({"c": draft}), earlier)
    assert {id: entry.cluster.state for id, entry in version.items()} == {
        "g1": ClusterState.ARCHIVED,
        "g2": ClusterState.ACTIVE,
        "c": ClusterState.DRAFT,
    }


def test_no_title_is_like_one_of_people() -> None:
    curation = Curation({"c": curated("c", title="SEA photos")}, titles=frozenset({"SEA photos"}))
    version = described(found({"g1": "ab"}), curation)
    assert version["g1"].cluster.title.casefold() != "sea photos"
    assert version["c"].cluster.title == "SEA photos"


def test_a_pinned_title_that_was_given_away_is_lost_when_its_cluster_comes_back() -> None:
    back = cluster("g1", title="Mine", title_pinned=True, state=ClusterState.RETIRED)
    here = cluster("g2", title="Ours", title_pinned=True, state=ClusterState.RETIRED)
    curation = Curation({"c": curated("c", title="mine")}, titles=frozenset({"mine"}))
    version = described(found({"g1": "ab", "g2": "cd"}), curation, {"g1": back, "g2": here})
    lost, kept = version["g1"].cluster, version["g2"].cluster
    assert lost.title.casefold() != "mine" and not lost.title_pinned
    assert (kept.title, kept.title_pinned) == ("Ours", True)


def test_pinned_and_vetoed_heroes() -> None:
    earlier = {"g1": cluster("g1", pinned_hero="c"), "g2": cluster("g2", pinned_hero="z")}
    curation = Curation(vetoed={"g2": frozenset("de")})
    version = described(found({"g1": "abc", "g2": "def"}), curation, earlier)
    first, second = version["g1"].cluster.hero, version["g2"].cluster.hero
    assert first and (first.item, first.pinned) == ("c", True)
    assert second and (second.item, second.pinned) == ("f", False), "z is no member"


@given(
    groups=st.lists(st.sets(st.sampled_from("abcdefghij"), min_size=1), max_size=4),
    places=st.dictionaries(st.sampled_from("abcdefghijxyz"), st.sampled_from(["g0", "c0", "c1"])),
    refused=st.sets(st.sampled_from("abcdefghij")),
    merged=st.booleans(),
)
def test_every_item_is_in_one_cluster_at_most_and_locked_ones_in_theirs(
    groups: list[set[str]], places: dict[str, str], refused: set[str], merged: bool
) -> None:
    taken: set[str] = set()
    engine: dict[str, str] = {}
    for number, members in enumerate(groups):
        if free := members - taken:
            engine[f"g{number}"] = "".join(sorted(free))
            taken |= free
    wanted = {
        id: locked("".join(sorted(name for name, at in places.items() if at == id)))
        for id in {*places.values()}
    }
    curation = Curation(
        {"g0": cluster("g0"), "c0": curated("c0"), "c1": curated("c1")},
        {"g1": "c0"} if merged else {},
        wanted,
        {"g0": frozenset(refused - places.keys())},
    )
    clustering = found(engine)
    version = described(clustering, curation)
    inside = [member.item for entry in version.values() for member in entry.members]
    assert len(inside) == len({*inside})
    home = {member.item: id for id, entry in version.items() for member in entry.members}
    assert {i: home[i] for i in places} == places
    assert {*home} | refused >= taken
    assert {"c0", "c1"} <= {*version}
    for entry in version.values():
        positions = [member.position for member in entry.members]
        assert positions == [*range(1, len(positions) + 1)]
        assert entry.cluster.member_count == len(positions)
        hero = entry.cluster.hero
        assert (hero is not None) == bool(positions)
    items = {point: item(point.lower()) for point in "ABCDEFGHIJ"}
    stats = stats_of(clustering, items, [*version.values()], {}, refit=False)
    assert stats.items == len(taken) == stats.clustered + stats.unclustered
    assert stats.clustered == len(taken & {*inside})


def test_cohesion_leaves_out_what_was_never_compared() -> None:
    assert cohesion_of([Member("a", 0.8, 1), Member("b", None, 2)]) == 0.8
    assert cohesion_of([Member("b", None, 1)]) == 0


@pytest.mark.parametrize(("given", "kept"), [("Sea", "Sea"), ("  our \n sea ", "our sea")])
def test_titles_are_tidied(given: str, kept: str) -> None:
    assert checked_title(given) == kept


def test_another_title_is_pinned_the_same_one_is_not() -> None:
    before = cluster("g1")
    assert checked_change(before, replace(before, title="Mine")).title_pinned
    assert not checked_change(before, replace(before, summary="new")).title_pinned


def test_what_cannot_be_changed() -> None:
    retired = cluster("g1", state=ClusterState.RETIRED, merged_into="g2")
    with pytest.raises(FailedPrecondition) as caught:
        require_in_use(retired)
    assert caught.value.metadata["merged_into"] == f"{SCOPE}/clusters/g2"
    with pytest.raises(FailedPrecondition):
        checked_change(retired, replace(retired, title="Mine"))
    for state in (ClusterState.ARCHIVED, ClusterState.RETIRED):
        with pytest.raises(InvalidArgument):
            checked_change(curated("c"), curated("c", state=state))
    with pytest.raises(FailedPrecondition) as caught:
        checked_change(cluster("g1"), cluster("g1", state=ClusterState.DRAFT))
    assert caught.value.reason == "NOT_CURATED"


def test_what_can_be_deleted() -> None:
    require_deletable(curated("c"))
    for kept, reason in (
        (curated("c", member_count=1), "NOT_EMPTY"),
        (cluster("g"), "NOT_CURATED"),
    ):
        with pytest.raises(FailedPrecondition) as caught:
            require_deletable(kept)
        assert caught.value.reason == reason


def test_what_comes_out_of_the_archive() -> None:
    for archived, state in (
        (curated("c", version=1), ClusterState.ACTIVE),
        (cluster("g1", version=7), ClusterState.ACTIVE),
        (cluster("g1", version=6), ClusterState.RETIRED),
    ):
        assert unarchived_state(archived, 7) is state
