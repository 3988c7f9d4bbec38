"""A library of the older shape moves into a running suite, and the whole flow works on it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.catalog.v1.suggestion_pb2 import SuggestionBatch
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Post, Publication

from cli.connection import Suite as Api
from cli.suggestions import write_suggestions
from libs.embedded.postgres import UNSAFE_FOR_TESTS, PostgresServer
from libs.errors import AlreadyExists
from tests.e2e import work
from tests.e2e.conftest import Provider
from tests.support.buffer import Admin
from tests.support.harness import SuiteInOne
from tests.support.legacy import sample
from tests.support.legacy.database import LegacyDatabase
from tests.support.wait import eventually


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """What pg_dump wrote of the older library."""
    with PostgresServer(tmp_path / "older", settings=UNSAFE_FOR_TESTS) as server:
        return LegacyDatabase(server.url).dump(tmp_path / "library.sql")


async def migrate(suite: SuiteInOne, *step: str, code: int = 0) -> Any:
    ran = await work.colonnade(suite, "migrate", *step, "--data", str(suite.data / "all"))
    assert ran.code == code, ran
    return json.loads(ran.out) if "--json" in step else ran.out


async def test_the_main_job_on_a_migrated_library(
    suite_in_one: SuiteInOne,
    api: Api,
    provider: Provider,
    buffer: Admin,
    dump: Path,
    tmp_path: Path,
) -> None:
    report = await moved(suite_in_one, dump, sample.write_files(tmp_path / "files"))
    photos = {photo["photo"]: photo["name"] for photo in report["photos"]}
    nora = report["personas"]["1"]
    await work.embedded(api, nora)
    await work.new_channel(api, nora, provider.url, provider.token)
    await sent_posts_are_history(api, nora, photos, buffer)
    await clusters_are_curated(api, nora, photos)
    await a_gap_becomes_a_suggestion_and_a_run(api, nora)
    await another_photo_goes_out_once(api, photos["2"], buffer)


async def moved(suite: SuiteInOne, dump: Path, files: Path) -> Any:
    """Applied until nothing waits, looked at, and dropped."""
    apply = ("apply", "--media", str(files), "--json")
    report = await migrate(suite, *apply, "--source", str(dump), code=3)
    pillar = report["pillars"]["10"]
    await migrate(suite, "assign", "13", "14", "--pillar", pillar)
    await migrate(suite, "give-up", "18", "19", "20", "--reason", "no file")
    await migrate(suite, "give-up", "905", "--table", "pipeline_runs", "--reason", "nobody's")

    said: list[Any] = []

    async def all_told() -> Any:
        report = await migrate(suite, *apply)
        said.append(report["undelivered"])
        return report if not report["undelivered"] else None

    try:
        report = await eventually(all_told, within=900, every=0.5)
    except AssertionError:
        raise AssertionError(said[-1]) from None
    assert "passed" in await migrate(suite, "gate", "--source", str(dump))
    await migrate(suite, "drop", "--confirm-backup", "backup-7")
    return report


async def sent_posts_are_history(
    api: Api, persona: str, photos: dict[str, str], buffer: Admin
) -> None:
    answer = await api.scheduler.ListPosts(scheduler.ListPostsRequest(parent=persona))
    assert {post.state for post in answer.posts} == {Post.STATE_POSTED}
    assert len(answer.posts) == 2, "one photo went out twice"
    with pytest.raises(AlreadyExists) as refused:
        await work.schedule(api, photos["1"], timedelta(days=1))
    assert refused.value.reason == "PHOTO_ALREADY_SCHEDULED"

    async def known() -> bool:
        photo = await api.catalog.GetPhoto(catalog.GetPhotoRequest(name=photos["1"]))
        names = {post.post for post in photo.posts}
        return photo.usage == Photo.USAGE_POSTED and bool(names & {p.name for p in answer.posts})

    await eventually(known, within=300)
    assert await buffer.posts() == [], "nothing was published again"


async def clusters_are_curated(api: Api, persona: str, photos: dict[str, str]) -> None:
    answer = await api.clustering.ListClusters(clustering.ListClustersRequest(parent=persona))
    found = {cluster.title: cluster for cluster in answer.clusters}
    one = found["One primary"]
    assert (one.origin, one.prompt_hint) == (Cluster.ORIGIN_CURATED, "a cup,\nsteaming")
    members = await api.clustering.ListClusterMembers(
        clustering.ListClusterMembersRequest(parent=one.name)
    )
    assert photos["1"] in {member.item for member in members.members}


async def a_gap_becomes_a_suggestion_and_a_run(api: Api, persona: str) -> None:
    request = catalog.AnalyzeGapsRequest(parent=persona)
    gaps = await api.catalog.AnalyzeGaps(request)
    assert {gap.pillar for gap in gaps.gap_report.pillars}
    batch = SuggestionBatch(count=1)
    _, suggestions = await write_suggestions(api, persona, batch, lambda _batch, _new: None)
    accepted = await api.planning.AcceptSuggestion(
        planning.AcceptSuggestionRequest(name=suggestions[0].name)
    )
    runs = await api.planning.ListRuns(planning.ListRunsRequest(parent=persona))
    assert accepted.run.name in {run.name for run in runs.runs}
    assert len(runs.runs) == 6, "five came over"


async def another_photo_goes_out_once(api: Api, photo: str, buffer: Admin) -> None:
    made = await work.schedule(api, photo, timedelta(seconds=1))
    request = scheduler.WatchPostRequest(name=made.name)
    post = [answer.post async for answer in api.scheduler.WatchPost(request)][-1]
    assert [p.state for p in post.publications] == [Publication.STATE_POSTED]
    assert len(await buffer.posts()) == 1
