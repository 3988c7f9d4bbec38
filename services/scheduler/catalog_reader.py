"""The catalog service as the scheduler sees it."""

from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import photo_pb2
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import UsageRights

from libs.errors import FailedPrecondition
from libs.images import ImageLimits, fitted, inspect
from services.scheduler.domain.names import PERSONA
from services.scheduler.domain.photo import Photo, Rights
from services.scheduler.domain.slots import DEFAULT_WINDOWS, Cadence, Window
from services.scheduler.ports import CatalogPage, CatalogPhoto, Rendition, UnusedPhotos

_PUBLISH = catalog.ReadPhotoMediaRequest.RENDITION_PUBLISH
# See RENDITION_PUBLISH in the contract.
_PUBLISH_SIDE = 2048
# What a cadence that says nothing means; see the contract.
_MIN_GAP_HOURS = 24
_POSTS_PER_WEEK = 3


class CatalogReader:
    """See ``ports.Catalog``; the stub raises ``libs.errors``."""

    def __init__(self, stub: CatalogServiceStub) -> None:
        self._stub = stub

    async def check_persona(self, persona: str) -> None:
        """See Catalog."""
        await self._persona(PERSONA.format(persona))

    async def cadence(self, persona: str) -> Cadence:
        """See Catalog."""
        found = await self._persona(PERSONA.format(persona))
        asked = found.cadence
        windows = tuple(Window(w.start_minute, w.end_minute, w.weekday) for w in asked.windows)
        return Cadence(
            zone=ZoneInfo(found.time_zone or "UTC"),
            windows=windows or DEFAULT_WINDOWS,
            min_gap=timedelta(hours=asked.min_gap_hours or _MIN_GAP_HOURS),
            per_week=asked.posts_per_week or _POSTS_PER_WEEK,
            blackout=frozenset(date.fromisoformat(day) for day in asked.blackout_dates),
        )

    async def unused(self, wanted: UnusedPhotos, size: int, token: str) -> CatalogPage:
        """See Catalog."""
        conditions = ['usage = "UNUSED"', 'state = "ACTIVE"']
        if wanted.pillar:
            conditions.append(f'pillar = "{wanted.pillar}"')
        if wanted.filter.strip():
            conditions.append(wanted.filter)
        request = catalog.ListPhotosRequest(
            parent=PERSONA.format(wanted.persona),
            page_size=size,
            page_token=token,
            filter=" AND ".join(conditions),
            order_by=wanted.order_by,
        )
        page = await self._stub.ListPhotos(request)
        photos = [CatalogPhoto(photo.name, photo.SerializeToString()) for photo in page.photos]
        return CatalogPage(photos, page.next_page_token)

    async def _persona(self, name: str) -> Persona:
        found = await self._stub.GetPersona(catalog.GetPersonaRequest(name=name))
        if found.state == Persona.STATE_ARCHIVED:
            raise FailedPrecondition(
                f"{name} is archived; nothing new can be added to it",
                reason="ARCHIVED",
                metadata={"persona": name},
            )
        return found

    async def photo(self, name: str) -> Photo:
        """See Catalog."""
        found = await self._stub.GetPhoto(catalog.GetPhotoRequest(name=name))
        width, height = fitted(found.width, found.height, _PUBLISH_SIDE)
        return Photo(
            found.name,
            found.pillar,
            found.sha256,
            width,
            height,
            found.alt_text,
            _rights(found),
        )

    async def rendition(self, name: str) -> Rendition:
        """See Catalog."""
        request = catalog.ReadPhotoMediaRequest(name=name, rendition=_PUBLISH)
        mime_type, chunks = "", []
        async for response in self._stub.ReadPhotoMedia(request):
            if response.WhichOneof("payload") == "info":
                mime_type = response.info.mime_type
            else:
                chunks.append(response.chunk)
        data = b"".join(chunks)
        size = inspect(data, ImageLimits())
        return Rendition(mime_type, size.width, size.height, data)


def _rights(photo: photo_pb2.Photo) -> Rights:
    return Rights(
        _moment(photo.rights, "embargo_time"),
        _moment(photo.rights, "expire_time"),
        photo.rights.held,
        photo.state == photo_pb2.Photo.STATE_ARCHIVED,
    )


def _moment(rights: UsageRights, field: Literal["embargo_time", "expire_time"]) -> datetime | None:
    if not rights.HasField(field):
        return None
    moment: datetime = getattr(rights, field).ToDatetime(tzinfo=UTC)
    return moment
