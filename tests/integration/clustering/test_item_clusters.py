"""To which clusters an item most likely belongs, over gRPC."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from colonnade.clustering.v1 import insight_service_pb2 as api
from colonnade.clustering.v1.insight_service_pb2_grpc import (
    InsightServiceStub,
    add_InsightServiceServicer_to_server,
)

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from services.clustering.adapters import BlobSnapshots, IndexVectors
from services.clustering.algorithms.params import Params
from services.clustering.domain.run import Algorithm, Mode
from services.clustering.module import INSIGHT
from services.clustering.servicers.insight import InsightServicer
from services.clustering.usecases.insight import Looker
from services.clustering.usecases.item_clusters import find_item_clusters
from tests.support.clustering.photos import created, deleted, subject
from tests.support.clustering.runs import cluster
from tests.support.rpc import serve

THREE = [*subject(0, 10), *subject(1, 10), *subject(2, 10)]


@pytest.fixture
async def insight(store, index, blobs, pool, clock) -> AsyncIterator[InsightServiceStub]:
    looker = Looker(store, IndexVectors(index), BlobSnapshots(blobs), pool, clock, Params())
    register = add_InsightServiceServicer_to_server
    async with serve(InsightServicer(looker), INSIGHT, register, InsightServiceStub) as stub:
        yield stub


async def ask(insight: InsightServiceStub, item: str, limit: int = 0):
    return await insight.FindItemClusters(api.FindItemClustersRequest(item=item, limit=limit))


async def test_a_member_is_likeliest_where_it_is(insight, desk, worker, studio):
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    home = {item: name for name, items in (await studio.content()).items() for item in items}
    for item in (photos[0], photos[10], photos[20]):
        found = await ask(insight, item)
        likely = found.clusters[0]
        assert likely.cluster == found.cluster == home[item]
        assert (likely.member_count, found.version, found.locked) == (10, 1, False)
        assert likely.title
        assert likely.probability > 0.5
        assert found.alone_probability < 0.2
        shares = [each.probability for each in found.clusters]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) + found.alone_probability <= 1.0 + 1e-9
    assert len((await ask(insight, photos[0], limit=1)).clusters) == 1


async def test_one_between_two_is_told_of_both_before_any_run_saw_it(insight, desk, worker, studio):
    await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    home = await studio.content()
    (between, strange) = await desk.arrive([THREE[0] + THREE[10], *subject(9, 1)])
    found = await ask(insight, between)
    assert found.cluster == ""
    first, second = found.clusters[:2]
    assert {first.cluster, second.cluster} <= home.keys()
    assert second.probability > 0.1
    assert (await ask(insight, strange)).alone_probability > 0.5


async def test_what_people_decided_is_followed(insight, desk, worker, studio):
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    home = {item: name for name, items in (await studio.content()).items() for item in items}
    shown = {each.name: each for each in (await studio.list()).values()}
    first, second, third = (shown[home[photos[place]]] for place in (0, 10, 20))
    before = (await ask(insight, photos[0])).clusters[0].probability
    # Who is merged speaks for its heir; who was refused is silent.
    await studio.merge(second, first)
    merged = await ask(insight, photos[0])
    assert merged.clusters[0].cluster == merged.cluster == second.name
    assert merged.clusters[0].probability >= before - 1e-6
    assert first.name not in {each.cluster for each in merged.clusters}
    await studio.remove(await studio.get(third), photos[20])
    refused = await ask(insight, photos[20])
    assert refused.cluster == ""
    assert third.name not in {each.cluster for each in refused.clusters}
    made = await studio.create("By hand")
    await studio.add(made, photos[21])
    moved = await ask(insight, photos[21])
    assert (moved.cluster, moved.locked) == (made.name, True)
    assert moved.clusters[0].cluster == third.name
    assert made.name not in {each.cluster for each in moved.clusters}


async def test_who_is_merged_again_and_again_speaks_for_the_last_heir(
    insight, desk, worker, studio
):
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    home = {item: name for name, items in (await studio.content()).items() for item in items}
    shown = {each.name: each for each in (await studio.list()).values()}
    before = (await ask(insight, photos[0])).clusters[0].probability
    first, last = shown[home[photos[0]]], shown[home[photos[20]]]
    # Curated ones are in no memory: only the chain leads from each to the next.
    between = [await studio.create(f"By hand {number}") for number in (1, 2)]
    for source, target in pairwise([first, *between, last]):
        await studio.merge(target, source)
    found = await ask(insight, photos[0])
    assert found.clusters[0].cluster == found.cluster == last.name
    assert found.clusters[0].probability >= before - 1e-6


async def test_a_copy_has_the_vote_of_its_original_against_it_only_once(insight, desk, worker):
    original, copy, *_ = await desk.arrive([THREE[0], THREE[0], *THREE[1:]])
    await cluster(worker, desk.scope)
    one, other = [await ask(insight, item) for item in (original, copy)]
    counted = {answer.clusters[0].probability for answer in (one, other)}
    # One of both counts; it leaves itself out, the other one is compared with it.
    assert len(counted) == 2


async def test_what_cannot_be_told(insight, desk, worker):
    photos = await desk.arrive(THREE)
    with pytest.raises(FailedPrecondition) as refused:
        await ask(insight, photos[0])
    assert refused.value.reason == "NO_MIXTURE"
    with pytest.raises(NotFound):
        await ask(insight, photos[0][:-12] + "0" * 12)
    with pytest.raises(InvalidArgument):
        await ask(insight, "personas/mila/pillars/food")
    await cluster(worker, desk.scope)
    fresh = desk.photo(subject(5, 1)[0])
    await desk.note(created(fresh))
    with pytest.raises(FailedPrecondition) as refused:
        await ask(insight, fresh)
    assert refused.value.reason == "NOT_EMBEDDED"
    await desk.deliver(deleted(photos[0]))
    with pytest.raises(NotFound):
        await ask(insight, photos[0])
    await cluster(worker, desk.scope, Mode.REFIT, algorithm=Algorithm.NEAREST)
    with pytest.raises(FailedPrecondition) as refused:
        await ask(insight, photos[1])
    assert refused.value.reason == "NO_MIXTURE"


async def test_a_memory_that_cannot_be_read_is_not_the_fault_of_who_asks(
    insight, desk, worker, blobs
):
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    async for key in worker.snapshots.keys():
        await blobs.put(key, b"of another time")
    with pytest.raises(FailedPrecondition) as refused:
        await ask(insight, photos[0])
    assert refused.value.reason == "NO_MIXTURE"


async def test_a_run_that_ends_meanwhile_does_no_harm(
    insight, desk, worker, store, index, pool, clock
):
    photos = await desk.arrive(THREE)
    await cluster(worker, desk.scope)
    snapshots = worker.snapshots

    class Late:
        """The first memory is gone before it is read, because another run ended."""

        async def load(self, key: str) -> bytes | None:
            if not self.__dict__.setdefault("told", False):
                self.told = True
                await cluster(worker, desk.scope, Mode.REFIT)
                await snapshots.forget(key)
            return await snapshots.load(key)

    looker = Looker(store, IndexVectors(index), Late(), pool, clock, Params())
    found = await find_item_clusters(looker, photos[0], 5)
    assert found.whereabouts.version == 2
