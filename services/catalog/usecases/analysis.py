"""Measuring photos again: asking for it, and doing it in the background."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from libs.blobs.store import BlobStore
from libs.clock import Clock
from libs.errors import ColonnadeError, NotFound, Unavailable
from libs.jobs.queue import JobQueue
from libs.rpc.requests import RequestKey
from services.catalog.domain.blobs import original_key, thumbnail_key
from services.catalog.domain.measures import (
    CAPTION,
    KNOWN,
    MEASURED,
    Measure,
    Measures,
    check_known,
    pending,
    replaced,
    to_repeat,
)
from services.catalog.domain.names import Key, no_photo
from services.catalog.domain.photo import Photo
from services.catalog.ports import Captioner, Catalog, Changing, Due, Pictures
from services.catalog.usecases.requests import answered, finish, touched

log = logging.getLogger(__name__)

ANALYZE_TASK = "catalog.analyze"
QUEUE = "catalog"
LEASE = timedelta(minutes=5)
PAUSE = timedelta(minutes=1)
MAX_ATTEMPTS = 5
_BATCH = 20
_ENOUGH = 500


class AnalysisCases:
    """Asks for measures."""

    def __init__(self, catalog: Catalog, queue: JobQueue, clock: Clock) -> None:
        self._catalog = catalog
        self._queue = queue
        self._clock = clock

    async def ask(
        self, persona: str, keys: Sequence[Key], measures: Sequence[str], request: RequestKey
    ) -> int:
        """Lets photos be measured again; answers how many.

        No ``keys``: all of the persona on which one of the ``measures`` failed. No ``measures``:
        those that failed. Raises InvalidArgument, NotFound.
        """
        check_known(measures)
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return int(known)
            if keys:
                count = await self._repeat(tx, persona, keys, measures)
            else:
                await tx.personas.get(persona)
                now = self._clock.now()
                count = await tx.photos.repeat_failed(persona, measures or KNOWN, now)
            await finish(tx, request, str(count))
        # After the commit. If the message is lost, the next look for what is due finds the rows.
        await self._queue.enqueue(ANALYZE_TASK, persona, QUEUE)
        return count

    async def _repeat(
        self, tx: Changing, persona: str, keys: Sequence[Key], measures: Sequence[str]
    ) -> int:
        photos = await tx.photos.locked_all(persona, [key.id for key in keys])
        for key in keys:
            if key.persona != persona or key.id not in photos:
                raise no_photo(*key)
        now = self._clock.now()
        again = [_with(p, to_repeat(p.picture.measures, measures)) for p in photos.values()]
        changed = [photo for photo in again if photo != photos[photo.id]]
        due = [photo.id for photo in again if pending(photo.picture.measures)]
        await tx.photos.save_all([touched(photo, now) for photo in changed])
        await tx.photos.make_due(due, now)
        return len(due)


class Analysis:
    """Makes the measures that are pending. Killed at any point, it leaves them pending.

    While the bytes cannot be reached, it pauses and uses up no try. Whatever else goes
    wrong is told by the measure; the photo and its other measures stay as they are.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        pictures: Pictures,
        clock: Clock,
        captioner: Captioner | None,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._pictures = pictures
        self._clock = clock
        self._captioner = captioner

    async def run(self) -> None:
        """One round: some hundreds of photos at most, so that it comes to an end."""
        done = 0
        while done < _ENOUGH and (batch := await self._take()):
            for number, due in enumerate(batch):
                try:
                    await self._measure(due)
                except Unavailable as error:
                    log.warning("photos go on waiting for their measures: %s", error.message)
                    await self._put_off(batch[number:])
                    return
            done += len(batch)

    async def _take(self) -> Sequence[Due]:
        now = self._clock.now()
        async with self._catalog.changing() as tx:
            batch = await tx.photos.take_due(now, now + LEASE, _BATCH)
            await tx.commit()
        return batch

    async def _put_off(self, batch: Sequence[Due]) -> None:
        async with self._catalog.changing() as tx:
            await tx.photos.put_off([due.photo.id for due in batch], self._clock.now() + PAUSE)
            await tx.commit()

    async def _measure(self, due: Due) -> None:
        photo = due.photo
        wanted = pending(photo.picture.measures)
        if due.attempts > MAX_ATTEMPTS:
            why = f"the process that measured it ended early {MAX_ATTEMPTS} times"
            news = _all_failed(wanted, "MEASURE_GAVE_UP", why)
        else:
            news = await self._made(photo, wanted)
        async with self._catalog.changing() as tx:
            now = await tx.photos.locked(Key(photo.persona, photo.id))
            if now is not None:
                after = _with(now, replaced(now.picture.measures, news))
                after = touched(after, self._clock.now())
                await tx.photos.save_measured(after)
                pillar = await tx.pillars.get(Key(after.persona, after.pillar))
                tx.photo_events.updated(after, pillar)
            await tx.commit()

    async def _made(self, photo: Photo, wanted: Sequence[str]) -> Measures:
        try:
            thumbnail = await self._thumbnail(photo)
        except Unavailable:
            raise
        except ColonnadeError as error:
            return _all_failed(wanted, error.reason, error.message)
        numbers = [id for id in wanted if id in MEASURED]
        news: list[Measure] = []
        if numbers:
            news.extend(await self._numbers(thumbnail, photo, numbers))
        if CAPTION in wanted:
            news.append(await self._caption(thumbnail))
        return tuple(news)

    async def _numbers(self, thumbnail: bytes, photo: Photo, wanted: Sequence[str]) -> Measures:
        try:
            return await self._pictures.measure(thumbnail, photo.picture, wanted)
        except ColonnadeError as error:
            return _all_failed(wanted, error.reason, error.message)

    async def _caption(self, thumbnail: bytes) -> Measure:
        if self._captioner is None:
            return Measure.skipped(CAPTION)
        try:
            return Measure(CAPTION, text=await self._captioner.caption(thumbnail))
        except Unavailable as error:
            # The numbers are not to wait for a model that may be away for days.
            return Measure.failed(CAPTION, error.reason, error.message)

    async def _thumbnail(self, photo: Photo) -> bytes:
        """The thumbnail as it is kept, or else made anew."""
        try:
            return await self._blobs.get(thumbnail_key(photo.picture))
        except NotFound:
            original = await self._blobs.get(original_key(photo.picture))
        return await self._pictures.thumbnail(original)


def _all_failed(ids: Sequence[str], reason: str, message: str) -> Measures:
    return tuple(Measure.failed(id, reason, message) for id in ids)


def _with(photo: Photo, measures: Measures) -> Photo:
    return replace(photo, picture=replace(photo.picture, measures=measures))
