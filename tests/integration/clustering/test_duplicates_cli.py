"""``colonnade duplicates`` against the service, as people type it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    add_CatalogServiceServicer_to_server,
)
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoResult
from colonnade.clustering.v1.duplicate_service_pb2_grpc import (
    add_DuplicateServiceServicer_to_server,
)
from PIL import Image
from typer.testing import CliRunner

from cli import output
from cli.main import app
from libs.blobs.objects import ObjectBlobs
from libs.rpc.auth import Authenticator
from libs.rpc.contracts import SERVICES
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.verdict import Thresholds
from services.clustering.module import DUPLICATES
from services.clustering.repository.store import PostgresStore
from services.clustering.servicers.duplicates import DuplicateParts, DuplicateServicer
from tests.support.clustering.gallery import Gallery
from tests.support.clustering.photos import NOON, axis, key_of, tilted, updated
from tests.support.scenes import scene

WIDTH = 80


class Photos(CatalogServiceServicer):
    """What the command asks the catalog for; archiving tells the clustering service."""

    def __init__(self, gallery: Gallery, blobs: ObjectBlobs) -> None:
        self._gallery = gallery
        self._blobs = blobs

    async def GetPhoto(self, request: Any, context: Any) -> Photo:
        return Photo(name=request.name, source_path=f"summer/{request.name[-4:]}.jpg")

    async def ReadPhotoMedia(self, request: Any, context: Any) -> AsyncIterator[Any]:
        data = await self._blobs.get(key_of(request.name))
        yield catalog.ReadPhotoMediaResponse(info=catalog.MediaInfo(mime_type="image/jpeg"))
        yield catalog.ReadPhotoMediaResponse(chunk=data)

    async def BatchArchivePhotos(self, request: Any, context: Any) -> Any:
        for name in request.names:
            (error,) = await self._gallery.desk.errors(updated(name, archived=True))
            assert error is None
        results = [PhotoResult(photo=Photo(name=name)) for name in request.names]
        return catalog.BatchArchivePhotosResponse(results=results)


@dataclass(frozen=True, slots=True)
class Shell:
    """Types ``colonnade duplicates …`` into a terminal of 80 columns."""

    address: str

    async def says(self, *words: str, code: int = 0) -> str:
        """What is printed for people, without its line breaks."""
        text = await self._run(words, code)
        assert max(map(len, text.splitlines()), default=0) <= WIDTH, text
        return text.replace("\n", "")

    async def json(self, *words: str) -> Any:
        """What is printed for programs."""
        return json.loads(await self._run([*words, "--json"], 0))

    async def _run(self, words: Any, code: int) -> str:
        environment = {"COLONNADE_ADDRESS": self.address}
        ran = await asyncio.to_thread(
            CliRunner().invoke, app, ["duplicates", *words], env=environment
        )
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        return ran.output


@pytest.fixture
async def shell(
    gallery: Gallery,
    store: PostgresStore,
    index: QdrantIndex,
    blobs: ObjectBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Shell]:
    parts = DuplicateParts(
        store, index, gallery.eyes, gallery.desk.clock, PageTokens(b"secret"), Thresholds()
    )
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(DUPLICATES, add_DuplicateServiceServicer_to_server, DuplicateServicer(parts))
    photos = cast("Any", Photos)(gallery, blobs)  # of its methods only some are asked
    server.add(SERVICES["catalog"][0], add_CatalogServiceServicer_to_server, photos)
    address = f"unix:{tmp_path / 'suite.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


async def test_from_finding_to_resolving(gallery: Gallery, shell: Shell, tmp_path: Path) -> None:
    assert "no duplicates" in await shell.says("list", gallery.scope)
    picture = scene(1)
    original = await gallery.add(picture, vector=axis(0))
    mirrored = await gallery.add(
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 225))
    )
    shot = await gallery.add(scene(2), vector=tilted(0, 0.95, 1))
    assert "3 photos are still to be compared" in await shell.says("list", gallery.scope)
    await gallery.compare()

    sheet = tmp_path / "sheet.png"
    shown = await shell.says("list", gallery.scope, "--sheet", str(sheet))
    for text in ("duplicate", "burst", "keep: pixels", "mirrored", "/136", "0.950"):
        assert text in shown
    with Image.open(sheet) as drawn:
        assert drawn.width > 1000
    preview = await shell.says("list", gallery.scope, "--preview")
    assert "duplicate  1 sets, 1 photos" in preview
    none = await shell.json("list", gallery.scope, "--min-cosine", "1", "--min-structure", "1")
    assert [each["verdict"] for each in none] == ["DUPLICATE_VERDICT_VARIANT"]

    assert "duplicate: details" in await shell.says("show", original, mirrored)
    ids = [photo.rpartition("/")[2] for photo in (original, shot)]
    noted = await shell.says("review", *ids, "--different", "--persona", gallery.scope)
    assert "noted: different" in noted
    assert "different" in await shell.says("reviews", gallery.scope)
    assert "1 reviewed pairs: precision -, recall -" in await shell.says("check", gallery.scope)

    (found,) = await shell.json("list", gallery.scope)
    assert (found["keeper"]["photo"], len(found["others"])) == (original, 1)
    words = ["--persona", gallery.scope, "--keep", mirrored]
    assert "0 sets" in await shell.says("resolve", "none-such", *words, code=2)
    done = await shell.json("resolve", found["name"][-8:], *words)
    assert done == {"kept": mirrored, "archived": [original]}
    assert "no duplicates" in await shell.says("list", gallery.scope)
    assert "precision 100.0%, recall 100.0%" in await shell.says("check", gallery.scope)

    assert "forgotten" in await shell.says("forget", original, shot)
    assert "nothing was decided" in await shell.says("forget", original, shot, code=2)


async def test_what_is_missing_is_named(gallery: Gallery, shell: Shell) -> None:
    one, other = await gallery.add(scene(1)), await gallery.add(scene(2), time=NOON)
    assert "--same" in await shell.says("review", one, other, code=2)
    assert "--persona" in await shell.says(
        "review", one.rpartition("/")[2], other, "--same", code=2
    )
    id = one.rpartition("/")[2]
    missing = f"{gallery.scope}/duplicateSets/duplicate-{id}"
    assert "not found" in await shell.says("resolve", missing, code=1)
