"""Scheduling many photos at once, in the slots of a cadence or a fixed time apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from libs.errors import ColonnadeError, NotFound, OutOfQuota
from libs.jobs.queue import JobQueue
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.manner import Subject
from services.scheduler.domain.names import PERSONA, PHOTO, Key, post_key
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.post import CADENCE, SPACING, Post, PostResult, check_scheduled_time
from services.scheduler.domain.slots import HORIZON, Cadence, Slot, slots
from services.scheduler.ports import Catalog, Changing, ResultLog, Store
from services.scheduler.usecases.composing import Composing, Pen
from services.scheduler.usecases.create_post import CreatePost, NewPost
from services.scheduler.usecases.photos import photos_of, subjects_of
from services.scheduler.usecases.placing import Placing
from services.scheduler.usecases.requests import answered, claimed
from services.scheduler.usecases.tasks import PREPARE, QUEUE

# Posts of the same week count, and those that are closer than the gap.
_AROUND: Final = timedelta(days=37)
_FULL_FOR: Final = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class BatchItem:
    """A photo with its text."""

    photo: str
    caption: str = ""
    hashtags: tuple[str, ...] = ()
    alt_text: str = ""
    repeat_reason: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Photos to be scheduled, in their order.

    ``start`` None: now. ``spacing`` None: in the slots of the persona's cadence, with minutes drawn
    by ``seed``. ``channels`` None: on all that are connected. ``compose``: a missing text is the
    photo's or else written by templates, as missing hashtags are.
    """

    persona: str
    items: Sequence[BatchItem]
    start: datetime | None = None
    spacing: timedelta | None = None
    seed: int = 0
    channels: tuple[Key, ...] | None = None
    compose: bool = False


class BatchCreatePosts:
    """Schedules many photos."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        queue: JobQueue,
        clock: Clock,
        placing: Placing,
        create: CreatePost,
        composing: Composing,
        log: ResultLog,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._queue = queue
        self._clock = clock
        self._placing = placing
        self._create = create
        self._composing = composing
        self._log = log

    async def __call__(self, batch: Batch, request: RequestKey) -> list[PostResult]:
        """A result for each item, in their order.

        Raises InvalidArgument (``start_time``), NotFound (persona, channel), FailedPrecondition
        (ARCHIVED, NO_CHANNEL), Unavailable.
        """
        if (known := await answered(self._store, request)) is not None:
            return await self._repeated(known)
        start = self._start(batch)
        cadence = await self._catalog.cadence(batch.persona)
        photos = await photos_of(self._catalog, _own(batch))
        writer = await self._writer(batch)
        async with self._store.changing() as tx:
            known = await claimed(tx, request)
            if known is not None:
                return await self._repeated(known)
            channels = await self._placing.channels(tx, batch.persona, batch.channels)
            await tx.copies.lock(batch.persona, [*photos])
            times = await self._times(tx, batch, start, cadence)
            results = [
                PostResult(
                    i.photo, await self._outcome(tx, batch, i, photos, channels, times, writer)
                )
                for i in batch.items
            ]
            await tx.requests.record(request.id, self._log.write(results))
            await tx.commit()
        for result in results:
            if isinstance(result.outcome, Post):
                await self._queue.enqueue(PREPARE, result.outcome.name, QUEUE)
        return results

    async def _writer(self, batch: Batch) -> "_Writer":
        if not batch.compose:
            return _Writer(None, {})
        lacking = {item.photo for item in batch.items if not (item.caption and item.hashtags)}
        subjects = await subjects_of(self._catalog, [p for p in _own(batch) if p in lacking])
        return _Writer(await self._composing.pen(batch.persona), subjects)

    def _start(self, batch: Batch) -> datetime:
        now = self._clock.now()
        if batch.start is None:
            return now
        check_scheduled_time(batch.start, now, field="start_time")
        return max(batch.start, now)

    async def _times(
        self, tx: Changing, batch: Batch, start: datetime, cadence: Cadence
    ) -> "_Times":
        if batch.spacing is not None:
            return _Times(_spaced(start, batch.spacing), SPACING, batch.persona)
        await tx.posts.lock_calendar(batch.persona)
        taken = await tx.posts.times(batch.persona, start - _AROUND, start + HORIZON + _AROUND)
        free = slots(cadence, start, taken, batch.seed)
        return _Times(free, CADENCE, batch.persona)

    async def _outcome(
        self,
        tx: Changing,
        batch: Batch,
        item: BatchItem,
        photos: Mapping[str, Photo | NotFound],
        channels: Sequence[Channel],
        times: "_Times",
        writer: "_Writer",
    ) -> Post | ColonnadeError:
        """The post of one item, which has used a time up; or why it has none, and used none."""
        photo = photos.get(item.photo) or NotFound("photo", item.photo)
        if isinstance(photo, NotFound):
            return photo
        try:
            slot = times.next_free()
            check_scheduled_time(slot.at, self._clock.now(), field="start_time")
            new = NewPost(
                persona=batch.persona,
                photo=item.photo,
                scheduled_time=slot.at,
                caption=item.caption,
                hashtags=item.hashtags,
                alt_text=item.alt_text,
                strategy=times.strategy,
                slot_reason=slot.reason,
                repeat_reason=item.repeat_reason,
            )
            new = writer.completed(new, photo, channels)
            post = await self._create.add(tx, new, photo, channels)
        except ColonnadeError as error:
            return error
        times.use()
        return post

    async def _repeated(self, known: str) -> list[PostResult]:
        results = []
        async with self._store.reading() as view:
            for photo, was in self._log.read(known):
                outcome = await view.posts.get(post_key(was)) if isinstance(was, str) else was
                results.append(PostResult(photo, outcome))
        return results


def _own(batch: Batch) -> list[str]:
    photos = (item.photo for item in batch.items)
    return [p for p in photos if PHOTO.parse(p, "posts.photo")[0] == batch.persona]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes what posts lack, with a pen; without one it leaves them as they are."""

    pen: Pen | None
    subjects: Mapping[str, Subject | NotFound]

    def completed(self, new: NewPost, photo: Photo, channels: Sequence[Channel]) -> NewPost:
        """The post with a text and hashtags."""
        subject = self.subjects.get(photo.name)
        if self.pen is None or not isinstance(subject, Subject):
            return new
        said = replace(new, caption=new.caption or subject.caption)
        return self.pen.completed(said, photo, subject, channels)


class _Times:
    """Times one after another; each is offered until it is used."""

    def __init__(self, times: Iterator[Slot], strategy: str, persona: str) -> None:
        self.strategy = strategy
        self._times = times
        self._persona = PERSONA.format(persona)
        self._offered: Slot | None = None

    def next_free(self) -> Slot:
        """The next time. Raises OutOfQuota (NO_SLOT) if there is none left."""
        self._offered = self._offered or next(self._times, None)
        if self._offered is None:
            raise OutOfQuota(
                f"the cadence of {self._persona} has no free slot in {HORIZON.days} days; "
                "allow more posts a week, or start later",
                retry_after=_FULL_FOR,
                reason="NO_SLOT",
                metadata={"persona": self._persona, "days": str(HORIZON.days)},
            )
        return self._offered

    def use(self) -> None:
        """The time that was offered last is taken."""
        self._offered = None


def _spaced(start: datetime, spacing: timedelta) -> Iterator[Slot]:
    at = start
    while True:
        yield Slot(at, f"every {spacing}")
        at += spacing
