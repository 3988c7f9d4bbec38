"""Photos without a pillar wait in a list until somebody names one, over gRPC as well."""

from collections.abc import AsyncIterator

import pytest
from colonnade.catalog.v1 import migration_service_pb2 as pb
from colonnade.catalog.v1.migration_service_pb2_grpc import MigrationServiceStub

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.rpc.paging import PageTokens
from services.catalog.legacy.account import Account
from services.catalog.legacy.quarantine import Quarantine
from services.catalog.module import MIGRATION
from services.catalog.servicers.migration import MigrationServicer
from tests.integration.catalog.legacy.conftest import Move
from tests.integration.catalog.legacy.test_migrating import by_id
from tests.support.rpc import serve_all


@pytest.fixture
async def migration(move: Move) -> AsyncIterator[MigrationServiceStub]:
    account = Account(move.lib.database, move.lib.clock)
    servicer = MigrationServicer(Quarantine(account, move.lib.catalog), PageTokens(b"s"))
    async with serve_all([(*MIGRATION, servicer)]) as channel:
        yield MigrationServiceStub(channel)


async def waiting(migration: MigrationServiceStub, size: int = 0) -> list[pb.QuarantinedPhoto]:
    found: list[pb.QuarantinedPhoto] = []
    token = ""
    while True:
        request = pb.ListQuarantinedPhotosRequest(page_size=size, page_token=token)
        page = await migration.ListQuarantinedPhotos(request)
        found.extend(page.quarantined_photos)
        token = page.next_page_token
        if not token:
            return found


def names(*ids: str) -> list[str]:
    return [f"quarantinedPhotos/{id}" for id in ids]


async def test_the_list_empties_after_assignment_and_the_gate_passes(
    move: Move, migration: MigrationServiceStub
) -> None:
    assert await waiting(migration) == []
    report = await move.apply()
    expected = [p["photo"] for p in report["photos"] if p["state"] == "QUARANTINED"]
    found = await waiting(migration)
    assert [photo.name for photo in found] == names(*sorted(expected))
    assert {"13", "14"} < set(expected)
    for photo in found:
        told = by_id(report)[photo.name.partition("/")[2]]
        assert (photo.path, photo.reason, photo.message) == (
            told["path"],
            told["reason"],
            told["message"],
        )
    pillar = report["pillars"]["10"]
    request = pb.AssignQuarantinedPhotosRequest(names=names("13", "14"), pillar=pillar)
    for _ in range(2):
        assert (await migration.AssignQuarantinedPhotos(request)).assigned_count == 2
    chosen = {photo.name: photo.pillar for photo in await waiting(migration)}
    assert {chosen[name] for name in names("13", "14")} == {pillar}
    photos = by_id(await move.apply())
    assert {photos[id]["state"] for id in ("13", "14")} == {"DONE"}
    left = [photo.name.partition("/")[2] for photo in await waiting(migration)]
    assert left == sorted(set(expected) - {"13", "14"})
    await move.steps().give_up("photos", left, "there is no file")
    await move.steps().give_up("pipeline_runs", ["905"], "nobody's")
    assert await waiting(migration) == []
    assert (await move.steps().gate(move.source)).passed


async def test_pages_hold_each_once(move: Move, migration: MigrationServiceStub) -> None:
    await move.apply()
    assert await waiting(migration, 1) == await waiting(migration)


async def test_what_is_wrong_is_named(move: Move, migration: MigrationServiceStub) -> None:
    pillar = "personas/nora/pillars/none"
    request = pb.AssignQuarantinedPhotosRequest(names=names("13"), pillar=pillar)
    with pytest.raises(FailedPrecondition) as refused:
        await migration.AssignQuarantinedPhotos(request)
    assert refused.value.reason == "NO_MIGRATION"
    report = await move.apply()
    with pytest.raises(NotFound):
        await migration.AssignQuarantinedPhotos(request)
    request = pb.AssignQuarantinedPhotosRequest(
        names=names("13", "2"), pillar=report["pillars"]["10"]
    )
    with pytest.raises(InvalidArgument, match="do not wait for a decision: 2"):
        await migration.AssignQuarantinedPhotos(request)
