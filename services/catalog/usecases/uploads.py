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
from services.catalog.domain.photo import Filing, FilingState, Photo, Picture, without_repeats
from services.catalog.domain.photo_import import ImportItem, Outcome
from services.catalog.domain.pillar import Pillar
from services.catalog.ports import Catalog, Changing, Examined, Pictures, Reading
from services.catalog.spool import Spool
from services.catalog.usecases.imports import note


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a photo goes and where it came from. ``pillar`` and ``sha256`` may be empty.

    ``photo_import`` is the id of the import that notes it under ``source_path``; empty for none.
    """

    persona: str
    pillar: str = ""
    file_name: str = ""
    source_path: str = ""
    tags: tuple[str, ...] = ()
    sha256: str = ""
    validate_only: bool = False
    photo_import: str = ""
    fingerprint: str = ""


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
        (UNSUPPORTED_IMAGE, DAMAGED_IMAGE, HASH_MISMATCH), OutOfQuota (IMAGE_TOO_LARGE), and what
        ``imports.note`` raises.
        """
        async with self._catalog.reading() as catalog:
            place = await _place(catalog, upload)
            known = await _known(catalog, upload.persona, upload.sha256)
        if known is not None:
            return await self._recognised(upload, known)
        with Spool(self._limits.max_bytes, self._limits.in_memory) as spool:
            await spool.fill(chunks)
            check_digest(upload.sha256, spool.sha256)
            return await self._import(upload, place, spool)

    async def _import(self, upload: Upload, place: _Place, spool: Spool) -> Received:
        if not upload.sha256:
            async with self._catalog.reading() as catalog:
                known = await _known(catalog, upload.persona, spool.sha256)
            if known is not None:
                return await self._recognised(upload, known)
        zone = ZoneInfo(place.persona.time_zone)
        examined = await self._pictures.examine(spool.file, spool.sha256, zone)
        photo = self._photo(upload, place, examined.picture)
        if upload.validate_only:
            await self._note_alone(upload, Outcome.IMPORTED)
            return Received(photo)
        await keep_bytes(self._catalog, self._blobs, spool, examined)
        return await self._keep(upload, photo)

    async def _recognised(self, upload: Upload, known: Photo) -> Received:
        await self._note_alone(upload, Outcome.DUPLICATE, known.id)
        return Received(known, duplicate=True)

    async def _note_alone(self, upload: Upload, outcome: Outcome, photo: str = "") -> None:
        if upload.photo_import:
            async with self._catalog.changing() as tx:
                await self._note(tx, upload, outcome, photo)
                await tx.commit()

    async def _note(self, tx: Changing, upload: Upload, outcome: Outcome, photo: str) -> None:
        if upload.photo_import:
            now, key = self._clock.now(), Key(upload.persona, upload.photo_import)
            item = ImportItem(upload.source_path, outcome, now, photo, upload.fingerprint)
            await note(tx, key, [item], dry_run=upload.validate_only)

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
            filing=Filing() if upload.pillar else Filing(FilingState.PENDING),
        )

    async def _keep(self, upload: Upload, photo: Photo) -> Received:
        async with self._catalog.changing() as tx:
            require_active(await tx.personas.pinned(photo.persona))
            pillar = await tx.pillars.plain(Key(photo.persona, photo.pillar))
            if not await tx.photos.add(photo):
                twin = await tx.photos.of_content(photo.persona, photo.picture.sha256)
                assert twin is not None, "the row that was in the way is committed"
                await self._note(tx, upload, Outcome.DUPLICATE, twin.id)
                await tx.commit()
                return Received(twin, duplicate=True)
            await self._note(tx, upload, Outcome.IMPORTED, photo.id)
            tx.photo_events.created(photo, pillar)
            await tx.commit()
        return Received(photo)


async def _place(catalog: Reading, upload: Upload) -> _Place:
    persona = await catalog.personas.get(upload.persona)
    require_active(persona)
    if upload.pillar:
        return _Place(persona, await catalog.pillars.plain(Key(persona.id, upload.pillar)))
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


async def keep_bytes(catalog: Catalog, blobs: BlobStore, spool: Spool, examined: Examined) -> None:
    """Stores what arrived and its thumbnail under keys made of their content."""
    original, thumbnail = original_key(examined.picture), thumbnail_key(examined.picture)
    # From here on the sweep counts a full grace for these keys before it takes them.
    await catalog.keep_blobs((original, thumbnail))
    await blobs.put(original, spool.content())
    await blobs.put(thumbnail, examined.thumbnail)


def check_digest(expected: str, sha256: str) -> None:
    """Raises InvalidArgument (HASH_MISMATCH) unless the bytes are those that the header gives."""
    if expected and expected != sha256:
        raise InvalidArgument.of(
            "header.sha256",
            f"the bytes that arrived have the SHA-256 {sha256}; send the file again",
            reason="HASH_MISMATCH",
        )
