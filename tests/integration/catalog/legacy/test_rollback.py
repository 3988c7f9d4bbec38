"""The way back, as long as the account is there; and what stays because people touched it."""

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import photo_pb2
from colonnade.events.v1 import event_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from libs.db.migrate import current, downgrade, upgrade
from services.catalog.consumers import Consumers
from services.catalog.deps import MIGRATIONS
from services.catalog.domain.names import photo_key
from services.catalog.domain.photo import PostUse
from services.catalog.tables import SCHEMA
from services.catalog.usecases.facts import FactCases
from tests.integration.catalog.legacy.conftest import Move
from tests.integration.catalog.legacy.test_migrating import by_id
from tests.integration.catalog.test_consumers import event

TABLES = ("personas", "pillars", "photos", "runs", "post_uses")


async def counts(move: Move) -> dict[str, int]:
    return {table: await move.count(table) for table in TABLES}


async def test_a_rollback_leaves_the_catalog_as_it_was(move: Move) -> None:
    persona, _ = await move.lib.place()
    await move.lib.photo(persona)
    before = await counts(move)
    report = await move.apply()
    held = report["photos"] and by_id(report)["6"]["name"]
    left = await move.steps().rollback()
    (text,) = [text for text in left if text.startswith("photos")]
    assert text.startswith(f"photos 6: a post that is not out yet uses {held} ("), (
        "a provider holds it and will send it"
    )
    assert text.endswith("; cancel the post first")
    after = await counts(move)
    assert after["photos"] == before["photos"] + 1
    assert after["personas"] == before["personas"] + 1
    assert after["pillars"] == before["pillars"] + 1


async def test_without_a_post_under_way_nothing_stays(move: Move) -> None:
    move.legacy.run("DELETE FROM scheduling_posts WHERE id = 504")
    persona, _ = await move.lib.place()
    await move.lib.photo(persona)
    before = await counts(move)
    await move.apply()
    move.clustering.members.clear()
    assert await move.steps().rollback() == []
    assert await counts(move) == before
    assert move.clustering.clusters == {}
    states = (await move.steps().status())["tables"]
    assert {state for found in states.values() for state in found} <= {"STAGED"}
    await move.apply()
    assert (await counts(move))["photos"] == before["photos"] + 13


async def test_what_people_touched_stays_and_is_told(move: Move) -> None:
    move.legacy.run("DELETE FROM scheduling_posts WHERE id = 504")
    report = await move.apply()
    names = {id: photo["name"] for id, photo in by_id(report).items()}
    mask = FieldMask(paths=["caption"])
    changed = photo_pb2.Photo(name=names["4"], caption="by hand")
    await move.lib.stub.UpdatePhoto(pb.UpdatePhotoRequest(photo=changed, update_mask=mask))
    await move.lib.stub.MovePhoto(
        pb.MovePhotoRequest(name=names["3"], pillar=report["pillars"]["10"])
    )
    facts = FactCases(move.lib.catalog, move.lib.clock, move.lib.cases.filing)
    key = photo_key(names["11"])
    await facts.post_changed("e", key, "personas/nora/posts/x", PostUse("SCHEDULED"), 1)
    embedded = event_pb2.PhotoEmbedded(
        photo=names["12"], model="m", revision="1", scene=names["12"]
    )
    await Consumers(facts).embedded(event(embedded))
    left = await move.steps().rollback()
    photos = [text for text in left if text.startswith("photos")]
    assert [text.split(":")[0] for text in photos] == ["photos 11", "photos 3", "photos 4"]
    assert await move.count("photos") == 3, "an embedding is nobody's change"
    again = by_id(await move.apply())
    assert again["4"]["name"] == names["4"]
    assert await move.count("photos") == 13


async def test_photos_that_were_there_before_stay_posted(move: Move) -> None:
    """A rollback must not offer again what went out."""
    report = await move.apply()
    name = by_id(report)["1"]["name"]
    await move.lib.rows("UPDATE catalog.legacy_rows SET made = false WHERE target = :n", n=name)
    await move.steps().rollback()
    found = await move.lib.stub.GetPhoto(pb.GetPhotoRequest(name=name))
    assert found.usage == photo_pb2.Photo.USAGE_POSTED


async def test_down_and_up_keeps_the_account_until_it_is_dropped(
    move: Move, catalog_url: str
) -> None:
    """Expand, back, expand again on a filled database."""
    before = await move.apply()
    head = current(catalog_url, SCHEMA)
    await move.lib.database.close()
    downgrade(catalog_url, SCHEMA, MIGRATIONS, "0006")
    assert await move.count("photos") == 13, "what was migrated is not touched"
    upgrade(catalog_url, SCHEMA, MIGRATIONS)
    assert current(catalog_url, SCHEMA) == head
    after = await move.steps().status()
    assert by_id(after) == by_id(before)
    assert after["tables"] == before["tables"]
    waiting = [id for id, photo in by_id(after).items() if photo["state"] == "QUARANTINED"]
    await move.steps().give_up("photos", waiting, "for the test")
    await move.steps().give_up("pipeline_runs", ["905"], "for the test")
    assert (await move.steps().gate(None)).passed
    await move.steps().drop("backup-7")
    downgrade(catalog_url, SCHEMA, MIGRATIONS, "0006")
    kept = await move.lib.rows("SELECT to_regclass('catalog.kept_legacy_rows') AS name")
    assert kept[0].name is None, "there is nothing left to keep"
    upgrade(catalog_url, SCHEMA, MIGRATIONS)


@pytest.mark.parametrize("state", ["LOST", "done"])
async def test_the_account_is_guarded_by_the_database(move: Move, state: str) -> None:
    await move.apply()
    with pytest.raises(Exception, match="legacy_rows_state_check"):
        await move.lib.rows("UPDATE catalog.legacy_rows SET state = :state", state=state)
