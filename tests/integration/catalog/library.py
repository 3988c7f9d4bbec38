"""The catalog service on real engines, and short ways to fill it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from typing import Any

from colonnade.catalog.v1 import catalog_service_pb2 as pb
from colonnade.catalog.v1 import persona_pb2, photo_pb2, pillar_pb2
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.import_service_pb2_grpc import ImportServiceStub
from colonnade.catalog.v1.planning_service_pb2_grpc import PlanningServiceStub
from colonnade.catalog.v1.run_service_pb2_grpc import RunServiceStub
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from libs.aio import BlockingPool
from libs.blobs.objects import ObjectBlobs
from libs.db.engine import Database
from libs.ids import uuid7
from libs.rpc.paging import PageTokens
from libs.signing import Signer
from services.catalog.deps import use_cases
from services.catalog.domain.names import pillar_key
from services.catalog.domain.photo import Embedding, EmbeddingState, Photo, Picture
from services.catalog.module import CATALOG, IMPORTS, PLANNING, RUNS
from services.catalog.repository.catalog import CatalogDatabase
from services.catalog.servicers.catalog import CatalogServicer
from services.catalog.servicers.imports import ImportServicer
from services.catalog.servicers.planning import PlanningServicer
from services.catalog.servicers.runs import RunServicer
from services.catalog.settings import CatalogSettings
from services.catalog.usecases.all import UseCases
from tests.support.clock import FakeClock
from tests.support.clustering.fakes import MemoryQueue
from tests.support.pictures import encoded, waves
from tests.support.rpc import serve_all

_numbers = count(1)


@dataclass
class Library:
    """A running catalog service. Personas and pictures are new with each call."""

    stub: CatalogServiceStub
    planning: PlanningServiceStub
    imports: ImportServiceStub
    runs: RunServiceStub
    cases: UseCases
    database: Database
    catalog: CatalogDatabase
    blobs: ObjectBlobs
    clock: FakeClock
    settings: CatalogSettings
    queue: MemoryQueue

    async def persona(self, **fields: Any) -> str:
        """The name of a new persona."""
        fields.setdefault("display_name", f"Persona {next(_numbers)}")
        persona = persona_pb2.Persona(**fields)
        created = await self.stub.CreatePersona(pb.CreatePersonaRequest(persona=persona))
        return str(created.name)

    async def pillar(self, persona: str, **fields: Any) -> str:
        """The name of a new pillar."""
        fields.setdefault("display_name", f"Pillar {next(_numbers)}")
        pillar = pillar_pb2.Pillar(**fields)
        request = pb.CreatePillarRequest(parent=persona, pillar=pillar)
        return str((await self.stub.CreatePillar(request)).name)

    async def place(self) -> tuple[str, str]:
        """The names of a new persona and of a pillar of it."""
        persona = await self.persona()
        return persona, await self.pillar(persona)

    async def upload(
        self, persona: str, data: bytes | None = None, *, chunk: int = 64 * 1024, **header: Any
    ) -> pb.UploadPhotoResponse:
        """The answer to an upload, of a new picture unless ``data`` is given."""
        data = picture(next(_numbers)) if data is None else data
        pieces = (data[start : start + chunk] for start in range(0, len(data), chunk))
        return await self.send(pb.PhotoUpload(parent=persona, **header), pieces)

    async def send(self, header: pb.PhotoUpload, pieces: Iterable[bytes]) -> pb.UploadPhotoResponse:
        """The answer to a header and these chunks."""

        async def messages() -> AsyncIterator[pb.UploadPhotoRequest]:
            yield pb.UploadPhotoRequest(header=header)
            for piece in pieces:
                yield pb.UploadPhotoRequest(chunk=piece)

        return await self.stub.UploadPhoto(messages())

    async def photo(
        self, persona: str, data: bytes | None = None, **header: Any
    ) -> photo_pb2.Photo:
        """A new photo."""
        answer = await self.upload(persona, data, **header)
        assert not answer.duplicate
        return answer.photo

    async def shelve(self, pillar: str, **fields: Any) -> Photo:
        """A photo that is only a row: without bytes, in the state that ``fields`` give."""
        persona, pillar_id = pillar_key(pillar)
        id, now = uuid7(), self.clock.now()
        digest = sha256(id.encode()).hexdigest()
        picture = Picture(digest, "image/jpeg", 1000, 40, 30, digest)
        embedding = Embedding(EmbeddingState.READY, "model", "1")
        plain = Photo(persona, id, pillar_id, picture, now, now, id, embedding=embedding)
        photo = replace(plain, **fields)
        async with self.catalog.changing() as tx:
            assert await tx.photos.add(photo)
            await tx.commit()
        return photo

    async def media(
        self, photo: str, rendition: Any = 0, offset: int = 0, length: int = 0
    ) -> tuple[pb.MediaInfo, bytes, list[int]]:
        """What there is of a photo, the bytes that were asked for, and the sizes of the chunks."""
        request = pb.ReadPhotoMediaRequest(
            name=photo, rendition=rendition, offset=offset, length=length
        )
        messages = [message async for message in self.stub.ReadPhotoMedia(request)]
        chunks = [message.chunk for message in messages[1:]]
        return messages[0].info, b"".join(chunks), [len(chunk) for chunk in chunks]

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """What plain SQL answers."""
        async with self.database.transaction() as connection:
            answer = await connection.execute(text(statement), parameters)
            return list(answer) if answer.returns_rows else []

    async def events(self, subject: str) -> list[str]:
        """The types of the events about a resource that wait in the outbox, oldest first."""
        rows = await self.rows(
            "SELECT type FROM catalog.outbox WHERE subject = :subject ORDER BY id", subject=subject
        )
        return [row.type for row in rows]

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[list[str]]:
        """Collects the SQL that runs in the block."""
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(Engine, "before_cursor_execute", note)


def picture(number: int) -> bytes:
    """A small JPEG that differs from those of other numbers."""
    return encoded(waves(96, 72, number * 0.37), "JPEG", quality=90)


@asynccontextmanager
async def library(
    database: Database, blobs: ObjectBlobs, clock: FakeClock, settings: CatalogSettings
) -> AsyncIterator[Library]:
    """The service behind a real gRPC server."""
    pool = BlockingPool("decode", 2)
    queue = MemoryQueue()
    cases = use_cases(settings, database, blobs, pool, clock, queue, Signer(b"test", "photo-url"))
    tokens = PageTokens(b"test")
    catalog = CatalogDatabase(database, clock)
    services = [
        (*CATALOG, CatalogServicer(cases, tokens, clock, settings.max_bytes)),
        (*PLANNING, PlanningServicer(cases, tokens, clock, is_stopping=lambda: False)),
        (*IMPORTS, ImportServicer(cases, tokens, clock)),
        (*RUNS, RunServicer(cases, tokens, clock, settings.max_bytes)),
    ]
    try:
        async with serve_all(services) as channel:
            stub = CatalogServiceStub(channel)
            planning, imports = PlanningServiceStub(channel), ImportServiceStub(channel)
            parts = (cases, database, catalog, blobs, clock, settings, queue)
            yield Library(stub, planning, imports, RunServiceStub(channel), *parts)
    finally:
        pool.close()
