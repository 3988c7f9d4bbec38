"""Curated clusters and what people write on clusters, over gRPC."""

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Cluster

from libs.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from services.clustering.usecases.attempt import Worker
from tests.support.clustering.desk import Desk
from tests.support.clustering.photos import subject
from tests.support.clustering.runs import cluster as run
from tests.support.clustering.studio import Studio, nobody

TWO = [*subject(0, 7), *subject(1, 6)]
DRAFT, ARCHIVED = Cluster.STATE_DRAFT, Cluster.STATE_ARCHIVED


async def found(desk: Desk, worker: Worker, studio: Studio) -> list[Cluster]:
    """Two clusters that a run found, the larger one first."""
    await desk.arrive(TWO)
    await run(worker, desk.scope)
    return [*(await studio.list("origin = FOUND")).values()]


async def archive(studio: Studio, cluster: Cluster) -> Cluster:
    request = api.ArchiveClusterRequest(name=cluster.name)
    return (await studio.stub.ArchiveCluster(request)).cluster


async def unarchive(studio: Studio, cluster: Cluster) -> Cluster:
    request = api.UnarchiveClusterRequest(name=cluster.name)
    return (await studio.stub.UnarchiveCluster(request)).cluster


async def delete(studio: Studio, cluster: Cluster, etag: str = "") -> None:
    await studio.stub.DeleteCluster(api.DeleteClusterRequest(name=cluster.name, etag=etag))


async def test_a_curated_cluster_is_there_before_anything_was_grouped(studio: Studio) -> None:
    made = await studio.create(" Our  best ", prompt_hint="a table, from above", summary="Dinners")
    assert (made.title, made.prompt_hint, made.summary) == (
        "Our best",
        "a table, from above",
        "Dinners",
    )
    assert (made.state, made.origin) == (Cluster.STATE_ACTIVE, Cluster.ORIGIN_CURATED)
    assert (made.member_count, made.title_pinned, made.hero.item) == (0, True, "")
    assert await studio.get(made) == made
    assert await studio.list() == {"Our best": made}
    assert await studio.members(made) == {}


@pytest.mark.parametrize("title", ["", "   "])
async def test_a_cluster_needs_a_title(studio: Studio, title: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await studio.create(title)
    assert caught.value.violations[0].field == "cluster.title"


@pytest.mark.parametrize("state", [Cluster.STATE_ARCHIVED, Cluster.STATE_RETIRED, 77])
async def test_states_that_people_do_not_set(studio: Studio, state: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await studio.create("Best", state=state)
    assert caught.value.violations[0].field == "cluster.state"
    assert await studio.list() == {}


async def test_titles_are_unique_in_their_scope_whatever_their_case(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    large, _ = await found(desk, worker, studio)
    made = await studio.create("Straße nach Süden")
    for taken in ("STRASSE NACH SÜDEN".replace("SS", "ß"), large.title.upper()):
        with pytest.raises(AlreadyExists):
            await studio.create(taken)
    assert (await studio.create("Straße nach Süden", "personas/other")).title == made.title
    with pytest.raises(AlreadyExists) as caught:
        await studio.update(large, title=made.title.lower())
    assert caught.value.name == made.name


async def test_a_draft_is_taken_into_use_by_an_update(studio: Studio) -> None:
    draft = await studio.create("Later", state=DRAFT)
    assert await studio.list("state = DRAFT") == {"Later": draft}
    assert await studio.list("state != DRAFT") == {}
    now = await studio.update(draft, state=Cluster.STATE_ACTIVE)
    assert (now.state, now.title) == (Cluster.STATE_ACTIVE, "Later")
    with pytest.raises(InvalidArgument):
        await studio.update(draft, state=ARCHIVED)
    with pytest.raises(InvalidArgument):
        await studio.update(draft, "state")


async def test_an_update_changes_what_its_mask_names_and_the_etag(studio: Studio) -> None:
    made = await studio.create("Best", summary="old", prompt_hint="old")
    now = await studio.update(made, "summary", title="ignored", summary="new", etag=made.etag)
    assert (now.title, now.summary, now.prompt_hint) == ("Best", "new", "old")
    assert now.etag != made.etag
    with pytest.raises(Conflict) as caught:
        await studio.update(made, summary="too late", etag=made.etag)
    assert caught.value.reason == "STALE_ETAG"
    assert (await studio.update(now, summary="new")).etag == now.etag, "nothing changed"
    with pytest.raises(InvalidArgument):
        await studio.update(now, "nonsense")
    with pytest.raises(InvalidArgument):
        await studio.update(now, "title", title=" ")


async def test_a_found_cluster_can_be_renamed_but_not_be_a_draft(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    large, _ = await found(desk, worker, studio)
    assert not large.title_pinned
    renamed = await studio.update(large, title="Mine", summary="of me")
    assert (renamed.title, renamed.title_pinned, renamed.summary) == ("Mine", True, "of me")
    with pytest.raises(FailedPrecondition) as caught:
        await studio.update(large, state=DRAFT)
    assert caught.value.reason == "NOT_CURATED"


async def test_archived_clusters_keep_their_members_and_are_left_out_of_lists(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    large, small = await found(desk, worker, studio)
    made = await studio.create("Best")
    await studio.add(made, *[*(await studio.members(large))][:3])
    for cluster in (made, large):
        away = await archive(studio, cluster)
        assert away.state == ARCHIVED
        assert (await archive(studio, cluster)).etag == away.etag, "nothing changed"
    assert [*await studio.list()] == [small.title]
    assert {*await studio.list("state = ARCHIVED")} == {large.title, made.title}
    assert len(await studio.members(made)) == 3
    await desk.arrive(subject(0, 5, seed=1))
    await run(worker, desk.scope)
    away = await studio.get(large)
    assert (away.state, away.version) == (ARCHIVED, 6)
    assert away.member_count > 4, "runs keep it up to date"
    assert (await unarchive(studio, large)).state == Cluster.STATE_ACTIVE
    assert (await unarchive(studio, made)).state == Cluster.STATE_ACTIVE
    assert (await unarchive(studio, made)).member_count == 3


async def test_only_curated_clusters_without_members_can_be_deleted(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    large, _ = await found(desk, worker, studio)
    made = await studio.create("Best")
    (item, *_) = await studio.members(large)
    full = (await studio.add(made, item)).cluster
    with pytest.raises(FailedPrecondition) as caught:
        await delete(studio, made)
    assert (caught.value.reason, caught.value.metadata["member_count"]) == ("NOT_EMPTY", "1")
    with pytest.raises(FailedPrecondition) as caught:
        await delete(studio, large)
    assert caught.value.reason == "NOT_CURATED"
    assert "archive it" in caught.value.message
    await studio.remove(made, item)
    with pytest.raises(Conflict):
        await delete(studio, made, full.etag)
    await delete(studio, made)
    with pytest.raises(NotFound):
        await studio.get(made)
    await studio.create("best")


async def test_filters_by_origin_state_and_pillar(
    studio: Studio, desk: Desk, worker: Worker
) -> None:
    large, small = await found(desk, worker, studio)
    made = await studio.create("Best")
    pillar = f"{desk.scope}/pillars/food"
    await studio.stub.AssignClusterToPillar(
        api.AssignClusterToPillarRequest(name=made.name, pillar=pillar)
    )
    assert [*await studio.list("origin = CURATED")] == ["Best"]
    assert {*await studio.list("origin = FOUND AND state = ACTIVE")} == {large.title, small.title}
    assert [*await studio.list(f'pillar = "{pillar}"')] == ["Best"]
    assert {*await studio.list(f'pillar != "{pillar}"')} == {large.title, small.title}
    for wrong in ("state = OLD", "origin = 3", "size = 3", "pillar = food", "state"):
        with pytest.raises(InvalidArgument) as caught:
            await studio.list(wrong)
        assert caught.value.violations[0].field == "filter"


async def test_a_request_that_comes_again_has_its_effect_once(studio: Studio) -> None:
    request = api.CreateClusterRequest(
        parent=studio.scope, cluster=Cluster(title="Best"), request_id=uuid7()
    )
    first = await studio.stub.CreateCluster(request)
    assert await studio.stub.CreateCluster(request) == first
    request.cluster.title = "Another"
    with pytest.raises(AlreadyExists) as caught:
        await studio.stub.CreateCluster(request)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    gone = api.DeleteClusterRequest(name=first.name, request_id=uuid7())
    for _ in range(2):
        await studio.stub.DeleteCluster(gone)


async def test_what_there_is_not_cannot_be_changed(studio: Studio) -> None:
    made = await studio.create("Best", "personas/other")
    for cluster in (nobody(studio.scope), Cluster(name=made.name.replace("other", "nora"))):
        for attempt in (
            studio.get(cluster),
            studio.update(cluster, title="Mine"),
            archive(studio, cluster),
            unarchive(studio, cluster),
            delete(studio, cluster),
            studio.add(cluster, f"{studio.scope}/photos/{uuid7()}"),
            studio.remove(cluster, f"{studio.scope}/photos/{uuid7()}"),
        ):
            with pytest.raises(NotFound):
                await attempt
