"""A catalog service with just what the scheduler asks of it, behind the real contract."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    CatalogServiceStub,
    add_CatalogServiceServicer_to_server,
)
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import Filing, Photo, PhotoEmbedding, UsageRights
from colonnade.catalog.v1.pillar_pb2 import Pillar

from libs.errors import NotFound, Unavailable
from libs.rpc.filtering import parse_filter
from tests.support.pictures import encoded, waves
from tests.support.rpc import serve

DESCRIPTOR = catalog.DESCRIPTOR.services_by_name["CatalogService"]
CHUNK = 64 * 1024
_LISTED_BY = ("usage", "state", "pillar", "embedding.state", "filing.state")


class FakeCatalog(CatalogServiceServicer):  # type: ignore[misc]
    """Personas and photos that a test puts in; each photo has a picture of its own.

    ``is_down`` makes every call fail as a service that is away does.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """As new: empty."""
        self.personas: dict[str, Persona] = {}
        self.photos: dict[str, Photo] = {}
        self.pillars: dict[str, Pillar] = {}
        self.renditions: dict[str, bytes] = {}
        self.listed: list[Any] = []
        self.is_down = False

    def add_persona(self, id: str, state: int = Persona.STATE_ACTIVE) -> str:
        """Its name."""
        persona = Persona(name=f"personas/{id}", display_name=id.title(), state=state)
        self.personas[persona.name] = persona
        return persona.name

    def add_photo(
        self,
        persona: str = "nora",
        *,
        pillar: str = "light",
        alt_text: str = "waves of light",
        rights: UsageRights | None = None,
        sha256: str = "",
        width: int = 64,
        height: int = 48,
        **fields: Any,
    ) -> str:
        """Its name. Every photo has other bytes; ``fields`` are others of its message."""
        number = len(self.photos)
        picture = encoded(waves(width, height, shift=number / 7), "JPEG", quality=90)
        photo = Photo(
            name=f"personas/{persona}/photos/{uuid.UUID(int=number + 1)}",
            pillar=f"personas/{persona}/pillars/{pillar}",
            sha256=sha256 or hashlib.sha256(b"original" + picture).hexdigest(),
            alt_text=alt_text,
            rights=rights,
            state=Photo.STATE_ACTIVE,
            usage=Photo.USAGE_UNUSED,
            width=width,
            height=height,
            embedding=PhotoEmbedding(state=PhotoEmbedding.STATE_READY),
            filing=Filing(state=Filing.STATE_CONFIRMED),
            scene=f"personas/{persona}/photos/{uuid.UUID(int=number + 1)}",
        )
        photo.MergeFrom(Photo(**fields))
        self.photos[photo.name] = photo
        self.renditions[photo.name] = picture
        return photo.name

    def add_pillar(self, id: str, weight: int, persona: str = "nora", **fields: Any) -> str:
        """Its name."""
        pillar = Pillar(
            name=f"personas/{persona}/pillars/{id}",
            display_name=id.title(),
            weight=weight,
            state=Pillar.STATE_ACTIVE,
            **fields,
        )
        self.pillars[pillar.name] = pillar
        return pillar.name

    async def ListPillars(self, request: Any, context: Any) -> Any:
        self._answer()
        found = [p for name, p in self.pillars.items() if name.startswith(f"{request.parent}/")]
        return catalog.ListPillarsResponse(pillars=found)

    async def GetPillar(self, request: Any, context: Any) -> Pillar:
        self._answer()
        if request.name not in self.pillars:
            raise NotFound("pillar", request.name)
        return self.pillars[request.name]

    async def GetPersona(self, request: Any, context: Any) -> Persona:
        self._answer()
        if request.name not in self.personas:
            raise NotFound("persona", request.name)
        return self.personas[request.name]

    async def GetPhoto(self, request: Any, context: Any) -> Photo:
        self._answer()
        if request.name not in self.photos:
            raise NotFound("photo", request.name)
        return self.photos[request.name]

    async def ListPhotos(self, request: Any, context: Any) -> Any:
        """By name, which is by age, or by quality; filters by what photos are."""
        self._answer()
        if request.parent not in self.personas:
            raise NotFound("persona", request.parent)
        self.listed.append(request)
        conditions = parse_filter(request.filter, dict.fromkeys(_LISTED_BY, "text"))
        found = [
            photo
            for name, photo in sorted(self.photos.items())
            if name.startswith(f"{request.parent}/")
            and all((_value(photo, c.field) == c.value) == (c.op == "=") for c in conditions)
        ]
        if request.order_by == "quality desc":
            found.sort(key=lambda photo: -photo.quality)
        elif request.order_by != "create_time":
            found.reverse()
        start = int(request.page_token or 0)
        end = start + request.page_size
        token = str(end) if end < len(found) else ""
        return catalog.ListPhotosResponse(photos=found[start:end], next_page_token=token)

    async def ReadPhotoMedia(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._answer()
        known = catalog.ReadPhotoMediaRequest
        assert request.rendition in (known.RENDITION_PUBLISH, known.RENDITION_THUMBNAIL)
        if request.name not in self.renditions:
            raise NotFound("photo", request.name)
        data = self.renditions[request.name]
        yield catalog.ReadPhotoMediaResponse(
            info=catalog.MediaInfo(mime_type="image/jpeg", size_bytes=len(data), etag="1")
        )
        for start in range(0, len(data), CHUNK):
            yield catalog.ReadPhotoMediaResponse(chunk=data[start : start + CHUNK])

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[CatalogServiceStub]:
        """A stub of this catalog over gRPC."""
        register = add_CatalogServiceServicer_to_server
        async with serve(self, DESCRIPTOR, register, CatalogServiceStub) as stub:
            yield stub

    def _answer(self) -> None:
        if self.is_down:
            raise Unavailable("the catalog is away")


def _value(photo: Photo, field: str) -> str:
    match field:
        case "usage":
            return Photo.Usage.Name(photo.usage).removeprefix("USAGE_")
        case "state":
            return Photo.State.Name(photo.state).removeprefix("STATE_")
        case "embedding.state":
            return PhotoEmbedding.State.Name(photo.embedding.state).removeprefix("STATE_")
        case "filing.state":
            return Filing.State.Name(photo.filing.state).removeprefix("STATE_")
        case _:
            return photo.pillar
