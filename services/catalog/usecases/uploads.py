"""Photos on their way into the library."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from libs.blobs.store import BlobStore
from libs.clock import Clock
from libs.errors import FailedPrecondition, InvalidArgument
from libs.ids import uuid7
from services.catalog.domain.blobs import original_key, thumbnail_key
from services.catalog.domain.names import PERSONA, Key
from services.catalog.domain.persona import Persona, require_active
from services.catalog.domain.photo import Photo, Picture, without_repeats
from services.catalog.domain.pillar import Pillar
from services.catalog.ports import Catalog, Examined, Pictures, Reading
from services.catalog.spool import Spool


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a photo goes and where it came from. ``pillar`` and ``sha256`` may be empty."""

    persona: str
    pillar: str = ""
    file_name: str = ""
    source_path: str = ""
    tags: tuple[str, ...] = ()
    sha256: str = ""
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """The photo of an upload; ``duplicate``: the persona had these bytes already."""

    photo: Photo
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """``max_bytes``: the largest file. ``in_memory``: how much of it is not put on disk."""

    max_bytes: int
    in_memory: int


@dataclass(frozen=True, slots=True)
class _Place:
    persona: Persona
    pillar: Pillar


class UploadCases:
    """Takes photos in: bytes first, then the row together with its event.

    Whatever dies in between leaves at most bytes that nobody uses, and the sweep removes those.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        pictures: Pictures,
        clock: Clock,
        limits: UploadLimits,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._pictures = pictures
        self._clock = clock
        self._limits = limits

    async def receive(self, upload: Upload, chunks: AsyncIterator[bytes]) -> Received:
        """Imports the picture that ``chunks`` make up.

        Raises NotFound, FailedPrecondition (ARCHIVED, NO_PILLARS), InvalidArgument
        (UNSUPPORTED_IMAGE, DAMAGED_IMAGE, HASH_MISMATCH), OutOfQuota (IMAGE_TOO_LARGE).
        """
        async with self._catalog.reading() as catalog:
            place = await _place(catalog, upload)
            if known := await _known(catalog, upload.persona, upload.sha256):
                return Received(known, duplicate=True)
        with Spool(self._limits.max_bytes, self._limits.in_memory) as spool:
            await spool.fill(chunks)
            _check_digest(upload, spool.sha256)
            return await self._import(upload, place, spool)

    async def _import(self, upload: Upload, place: _Place, spool: Spool) -> Received:
        async with self._catalog.reading() as catalog:
            if known := await _known(catalog, upload.persona, spool.sha256):
                return Received(known, duplicate=True)
        zone = ZoneInfo(place.persona.time_zone)
        examined = await self._pictures.examine(spool.file, spool.sha256, zone)
        photo = self._photo(upload, place, examined.picture)
        if upload.validate_only:
            return Received(photo)
        await self._keep_bytes(spool, examined)
        return await self._keep(photo)

    def _photo(self, upload: Upload, place: _Place, picture: Picture) -> Photo:
        now = self._clock.now()
        id = "" if upload.validate_only else uuid7()
        return Photo(
            persona=place.persona.id,
            id=id,
            pillar=place.pillar.id,
            picture=picture,
            create_time=now,
            update_time=now,
            scene=id,
            file_name=upload.file_name,
            source_path=upload.source_path,
            tags=without_repeats(upload.tags),
        )

    async def _keep_bytes(self, spool: Spool, examined: Examined) -> None:
        original, thumbnail = original_key(examined.picture), thumbnail_key(examined.picture)
        async with self._catalog.changing() as tx:
            # From here on the sweep counts a full grace for these keys before it takes them.
            await tx.blobs.keep((original, thumbnail))
            await tx.commit()
        await self._blobs.put(original, spool.pieces())
        await self._blobs.put(thumbnail, examined.thumbnail)

    async def _keep(self, photo: Photo) -> Received:
        async with self._catalog.changing() as tx:
            require_active(await tx.personas.pinned(photo.persona))
            pillar = await tx.pillars.get(Key(photo.persona, photo.pillar))
            if not await tx.photos.add(photo):
                twin = await tx.photos.of_content(photo.persona, photo.picture.sha256)
                assert twin is not None, "the row that was in the way is committed"
                return Received(twin, duplicate=True)
            tx.photo_events.created(photo, pillar)
            await tx.commit()
        return Received(photo)


async def _place(catalog: Reading, upload: Upload) -> _Place:
    persona = await catalog.personas.get(upload.persona)
    require_active(persona)
    if upload.pillar:
        return _Place(persona, await catalog.pillars.get(Key(persona.id, upload.pillar)))
    pillar = await catalog.pillars.heaviest(persona.id)
    if pillar is None:
        raise no_pillars(persona.id)
    return _Place(persona, pillar)


def no_pillars(persona: str) -> FailedPrecondition:
    """What to raise where a persona needs a pillar and has none."""
    name = PERSONA.format(persona)
    return FailedPrecondition(
        f"{name} has no pillar yet; create one first",
        reason="NO_PILLARS",
        metadata={"persona": name},
    )


async def _known(catalog: Reading, persona: str, sha256: str) -> Photo | None:
    return await catalog.photos.of_content(persona, sha256) if sha256 else None


def _check_digest(upload: Upload, sha256: str) -> None:
    if upload.sha256 and upload.sha256 != sha256:
        raise InvalidArgument.of(
            "header.sha256",
            f"the bytes that arrived have the SHA-256 {sha256}; send the file again",
            reason="HASH_MISMATCH",
        )
