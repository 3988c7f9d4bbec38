"""The scheduler beside the real catalog, with the events that each tells the other."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.campaign_pb2 import Campaign
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import Photo, UsageRights
from colonnade.events.v1 import event_pb2
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from google.protobuf.field_mask_pb2 import FieldMask

from libs.blobs.objects import open_blobs
from libs.db.migrate import upgrade
from libs.errors import FailedPrecondition
from libs.events.stream import Event, Subscription
from services.catalog.consumers import Consumers
from services.catalog.deps import MIGRATIONS
from services.catalog.settings import CatalogSettings
from services.catalog.tables import SCHEMA
from services.catalog.usecases.facts import FactCases
from tests.integration.catalog.library import Library, library
from tests.support.clock import FakeClock
from tests.support.engines import Databases, patient
from tests.support.scheduler_world import Stage, World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="package")

NORA = "personas/nora"


@dataclass
class Both:
    """The two services."""

    world: World
    lib: Library
    heard: set[str] = field(default_factory=set)

    async def talk(self) -> None:
        """What each has told reaches the other."""
        cases = FactCases(self.lib.catalog, self.lib.clock, self.lib.cases.filing)
        facts = Consumers(cases)
        outbox = "SELECT event_id, type, subject, payload FROM {}.outbox ORDER BY id"
        await self._deliver(await self.lib.rows(outbox.format("catalog")), self.world.handlers)
        await self._deliver(await self.world.sql(outbox.format("scheduler")), facts.of_posts())

    async def _deliver(self, rows: list[Any], handlers: Mapping[str, Subscription]) -> None:
        for row in rows:
            if row.type in handlers and row.event_id not in self.heard:
                self.heard.add(row.event_id)
                event = Event(
                    row.event_id, row.type, row.subject, "", row.payload, datetime.now(UTC)
                )
                await handlers[row.type].handler([event])

    async def photo(self) -> str:
        """A new photo that is usable."""
        return (await self.lib.photo(NORA, pillar=f"{NORA}/pillars/light")).name

    async def set_rights(self, photo: str, rights: UsageRights) -> None:
        changed = Photo(name=photo, rights=rights)
        mask = FieldMask(paths=["rights"])
        await self.lib.stub.UpdatePhoto(catalog.UpdatePhotoRequest(photo=changed, update_mask=mask))
        await self.talk()

    async def usage(self, photo: str) -> str:
        found = await self.lib.stub.GetPhoto(catalog.GetPhotoRequest(name=photo))
        return Photo.Usage.Name(found.usage).removeprefix("USAGE_")

    async def unscheduled(self) -> list[str]:
        request = pb.ListUnscheduledPhotosRequest(parent=NORA, order_by="create_time")
        return [p.name for p in (await self.world.stub.ListUnscheduledPhotos(request)).photos]


@pytest_asyncio.fixture(loop_scope="package")
async def both(stage: Stage, databases: Databases, tmp_path: Path) -> AsyncIterator[Both]:
    def prepare(url: str) -> None:
        upgrade(url, SCHEMA, MIGRATIONS)

    database = patient(databases.fresh(SCHEMA, prepare))
    blobs = open_blobs(f"file://{tmp_path}/catalog")
    settings = CatalogSettings()
    async with library(database, blobs, FakeClock(), settings) as lib:
        persona = Persona(display_name="Nora")
        await lib.stub.CreatePersona(
            catalog.CreatePersonaRequest(persona=persona, persona_id="nora")
        )
        await lib.pillar(NORA, display_name="Light")
        async with open_world(replace(stage, catalog_stub=lib.stub), tmp_path) as world:
            await world.connect()
            yield Both(world, lib)
    await database.close()


async def test_an_expired_licence_reaches_the_posts_and_so_does_its_renewal(both: Both) -> None:
    photo = await both.photo()
    post = await both.world.schedule(photo, after=900)
    await both.talk()
    await both.world.work()
    assert await both.usage(photo) == "SCHEDULED"
    expired = UsageRights()
    expired.expire_time.FromDatetime(both.world.now() + timedelta(seconds=60))
    await both.set_rights(photo, expired)
    [publication] = (await both.world.get(post)).publications
    assert publication.error.reason == "RIGHTS_HELD"
    await both.world.pass_time(1800, step=120)
    assert (await both.world.buffer.admin.calls())["received"] == 0
    await both.set_rights(photo, UsageRights())
    await both.world.pass_time(120)
    await both.talk()
    assert (await both.world.get(post)).state == Post.STATE_POSTED
    assert len(await both.world.buffer.admin.posts()) == 1
    assert await both.usage(photo) == "POSTED"


async def test_an_unscheduled_photo_leaves_at_once_and_returns_after_a_cancel(both: Both) -> None:
    photos = [await both.photo() for _ in range(3)]
    assert await both.unscheduled() == photos
    post = await both.world.schedule(photos[0])
    assert await both.usage(photos[0]) == "UNUSED"
    assert await both.unscheduled() == photos[1:]
    await both.talk()
    assert await both.usage(photos[0]) == "SCHEDULED"
    assert await both.unscheduled() == photos[1:]
    await both.world.stub.CancelPost(pb.CancelPostRequest(name=post.name))
    await both.talk()
    assert await both.unscheduled() == photos


async def test_an_archived_photo_is_neither_listed_nor_scheduled(both: Both) -> None:
    photo, other = await both.photo(), await both.photo()
    await both.lib.stub.ArchivePhoto(catalog.ArchivePhotoRequest(name=photo))
    assert await both.unscheduled() == [other]
    with pytest.raises(FailedPrecondition, match="is archived") as caught:
        await both.world.schedule(photo)
    assert (caught.value.reason, caught.value.metadata["rule"]) == ("RIGHTS", "ARCHIVED")
    await both.lib.stub.UnarchivePhoto(catalog.UnarchivePhotoRequest(name=photo))
    await both.talk()
    assert (await both.world.schedule(photo)).state == Post.STATE_SCHEDULED


async def test_a_past_post_spends_its_photo(both: Both) -> None:
    photo = await both.photo()
    request = pb.ImportPostsRequest(parent=NORA)
    past = request.posts.add(external_id="old", photo=photo)
    past.posted_time.FromDatetime(datetime(2024, 5, 1, tzinfo=UTC))
    [result] = (await both.world.stub.ImportPosts(request)).results
    assert result.post.publications[0].state == Publication.STATE_POSTED
    await both.talk()
    assert await both.usage(photo) == "POSTED"
    assert await both.unscheduled() == []


async def test_an_imported_campaign_becomes_posts_that_a_photo_completes(both: Both) -> None:
    campaign = Campaign(display_name="Spring")
    for number in (1, 2):
        post = campaign.posts.add(
            pillar="light", title=f"Light {number}", caption=f"c{number}", hashtags=["#tea"]
        )
        post.scheduled_time.FromDatetime(both.world.now() + timedelta(days=number))
    made = await both.lib.planning.ImportCampaign(
        planning.ImportCampaignRequest(parent=NORA, campaign=campaign)
    )
    await both.talk()
    request = pb.ListPostsRequest(
        parent=NORA, filter=f'campaign = "{made.campaign.name}"', order_by="scheduled_time"
    )
    posts = (await both.world.stub.ListPosts(request)).posts
    assert [post.state for post in posts] == [Post.STATE_AWAITING_IMAGE] * 2
    assert [post.final_text for post in posts] == ["c1\n\n#tea", "c2\n\n#tea"]
    assert [post.suggestion for post in posts] == [p.suggestion for p in made.campaign.posts]
    photo = await both.photo()
    message = event_pb2.PhotoCreated(photo=photo, suggestion=posts[0].suggestion)
    event = Event("1", "photo.created", photo, "", message.SerializeToString(), datetime.now(UTC))
    await both.world.hear(event)
    first = await both.world.get(posts[0])
    assert (first.state, first.photo) == (Post.STATE_SCHEDULED, photo)
    await both.talk()
    assert await both.usage(photo) == "SCHEDULED"
