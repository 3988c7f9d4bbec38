"""``colonnade search`` and ``colonnade generations`` against the services, as people type them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    add_CatalogServiceServicer_to_server,
)
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.clustering.v1.generation_service_pb2_grpc import (
    add_GenerationServiceServicer_to_server,
)
from colonnade.clustering.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from colonnade.embedding.v1 import embedding_service_pb2 as embedding
from typer.testing import CliRunner

from cli import output
from cli.main import app
from libs.rpc.auth import Authenticator
from libs.rpc.contracts import SERVICES
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from services.clustering.module import GENERATIONS, SEARCH
from services.clustering.servicers.generations import GenerationParts, GenerationServicer
from services.clustering.servicers.search import SearchServicer
from services.clustering.usecases.filling import fill_generation
from tests.support.clustering.desk import Desk
from tests.support.clustering.embedding_service import StandInEmbedding, result_message
from tests.support.clustering.fakes import MemoryQueue
from tests.support.clustering.generations import TOKENS, Models
from tests.support.clustering.photos import COLLECTION, OTHER, axis, created, tilted

WIDTH = 80


class Eyes(StandInEmbedding):
    """Sees the same in every picture that is sent."""

    async def EmbedImages(
        self, request: embedding.EmbedImagesRequest, context: Any
    ) -> embedding.EmbedImagesResponse:
        assert request.purpose == embedding.EmbedImagesRequest.PURPOSE_INTERACTIVE
        assert request.model == COLLECTION.model
        (image,) = request.images
        assert image.content == b"a picture"
        return embedding.EmbedImagesResponse(results=[result_message(axis(0))])


class Photos(CatalogServiceServicer):
    """Knows what the files of photos are called."""

    async def GetPhoto(self, request: catalog.GetPhotoRequest, _context: Any) -> Photo:
        return Photo(name=request.name, source_path=f"walks/{id_of(request.name)[-4:]}.jpg")


@dataclass(frozen=True, slots=True)
class Shell:
    """Types commands into a terminal of 80 columns."""

    environment: dict[str, str]
    stop_catalog: Callable[[], Awaitable[None]]

    async def says(self, *words: str, code: int = 0) -> str:
        """What is printed for people, complaints included, without its line breaks."""
        text = await self._run(words, code)
        assert max(map(len, text.splitlines()), default=0) <= WIDTH, text
        return text.replace("\n", "")

    async def json(self, *words: str, code: int = 0) -> Any:
        """What is printed for programs."""
        return json.loads(await self._run([*words, "--json"], code))

    async def _run(self, words: Any, code: int) -> str:
        runner = CliRunner()
        ran = await asyncio.to_thread(runner.invoke, app, [*words], env=self.environment)
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        return ran.output


@pytest.fixture
async def shell(
    desk: Desk, queue: MemoryQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    parts = GenerationParts(
        desk.store,
        queue,
        desk.embedder,
        desk.clock,
        TOKENS,
        keep=1,
        is_stopping=lambda: False,
    )
    server = RpcServer(Authenticator(), Metrics().rpc)
    server.add(GENERATIONS, add_GenerationServiceServicer_to_server, GenerationServicer(parts))
    searches = SearchServicer(desk.store, desk.index, desk.embedder, TOKENS)
    server.add(SEARCH, add_SearchServiceServicer_to_server, searches)
    address = f"unix:{tmp_path / 'clustering.sock'}"
    await server.start([address])
    eyes = Eyes(tmp_path / "embedding.sock")
    await eyes.start()
    photos = RpcServer(Authenticator(), Metrics().rpc)
    photos.add(SERVICES["catalog"][0], add_CatalogServiceServicer_to_server, Photos())
    photo_address = f"unix:{tmp_path / 'catalog.sock'}"
    await photos.start([photo_address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    peers = {"CLUSTERING": address, "EMBEDDING": eyes.address, "CATALOG": photo_address}
    environment = {f"COLONNADE_PEERS__{name}": value for name, value in peers.items()}
    yield Shell(environment, lambda: photos.stop(0))
    await photos.stop(0)
    await eyes.stop()
    await server.stop(0)


def id_of(name: str) -> str:
    return name.rpartition("/")[2]


async def test_searching(shell: Shell, desk: Desk, tmp_path: Path) -> None:
    (dogs,) = await desk.arrive([axis(0)], tags=["dogs"], path="walks/a.jpg", filed="x/pillars/y")
    (near,) = await desk.arrive([tilted(0, 0.8, 1)], tags=["beach", "dogs"], quality=0.9)
    said = await shell.says("search", desk.scope, "dog", "beaches")
    assert id_of(near) in said and "beaches dog" in said.replace("dog beaches", "beaches dog")
    assert f"walks/{id_of(near)[-4:]}.jpg" in said
    assert "reads no texts" in said
    found = await shell.json("search", desk.scope, "dog", "--tag", "beach")
    assert [hit["item"] for hit in found["hits"]] == [near]
    assert found["matchedBy"] == "MATCHED_BY_WORDS"
    said = await shell.says("search", desk.scope, "--photo", id_of(dogs))
    assert id_of(near) in said and "0.800" in said and COLLECTION.model in said
    picture = tmp_path / "like.jpg"
    picture.write_bytes(b"a picture")
    found = await shell.json("search", desk.scope, "--like", str(picture), "--min-quality", "0.5")
    assert [hit["item"] for hit in found["hits"]] == [near]
    found = await shell.json("search", desk.scope, "--like", str(picture), "--limit", "1")
    assert [hit["item"] for hit in found["hits"]] == [dogs]
    assert "there is no file" in await shell.says(
        "search", desk.scope, "--like", str(tmp_path / "none"), code=2
    )
    await shell.says("search", desk.scope, code=2)
    await shell.says("search", desk.scope, "dog", "--photo", "x", code=2)
    assert "item" in await shell.says("search", desk.scope, "--photo", "1", code=1)


async def test_photos_are_found_although_nobody_knows_their_files(shell: Shell, desk: Desk) -> None:
    (dogs,) = await desk.arrive([axis(0)], tags=["dogs"])
    await shell.stop_catalog()
    said = await shell.says("search", desk.scope, "dog")
    assert id_of(dogs) in said and "walks" not in said


async def test_a_change_of_the_model(shell: Shell, desk: Desk) -> None:
    one, other = await desk.arrive([axis(0), axis(1)], filed="food")
    models = Models(None, desk)  # type: ignore[arg-type]
    models.remodel({one: axis(0)[: OTHER.dimension], other: axis(1)[: OTHER.dimension]})
    made = await shell.json("generations", "create", "other")
    name = id_of(made["name"])
    assert "filling" in await shell.says("generations", "list")
    assert "not compared yet" in await shell.says("generations", "compare", name)
    refused = await shell.says("generations", "activate", name, code=1)
    assert "generation incomplete" in refused
    filling = asyncio.create_task(shell.says("generations", "watch", name))
    await fill_generation(models.filler(), name)
    assert "2 of 2" in await filling
    compared = await shell.says("generations", "compare", name)
    assert "photos compared            2" in compared and "same pillar 100.0%" in compared
    assert "(other)" in await shell.says("generations", "activate", name)
    new = desk.photo(axis(2))
    models.remodel({new: axis(2)[: OTHER.dimension]})
    assert await desk.errors(created(new)) == [None]
    back = await shell.says("generations", "rollback")
    assert "(test)" in back and "1 photos have no vector" in back
    assert "photos are embedded again" in await shell.says("generations", "retry")
    assert "deleted" in await shell.says("generations", "delete", name)
    assert "no earlier generation" in await shell.says("generations", "rollback", code=1)
    assert "model" in await shell.says("generations", "create", "nothing", code=1)
    (shown,) = await shell.json("generations", "list")
    assert shown["state"] == "STATE_ACTIVE"
    assert "to do" in await shell.says("generations", "show", shown["name"])
