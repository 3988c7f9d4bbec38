from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from libs.ids import uuid7
from services.clustering.algorithms.clustering import Clustering
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.params import Params
from services.clustering.domain.cluster import Cluster, Hero, Member, VersionedCluster
from services.clustering.domain.history import Diff, Version, VersionKind
from services.clustering.domain.item import Item, ItemState
from services.clustering.domain.run import Stats
from services.clustering.domain.stats import drift_between, stats_of, stats_unchanged
from services.clustering.domain.version import (
    Earlier,
    choose_hero,
    cohesion_of,
    describe,
    diff_of,
)
from services.clustering.domain.words import words_of
from tests.support.clustering.photos import NOON, Vector, subject

SCOPE = "personas/nora"
NOTHING = Earlier({}, {})


def item(name: str, *, tags: Sequence[str] = (), quality: float | None = None) -> Item:
    return Item(
        name=name,
        point_id=uuid7(),
        scope=SCOPE,
        blob_key="key",
        words=words_of("", tags, []),
        words_time=NOON,
        pixels=100,
        quality=quality,
        create_time=NOON,
        state=ItemState.READY,
    )


def shoes_and_bread() -> tuple[Clustering, dict[str, Item]]:
    """Six photos of shoes, one of them twice, five of bread."""
    shoes, bread = subject(0, 6), subject(1, 5)
    items = [item(f"shoe {n}", tags=["shoes"]) for n in range(7)]
    items += [item(f"bread {n}", tags=["bread"]) for n in range(5)]
    vectors: list[Vector] = [*shoes, shoes[0], *bread]
    ids = [one.point_id for one in items]
    return Engine(Params()).fit(ids, np.stack(vectors)), dict(zip(ids, items, strict=True))


@pytest.fixture
def found() -> tuple[VersionedCluster, ...]:
    clustering, items = shoes_and_bread()
    return describe(SCOPE, clustering, items, NOTHING, NOON)


def test_each_group_becomes_a_cluster_with_its_members(found: tuple[VersionedCluster, ...]) -> None:
    shoes, bread = found
    assert (shoes.cluster.member_count, bread.cluster.member_count) == (7, 5)
    assert {member.item for member in bread.members} == {f"bread {n}" for n in range(5)}
    for entry in found:
        assert [member.position for member in entry.members] == list(
            range(1, len(entry.members) + 1)
        )
        nearness = [member.similarity for member in entry.members]
        assert nearness == sorted(nearness, reverse=True)
        assert entry.cluster.cohesion == pytest.approx(np.mean(nearness))
        assert entry.cluster.create_time == NOON


def test_a_copy_names_what_it_is_a_copy_of(found: tuple[VersionedCluster, ...]) -> None:
    copies = {m.item: m.duplicate_of for entry in found for m in entry.members if m.duplicate_of}
    assert copies in ({"shoe 6": "shoe 0"}, {"shoe 0": "shoe 6"})


def test_what_was_there_before_keeps_id_hero_and_pinned_title() -> None:
    clustering, items = shoes_and_bread()
    first = describe(SCOPE, clustering, items, NOTHING, NOON)
    earlier = Earlier(
        {
            entry.cluster.key: replace(entry.cluster, title="Mine", title_pinned=True)
            for entry in first[:1]
        },
        {},
    )
    again = describe(SCOPE, clustering, items, earlier, NOON + timedelta(days=1))
    assert again[0].cluster.id == first[0].cluster.id
    assert again[0].cluster.title == "Mine"
    assert again[0].cluster.create_time == NOON
    assert again[1].cluster.id != first[1].cluster.id
    hero, before = again[0].cluster.hero, first[0].cluster.hero
    assert hero and before and hero.item == before.item


def test_the_hero_is_of_good_quality_and_says_why() -> None:
    members = [Member("dull", 0.9, 1), Member("sharp", 0.88, 2)]
    items = {"dull": item("dull", quality=0.3), "sharp": item("sharp", quality=0.9)}
    hero = choose_hero(members, items, None, NOON)
    assert hero is not None and hero.item == "sharp"
    assert {part.id for part in hero.parts} == {"quality", "centrality", "recency"}
    assert sum(part.weight for part in hero.parts) == pytest.approx(1)
    assert hero.score == pytest.approx(sum(part.value * part.weight for part in hero.parts))


def test_a_hero_stays_unless_another_is_clearly_better() -> None:
    members = [Member("a", 0.90, 1), Member("b", 0.88, 2)]
    items = {"a": item("a", quality=0.5), "b": item("b", quality=0.5)}
    hero = choose_hero(members, items, Hero("b", 0.5), NOON)
    assert hero is not None and hero.item == "b"


def test_nobody_is_left_to_be_the_hero() -> None:
    assert choose_hero([], {}, Hero("a", 0.5), NOON) is None
    assert choose_hero([Member("a", 0.9, 1)], {}, None, NOON) is None


def test_cohesion_is_within_its_bounds() -> None:
    assert cohesion_of([]) == 0
    assert cohesion_of([Member("a", -0.5, 1)]) == 0
    assert cohesion_of([Member("a", 1.0000001, 1)]) == 1


def cluster(key: str, *names: str) -> VersionedCluster:
    members = tuple(Member(name, 0.9, place) for place, name in enumerate(names, 1))
    return VersionedCluster(Cluster(uuid7(), SCOPE, key, key, NOON, NOON), members)


def test_the_difference_tells_what_became_of_each_cluster() -> None:
    before = {"g1": ("a", "b", "c"), "g2": ("d", "e", "f"), "g3": ("x", "y", "z")}
    shown = [cluster(key).cluster for key in before]
    kept = VersionedCluster(shown[0], cluster("g1", "a", "b", "c", "d", "e").members)
    born = cluster("g4", "q")
    diff = diff_of(before, [kept, born], shown)
    assert diff.merged == {shown[1].id: shown[0].id}
    assert {*diff.retired} == {shown[1].id, shown[2].id}
    assert diff.born == (born.cluster.id,)
    assert diff.split == {}


def test_drift_is_what_a_refit_moves() -> None:
    before = {"g1": ("a", "b", "c"), "g2": ("d", "e", "f")}
    assert drift_between(before, before) == 0
    assert drift_between({}, before) == 0
    assert drift_between(before, {"g1": tuple("abcdef")}) > 0.5
    assert 0 < drift_between(before, {"g1": ("a", "b"), "g2": ("c", "d", "e", "f")}) < 1


def test_statistics_count_what_is_different() -> None:
    clustering, items = shoes_and_bread()
    found = describe(SCOPE, clustering, items, NOTHING, NOON)
    shoes, bread = found
    names = {
        shoes.cluster.key: [member.item for member in shoes.members],
        bread.cluster.key: ["bread 0"],
        "gone": ["bread 1"],
    }
    stats = stats_of(clustering, items, found, names, refit=False)
    assert (stats.items, stats.clustered, stats.unclustered) == (12, 12, 0)
    assert (stats.clusters, stats.born, stats.updated, stats.retired) == (2, 0, 1, 1)
    assert stats.duplicates == 1
    assert stats_of(clustering, items, found, {}, refit=False).born == 2


def test_statistics_of_no_change_are_those_of_the_newest_version() -> None:
    newest = Version(
        SCOPE,
        3,
        VersionKind.RUN,
        "",
        NOON,
        False,
        12,
        10,
        2,
        duplicates=1,
        diff=Diff(),
        state_key="",
    )
    stats = stats_unchanged(newest)
    assert stats == Stats(
        items=12, clustered=10, unclustered=2, clusters=2, duplicates=1, noop=True
    )
    assert stats_unchanged(None) == Stats(noop=True)
