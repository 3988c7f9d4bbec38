"""The main job from one end to the other: a folder of pictures becomes a planned, published feed.

One test, in both shapes of the suite; its steps are the functions below it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.gap_report_pb2 import GapRecommendation, PillarGap
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1.cluster_pb2 import Cluster
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from colonnade.type.v1.job_pb2 import JobState

from cli.clusters import all_clusters
from cli.connection import Suite as Api
from cli.connection import connect
from cli.importer import Report, Result
from libs.errors import AlreadyExists, FailedPrecondition
from tests.e2e import over_rest, work
from tests.e2e.conftest import Library, Provider
from tests.support.buffer import Admin
from tests.support.harness import Suite
from tests.support.wait import eventually

HELD_BACK = 6


@dataclass
class Story:
    """What one run of the scenario works on."""

    api: Api
    library: Library
    persona: str
    photos: dict[str, Photo] = field(default_factory=dict)

    @property
    def late(self) -> list[str]:
        """The pictures that come later: the last originals."""
        return [picture.path for picture in self.library.of("original")[-HELD_BACK:]]

    @property
    def early(self) -> list[str]:
        """The pictures that come first, damaged ones among them."""
        late = set(self.late)
        return [p.path for p in self.library.pictures if p.path not in late]

    def remember(self, photos: list[Photo]) -> None:
        """Keeps the photos by the path that they came from."""
        self.photos = {photo.source_path: photo for photo in photos}


async def test_from_a_folder_to_a_feed(
    suite: Suite, library: Library, provider: Provider, buffer: Admin
) -> None:
    async with connect(suite.target) as api:
        story = Story(api, library, await work.new_persona(api, f"Nora {suite.shape}"))
        await work.new_pillar(api, story.persona, "Journeys", 40)
        await the_folder_is_imported_and_each_file_accounted_for(story)
        await importing_again_stores_nothing(story)
        await near_duplicates_are_found(story)
        first = await the_photos_are_grouped_while_somebody_watches(story)
        await later_photos_join_and_clusters_keep_their_names(story, first)
        await the_gap_report_shows_the_empty_pillar(story)
        await a_channel_is_connected_and_its_key_is_not_shown(story, provider)
        async with httpx.AsyncClient(base_url=suite.http, headers=suite.headers, timeout=60) as web:
            post = await a_post_that_is_due_goes_out_once(story, buffer, web)
            await a_photo_is_scheduled_once_unless_its_post_is_called_off(story, post)
            await all_of_it_is_there_over_rest(story, web)


async def the_folder_is_imported_and_each_file_accounted_for(story: Story) -> None:
    folder = story.library.folder
    report = await work.import_some(story.api, story.persona, folder, story.early)
    assert sorted(line.path for line in report.lines) == sorted(story.early)
    assert report.count(Result.DUPLICATE) == len(story.library.of("exact-duplicate"))
    damaged = {picture.path for picture in story.library.of("damaged")}
    refused = {line.path: line for line in report.lines if line.result is Result.FAILED}
    assert refused.keys() == damaged
    assert {line.code for line in refused.values()} == {"DAMAGED_IMAGE", "UNSUPPORTED_IMAGE"}
    assert all(line.message for line in refused.values())
    story.remember(await work.embedded(story.api, story.persona))
    assert len(story.photos) == report.count(Result.IMPORTED) == imported_at_first(story)


def imported_at_first(story: Story) -> int:
    kinds = [p.kind for p in story.library.pictures if p.path in set(story.early)]
    return sum(kind not in ("damaged", "exact-duplicate") for kind in kinds)


async def importing_again_stores_nothing(story: Story) -> None:
    before = {photo.name for photo in story.photos.values()}
    report = await work.import_some(story.api, story.persona, story.library.folder, story.early)
    assert report.count(Result.IMPORTED) == 0
    assert_photos_are_known(report, before)
    assert {p.name for p in await work.photos_of(story.api, story.persona)} == before


def assert_photos_are_known(report: Report, known: set[str]) -> None:
    assert {line.photo for line in report.lines if line.result is Result.DUPLICATE} == known


async def near_duplicates_are_found(story: Story) -> None:
    request = clustering.FindDuplicatesRequest(parent=story.persona)
    answer = await story.api.clustering.FindDuplicates(request)
    groups = [{g.keeper, *(d.item for d in g.duplicates)} for g in answer.groups]
    for edited in story.library.of("near-duplicate"):
        pair = {story.photos[path].name for path in (edited.path, original_of(story, edited.of))}
        assert any(pair <= group for group in groups), f"{edited.path} is not found"
    burst = {story.photos[picture.path].name for picture in story.library.of("burst")}
    assert any(burst <= group for group in groups)


def original_of(story: Story, path: str | None) -> str:
    """The path under which the bytes of ``path`` came first; its exact copies lost that race."""
    same = [p.path for p in story.library.of("exact-duplicate") if p.of == path]
    return next(candidate for candidate in (path, *same) if candidate in story.photos)


async def run_and_watch(story: Story) -> list[ClusteringRun]:
    """Asks for a run and gives every snapshot of it, from the first to the last."""
    run = await story.api.clustering.CreateClusteringRun(
        clustering.CreateClusteringRunRequest(parent=story.persona)
    )
    request = clustering.WatchClusteringRunRequest(name=run.name)
    answers = [answer async for answer in story.api.clustering.WatchClusteringRun(request)]
    assert [answer.sequence for answer in answers] == list(range(1, len(answers) + 1))
    snapshots = [answer.clustering_run for answer in answers]
    assert snapshots[-1].state == JobState.JOB_STATE_SUCCEEDED, snapshots[-1].error
    return snapshots


async def clusters_of(story: Story) -> dict[str, Cluster]:
    return {c.name: c for c in await all_clusters(story.api, story.persona)}


async def the_photos_are_grouped_while_somebody_watches(story: Story) -> dict[str, Cluster]:
    last = (await run_and_watch(story))[-1]
    clusters = await clusters_of(story)
    assert last.stats.items == len(story.photos)
    assert len(clusters) == last.stats.clusters == last.stats.born >= 3
    assert sum(c.member_count for c in clusters.values()) == last.stats.clustered
    known = {photo.name for photo in story.photos.values()}
    for cluster in clusters.values():
        assert cluster.title
        members = await members_of(story, cluster)
        assert len(members) == cluster.member_count
        assert cluster.hero.item in members <= known
    return clusters


async def members_of(story: Story, cluster: Cluster) -> set[str]:
    request = clustering.ListClusterMembersRequest(parent=cluster.name, page_size=200)
    page = await story.api.clustering.ListClusterMembers(request)
    return {member.item for member in page.members}


async def places_of(story: Story, clusters: Mapping[str, Cluster]) -> dict[str, str]:
    """The cluster of each photo, as it was when these clusters were looked at."""
    places = {}
    for cluster in clusters.values():
        request = clustering.ListClusterMembersRequest(
            parent=cluster.name, page_size=200, version=cluster.version
        )
        page = await story.api.clustering.ListClusterMembers(request)
        places |= {member.item: cluster.name for member in page.members}
    return places


async def later_photos_join_and_clusters_keep_their_names(
    story: Story, first: Mapping[str, Cluster]
) -> None:
    report = await work.import_some(story.api, story.persona, story.library.folder, story.late)
    assert report.count(Result.IMPORTED) == HELD_BACK
    story.remember(await work.embedded(story.api, story.persona))
    last = (await run_and_watch(story))[-1]
    assert last.stats.items == len(story.photos)
    second = await clusters_of(story)
    before, after = await places_of(story, first), await places_of(story, second)
    kept = sum(after.get(item) == name for item, name in before.items())
    # A tenth more in so small a library has everything grouped anew.
    assert kept >= 0.8 * len(before), "a few more photos do not rename what was there"
    unchanged = (await run_and_watch(story))[-1]
    assert unchanged.stats.noop
    assert (await clusters_of(story)).keys() == second.keys()


async def the_gap_report_shows_the_empty_pillar(story: Story) -> None:
    answer = await story.api.catalog.AnalyzeGaps(
        catalog.AnalyzeGapsRequest(parent=story.persona, horizon_days=30)
    )
    gaps = {gap.display_name: gap for gap in answer.gap_report.pillars}
    assert set(gaps) == {"Everyday", "Journeys"}
    assert gaps["Everyday"].supply.total == gaps["Everyday"].supply.usable == len(story.photos)
    assert gaps["Everyday"].supply.effective < gaps["Everyday"].supply.usable
    empty = gaps["Journeys"]
    assert empty.supply.total == 0
    assert empty.status == PillarGap.STATUS_EXHAUSTED
    assert empty.priority == PillarGap.PRIORITY_HIGH
    assert answer.gap_report.pillars[0] == empty, "the largest gap comes first"
    advice = answer.gap_report.recommendations[0]
    assert GapRecommendation.REASON_NONE_YET in advice.reasons
    assert "Journeys" in advice.explanation


async def a_channel_is_connected_and_its_key_is_not_shown(story: Story, provider: Provider) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        await work.new_channel(story.api, story.persona, provider.url, "not-the-key")
    assert refused.value.reason == "CREDENTIALS_REFUSED"
    channel = await work.new_channel(story.api, story.persona, provider.url, provider.token)
    assert channel.service == "instagram"
    request = scheduler.GetChannelRequest(name=channel.name)
    for shown in (channel, await story.api.scheduler.GetChannel(request)):
        assert shown.access_token == ""


async def a_post_that_is_due_goes_out_once(
    story: Story, buffer: Admin, web: httpx.AsyncClient
) -> Post:
    # Instagram takes pictures from 4:5 to 1.91:1; the library has narrower ones too.
    narrow = next(p for p in story.photos.values() if p.width / p.height < 0.8)
    with pytest.raises(FailedPrecondition) as refused:
        await work.schedule(story.api, narrow.name, timedelta(seconds=1))
    assert refused.value.reason == "PHOTO_RATIO"
    photo = postable(story)[0]
    made = await work.schedule(story.api, photo.name, timedelta(seconds=1))
    request = scheduler.WatchPostRequest(name=made.name)
    post = [answer.post async for answer in story.api.scheduler.WatchPost(request)][-1]
    assert post.state == Post.STATE_POSTED, post
    assert [p.state for p in post.publications] == [Publication.STATE_POSTED]
    assert post.publications[0].permalink
    (sent,) = await buffer.posts()
    assert sent["text"] == post.final_text
    assert await buffer.calls() == {"received": 1, "processed": 1}
    (fetched,) = sent["fetched"]
    assert fetched["url"].startswith(str(web.base_url.join("/m/")))
    published = (await web.get(f"/v1/{photo.name}/publish")).content
    assert fetched["sha256"] == hashlib.sha256(published).hexdigest()
    return post


def postable(story: Story) -> list[Photo]:
    """Photos that Instagram takes, none of which is a copy of another."""
    originals = {picture.path for picture in story.library.of("original")}
    return [
        photo
        for path, photo in story.photos.items()
        if path in originals and work.is_postable(photo.width, photo.height)
    ]


async def a_photo_is_scheduled_once_unless_its_post_is_called_off(story: Story, post: Post) -> None:
    with pytest.raises(AlreadyExists) as refused:
        await work.schedule(story.api, post.photo, timedelta(days=2))
    assert refused.value.reason == "PHOTO_ALREADY_SCHEDULED"
    assert (refused.value.name, refused.value.metadata["state"]) == (post.name, "POSTED")
    other = next(p for p in postable(story) if p.name != post.photo)
    waiting = await work.schedule(story.api, other.name, timedelta(days=2))
    await usage_becomes(story, other.name, Photo.USAGE_SCHEDULED)
    await story.api.scheduler.CancelPost(scheduler.CancelPostRequest(name=waiting.name))
    await usage_becomes(story, other.name, Photo.USAGE_UNUSED)
    await usage_becomes(story, post.photo, Photo.USAGE_POSTED)
    again = await work.schedule(story.api, other.name, timedelta(days=3))
    assert again.state == Post.STATE_SCHEDULED
    await usage_becomes(story, other.name, Photo.USAGE_SCHEDULED)


async def usage_becomes(story: Story, photo: str, usage: "Photo.Usage.ValueType") -> None:
    """Waits until the catalog has heard from the scheduler."""

    async def so() -> bool:
        found = await story.api.catalog.GetPhoto(catalog.GetPhotoRequest(name=photo))
        return found.usage == usage

    await eventually(so, within=300)


async def all_of_it_is_there_over_rest(story: Story, web: httpx.AsyncClient) -> None:
    photos = await work.photos_of(story.api, story.persona)
    await over_rest.lists_give_every_photo_once(web, photos)
    await over_rest.a_photo_is_the_same_message(web, photos[0])
    await over_rest.its_bytes_are_served_whole_and_in_parts(web, photos[0])
    request = clustering.ListClusteringRunsRequest(parent=story.persona)
    runs = (await story.api.clustering.ListClusteringRuns(request)).clustering_runs
    await over_rest.a_run_can_be_watched_as_events_and_as_lines(web, runs[0].name)
    await over_rest.errors_have_one_shape(web, story.persona)
    await over_rest.the_document_is_valid_and_complete(web)
    await over_rest.pages_and_health_are_served(web)
