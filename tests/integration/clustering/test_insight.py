"""Looking closely at clusters, over gRPC."""

from collections.abc import AsyncIterator

import pytest
from colonnade.clustering.v1 import insight_service_pb2 as api
from colonnade.clustering.v1.cluster_analysis_pb2 import ClusterAnalysis
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.insight_service_pb2_grpc import (
    InsightServiceStub,
    add_InsightServiceServicer_to_server,
)
from sqlalchemy import event
from sqlalchemy.engine import Engine

from libs.errors import FailedPrecondition, NotFound
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.module import INSIGHT
from services.clustering.servicers.insight import InsightServicer
from services.clustering.usecases.insight import Looker
from tests.support.clustering.photos import COLLECTION, subject
from tests.support.clustering.studio import nobody
from tests.support.rpc import serve


@pytest.fixture
async def insight(store, index, blobs, pool, clock) -> AsyncIterator[InsightServiceStub]:
    looker = Looker(store, IndexVectors(index), BlobSnapshots(blobs), pool, clock, Params())
    servicer = InsightServicer(looker)
    register = add_InsightServiceServicer_to_server
    async with serve(servicer, INSIGHT, register, InsightServiceStub) as stub:
        yield stub


async def analyze(insight: InsightServiceStub, cluster: Cluster) -> ClusterAnalysis:
    answer = await insight.AnalyzeCluster(api.AnalyzeClusterRequest(name=cluster.name))
    return answer.analysis


async def heroes(insight: InsightServiceStub, cluster: Cluster, **wanted) -> list[str]:
    request = api.FindClusterHeroesRequest(name=cluster.name, **wanted)
    return [hero.item for hero in (await insight.FindClusterHeroes(request)).heroes]


@pytest.fixture
def make(studio, desk):
    async def make(title: str, *vectors) -> tuple[Cluster, list[str]]:
        """A cluster of photos with these vectors, and what is there besides."""
        items = await desk.arrive(list(vectors))
        made = await studio.create(title)
        await studio.add(made, *items)
        return await studio.get(made), items

    return make


async def test_a_tight_cluster_and_those_near_it(insight, make, studio):
    # Two halves of one subject, and another one.
    together = subject(0, 16, within=0.99)
    own, _ = await make("Own", *together[:8])
    await make("Far", *subject(1, 8, within=0.99))
    half, _ = await make("Half", *together[8:])
    before = await studio.list()
    found = await analyze(insight, own)
    assert found.quality == ClusterAnalysis.QUALITY_TIGHT
    assert (found.member_count, found.examined_count) == (8, 8)
    assert not found.outliers
    assert not found.HasField("split")
    titles = [near.title for near in found.similar_clusters]
    assert titles == ["Half", "Far"]
    near, far = found.similar_clusters
    assert near.merge_suggested and near.cluster == half.name
    assert not far.merge_suggested and far.likeness < near.likeness
    assert await studio.list() == before


async def test_two_subjects_in_one_cluster_are_proposed_to_be_split(insight, make):
    # Others, so that there is something to measure unrelated photos by.
    for number in range(3, 9):
        await make(f"Other {number}", *subject(number, 4))
    mixed, items = await make("Mixed", *subject(0, 8, within=0.8), *subject(1, 5, within=0.8))
    found = await analyze(insight, mixed)
    assert found.quality == ClusterAnalysis.QUALITY_LOOSE
    assert set(found.split.items) == set(items[8:])
    assert found.split.gain >= 0.05
    assert min(found.split.cohesion, found.split.rest_cohesion) > found.cohesion


async def test_a_member_that_does_not_belong(insight, make):
    for number in range(3, 9):
        await make(f"Other {number}", *subject(number, 4))
    cluster, items = await make("Nearly", *subject(0, 12, within=0.9), *subject(1, 1))
    found = await analyze(insight, cluster)
    assert [outlier.item for outlier in found.outliers] == items[12:]
    assert found.outliers[0].likeness < 0.6


async def test_heroes_are_unlike_each_other(insight, make):
    cluster, items = await make("All", *subject(0, 6, within=0.6), *subject(0, 1, within=0.6))
    answer = await insight.FindClusterHeroes(
        api.FindClusterHeroesRequest(name=cluster.name, limit=10)
    )
    assert answer.max_cosine == pytest.approx(COLLECTION.scene_threshold)
    # The last one is the first one again.
    chosen = [hero.item for hero in answer.heroes]
    assert len(chosen) == 6
    assert len({items[0], items[6]} & set(chosen)) == 1
    assert all(hero.parts for hero in answer.heroes)
    assert len(await heroes(insight, cluster, max_cosine=-0.99)) == 1
    assert len(await heroes(insight, cluster)) == 5


async def test_pins_vetoes_and_blur(insight, studio, desk):
    vectors = subject(0, 5, within=0.6)
    plain = await desk.arrive(vectors[:4], quality=0.5, measures={"sharpness": 0.7})
    blurred = await desk.arrive(vectors[4:], quality=0.9, measures={"sharpness": 0.1})
    made = await studio.create("All")
    await studio.add(made, *plain, *blurred)
    assert set(await heroes(insight, made)) == set(plain)
    await studio.veto(made, plain[0])
    await studio.pin(made, plain[1])
    chosen = await heroes(insight, made)
    assert chosen[0] == plain[1]
    assert set(chosen) == set(plain[1:])
    assert (await studio.get(made)).hero.item == plain[1]


async def test_no_single_hero_is_blurred_and_a_pinned_one_that_leaves_makes_room(studio, desk):
    vectors = subject(0, 6, within=0.6)
    plain = await desk.arrive(vectors[:5], quality=0.5, measures={"sharpness": 0.7})
    (blurred,) = await desk.arrive(vectors[5:], quality=1.0, measures={"sharpness": 0.1})
    made = await studio.create("All")
    await studio.add(made, *plain, blurred)
    hero = (await studio.get(made)).hero
    assert hero.item in plain
    assert [part.id for part in hero.parts] == ["quality", "recency"]
    await studio.pin(made, blurred)
    assert (await studio.get(made)).hero.item == blurred
    await studio.remove(made, blurred)
    after = (await studio.get(made)).hero
    assert after.item in plain and not after.pinned
    await studio.remove(made, *plain)
    assert not (await studio.get(made)).HasField("hero")


async def test_measures_and_captions_come_with_photos(desk, store):
    (photo,) = await desk.arrive(subject(0, 1), measures={"sharpness": 0.4}, texts=("A boat",))
    async with store.read() as tx:
        item = await tx.items.get(photo)
    assert (item.sharpness, item.exposure, item.words) == (0.4, None, ("text:A boat",))


async def test_what_is_not_there(insight, studio, desk):
    with pytest.raises(NotFound):
        await analyze(insight, nobody(desk.scope))
    with pytest.raises(NotFound):
        await heroes(insight, nobody(desk.scope))
    empty = await studio.create("Empty")
    for look in (analyze, heroes):
        with pytest.raises(FailedPrecondition) as refused:
            await look(insight, empty)
        assert refused.value.reason == "CLUSTER_EMPTY"


async def test_of_a_large_cluster_some_are_looked_at_from_the_centre_to_the_edge(store, make, desk):
    cluster, items = await make("Large", *subject(0, 30))
    id = cluster.name.rpartition("/")[2]
    async with store.read() as tx:
        some = await tx.insights.spread(desk.scope, [id], 10)
        central = await tx.insights.central(desk.scope, id, 10, [sorted(items)[-1]])
        sample = await tx.insights.sample(desk.scope, 16)
    order = sorted(items)
    # Nobody compared them, so that their names tell their places.
    assert [each.item for each in some] == order[::3]
    assert {each.members for each in some} == {30}
    assert [each.item for each in central] == [*order[:10], order[-1]]
    assert 1 <= len(sample) <= 16


async def test_a_look_takes_five_statements_at_most(insight, make):
    cluster, _ = await make("One", *subject(0, 6))
    for number in range(1, 7):
        await make(f"Other {number}", *subject(number, 4))
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await analyze(insight, cluster)
        analyzing = len(seen)
        await heroes(insight, cluster)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert analyzing <= 5
    assert len(seen) - analyzing <= 5
