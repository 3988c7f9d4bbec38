"""The catalog service as the scheduler sees it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import photo_pb2, pillar_pb2
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import UsageRights

from libs.errors import FailedPrecondition, NotFound
from libs.images import ImageLimits, fitted, inspect
from services.scheduler.convert_manners import manner_of, strategy_of
from services.scheduler.domain.hashtags import Strategy
from services.scheduler.domain.manner import Manner, Subject
from services.scheduler.domain.names import PERSONA
from services.scheduler.domain.photo import Photo, Rights
from services.scheduler.domain.planning import Candidate, Pillar
from services.scheduler.domain.slots import DEFAULT_WINDOWS, Cadence, Window
from services.scheduler.ports import CatalogPage, CatalogPhoto, Rendition, UnusedPhotos

_PUBLISH = catalog.ReadPhotoMediaRequest.RENDITION_PUBLISH
_THUMBNAIL = catalog.ReadPhotoMediaRequest.RENDITION_THUMBNAIL
# See RENDITION_PUBLISH in the contract.
_PUBLISH_SIDE = 2048
# Embedded, sorted, in no post; rights are judged for the moment at which it would go out.
_USABLE = (
    'usage = "UNUSED" AND state = "ACTIVE" AND embedding.state = "READY" '
    'AND filing.state != "PENDING" AND filing.state != "REVIEW"'
)
_MOST = 200
_AT_ONCE = 8
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

    async def pillars(self, persona: str, at: datetime) -> Sequence[Pillar]:
        """See Catalog."""
        request = catalog.ListPillarsRequest(parent=PERSONA.format(persona), page_size=_MOST)
        found: list[Pillar] = []
        while True:
            page = await self._stub.ListPillars(request)
            found += [_pillar(p) for p in page.pillars if _is_planned(p, at)]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def stock(self, pillar: str, limit: int) -> Sequence[Candidate]:
        """See Catalog."""
        request = catalog.ListPhotosRequest(
            parent=pillar.partition("/pillars/")[0],
            filter=f'{_USABLE} AND pillar = "{pillar}"',
            order_by="quality desc",
        )
        found: list[Candidate] = []
        while True:
            request.page_size = min(_MOST, limit - len(found))
            page = await self._stub.ListPhotos(request)
            found += [_candidate(photo) for photo in page.photos]
            if not page.next_page_token or len(found) >= limit:
                return found
            request.page_token = page.next_page_token

    async def scenes(self, photos: Collection[str]) -> Mapping[str, str]:
        """See Catalog."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def scene_of(name: str) -> str | None:
            async with turns:
                try:
                    photo = await self._stub.GetPhoto(catalog.GetPhotoRequest(name=name))
                except NotFound:
                    return None
                return str(photo.scene)

        names = list(dict.fromkeys(photos))
        found = await asyncio.gather(*map(scene_of, names))
        return {name: scene for name, scene in zip(names, found, strict=True) if scene is not None}

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
        return _photo(await self._stub.GetPhoto(catalog.GetPhotoRequest(name=name)))

    async def manner(self, persona: str) -> tuple[Manner, Strategy]:
        """See Catalog."""
        found = await self._persona(PERSONA.format(persona))
        return manner_of(found), strategy_of(found)

    async def subject(self, photo: str) -> Subject:
        """See Catalog."""
        found = await self._stub.GetPhoto(catalog.GetPhotoRequest(name=photo))
        pillar = await self._stub.GetPillar(catalog.GetPillarRequest(name=found.pillar))
        return Subject(
            photo=found.name,
            pillar=pillar.display_name,
            caption=found.caption,
            alt_text=found.alt_text,
            objects=tuple(found.tags),
        )

    async def thumbnail(self, photo: str) -> bytes:
        """See Catalog."""
        _, data = await self._media(photo, _THUMBNAIL)
        return data

    async def rendition(self, name: str) -> Rendition:
        """See Catalog."""
        mime_type, data = await self._media(name, _PUBLISH)
        size = inspect(data, ImageLimits())
        return Rendition(mime_type, size.width, size.height, data)

    async def _media(
        self, photo: str, rendition: catalog.ReadPhotoMediaRequest.Rendition.ValueType
    ) -> tuple[str, bytes]:
        """The media type and the bytes."""
        request = catalog.ReadPhotoMediaRequest(name=photo, rendition=rendition)
        mime_type, chunks = "", []
        async for response in self._stub.ReadPhotoMedia(request):
            if response.WhichOneof("payload") == "info":
                mime_type = response.info.mime_type
            else:
                chunks.append(response.chunk)
        return mime_type, b"".join(chunks)


def _is_planned(pillar: pillar_pb2.Pillar, at: datetime) -> bool:
    """Whether posts are planned for it: it is active, has a weight, has begun and not ended."""
    begun = not pillar.HasField("start_time") or pillar.start_time.ToDatetime(UTC) <= at
    ended = pillar.HasField("end_time") and pillar.end_time.ToDatetime(UTC) <= at
    active = pillar.state == pillar_pb2.Pillar.STATE_ACTIVE
    return active and pillar.weight > 0 and begun and not ended


def _pillar(pillar: pillar_pb2.Pillar) -> Pillar:
    return Pillar(pillar.name, pillar.display_name, pillar.weight, pillar.priority)


def _candidate(photo: photo_pb2.Photo) -> Candidate:
    return Candidate(
        picture=_photo(photo),
        file_name=photo.file_name,
        scene=photo.scene,
        quality=photo.quality if photo.HasField("quality") else None,
        create_time=photo.create_time.ToDatetime(UTC),
        caption=photo.caption,
        objects=tuple(photo.tags),
    )


def _photo(found: photo_pb2.Photo) -> Photo:
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
