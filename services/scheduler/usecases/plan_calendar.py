"""Filling the calendar of a persona."""

import asyncio
import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from libs.errors import ColonnadeError, Conflict, NotFound
from libs.ids import uuid7
from libs.jobs.queue import JobQueue
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.manner import Subject
from services.scheduler.domain.names import Key, post_key
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.plan_record import PlanRecord
from services.scheduler.domain.planning import (
    Candidate,
    Copies,
    Decision,
    Pillar,
    Seen,
    Strategy,
    Use,
    Variety,
    plan,
)
from services.scheduler.domain.post import Post, PostResult, check_scheduled_time
from services.scheduler.domain.slots import Cadence, slots
from services.scheduler.ports import Catalog, Changing, Placed, Reading, ResultLog, Store
from services.scheduler.usecases.channels import connected
from services.scheduler.usecases.composing import Composing
from services.scheduler.usecases.create_post import CreatePost, NewPost
from services.scheduler.usecases.photos import photos_of
from services.scheduler.usecases.placing import Placing
from services.scheduler.usecases.placing import Wanted as Sent
from services.scheduler.usecases.requests import answered, claimed
from services.scheduler.usecases.tasks import PREPARE, QUEUE

_MOST: Final = 200
# Of a pillar's photos the best are looked at: for each post these, as some do not fit.
_FOR_EACH: Final = 3
_AT_LEAST: Final = 50
_DEEPEST: Final = 1000
_VARIETY: Final = Variety()
_HOUR: Final = timedelta(hours=1)
# Posts of the same week count for the pace, and those of 30 days for the shares.
_AROUND: Final = timedelta(days=37)


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be planned: ``most`` posts in ``days`` days.

    ``start`` None: the next full hour, so that a plan stays the same while people look at it.
    """

    start: datetime | None = None
    days: int = 7
    strategy: Strategy = Strategy.SHARE
    most: int = _MOST
    seed: int = 0

    @property
    def length(self) -> timedelta:
        """How long the stretch is that is planned."""
        return timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions, earliest first, how many slots no photo was left for, and how many photos
    networks refuse, by what for."""

    decisions: Sequence[Decision]
    unfilled: int
    unfit: Mapping[str, int]

    @property
    def fingerprint(self) -> str:
        """Changes with every decision, and with how many slots stay empty."""
        lines = [f"{d.slot.at.isoformat()} {d.photo} {d.pillar}" for d in self.decisions]
        return hashlib.sha256("\n".join([*lines, str(self.unfilled)]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plan to be carried out.

    ``fingerprint`` is that of the plan that was shown; empty for whatever it is now. ``caption``
    empty: what is said of each photo. ``channels`` None: on all that are connected. ``compose``:
    what is missing of a text or hashtags is written by templates.
    """

    persona: str
    options: Options
    fingerprint: str = ""
    caption: str = ""
    hashtags: tuple[str, ...] = ()
    channels: tuple[Key, ...] | None = None
    compose: bool = False


@dataclass(frozen=True, slots=True)
class _Supply:
    """What the catalog has for a plan that begins at ``start``, for ``channels``; ``scenes`` of
    photos that posts have. ``unfit`` counts photos that the channels' networks refuse, by what for.
    """

    start: datetime
    cadence: Cadence
    pillars: Sequence[Pillar]
    stock: Sequence[Candidate]
    scenes: Mapping[str, str]
    channels: Sequence[Channel]
    unfit: Mapping[str, int]


class PlanCalendar:
    """Proposes posts, and schedules what was proposed."""

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

    async def preview(self, persona: str, options: Options) -> Plan:
        """The plan as it would be now; nothing is written.

        Raises InvalidArgument (``options.start_time``), NotFound, FailedPrecondition (ARCHIVED),
        Unavailable.
        """
        supply = await self._supply(persona, options)
        async with self._store.reading() as view:
            return await _plan(view, persona, options, supply)

    async def commit(self, wanted: Wanted, request: RequestKey) -> list[PostResult]:
        """A result for each post of the plan; with each post goes the decision, or neither.

        Raises what ``preview`` does, Conflict (PLAN_CHANGED) if the plan is not the one that was
        shown, FailedPrecondition (NO_CHANNEL).
        """
        if (known := await answered(self._store, request)) is not None:
            return await self._repeated(known)
        # The catalog is asked before, so that no transaction waits for it.
        supply = await self._supply(wanted.persona, wanted.options)
        async with self._store.reading() as view:
            expected = await _plan(view, wanted.persona, wanted.options, supply)
        photos = await photos_of(self._catalog, [d.photo for d in expected.decisions])
        pen = await self._composing.pen(wanted.persona) if wanted.compose else None
        async with self._store.changing() as tx:
            if (known := await claimed(tx, request)) is not None:
                return await self._repeated(known)
            channels = await self._placing.channels(tx, wanted.persona, wanted.channels)
            await tx.copies.lock(wanted.persona, [candidate.photo for candidate in supply.stock])
            await tx.posts.lock_calendar(wanted.persona)
            made = await _plan(tx, wanted.persona, wanted.options, supply)
            if made.fingerprint != (wanted.fingerprint or expected.fingerprint):
                raise _changed()
            results = []
            for decision in made.decisions:
                photo = photos[decision.photo]
                new = _new_post(wanted, decision, supply)
                if pen is not None and isinstance(photo, Photo):
                    new = pen.completed(new, photo, _subject(decision, supply), channels)
                results.append(
                    PostResult(
                        decision.photo, await self._outcome(tx, new, decision, photo, channels)
                    )
                )
            await tx.requests.record(request.id, self._log.write(results))
            await tx.commit()
        for result in results:
            if isinstance(result.outcome, Post):
                await self._queue.enqueue(PREPARE, result.outcome.name, QUEUE)
        return results

    async def decision(self, key: Key) -> PlanRecord:
        """Why a photo was chosen. Raises NotFound."""
        async with self._store.reading() as view:
            return await view.decisions.get(key)

    async def decisions(self, persona: str, page: PageRequest) -> Page[PlanRecord]:
        """One page, newest first; of an unknown persona there are none."""
        async with self._store.reading() as view:
            return await view.decisions.page(persona, page)

    async def _outcome(
        self,
        tx: Changing,
        new: NewPost,
        decision: Decision,
        photo: Photo | NotFound,
        channels: Sequence[Channel],
    ) -> Post | ColonnadeError:
        if isinstance(photo, NotFound):
            return photo
        try:
            post = await self._create.add(tx, new, photo, channels)
        except ColonnadeError as error:
            return error
        now, strategy = self._clock.now(), Strategy(new.strategy)
        await tx.decisions.add(
            PlanRecord(post.persona, uuid7(), post.name, strategy, decision, now)
        )
        return post

    async def _supply(self, persona: str, options: Options) -> _Supply:
        start = self._start(options)
        cadence = await self._catalog.cadence(persona)
        pillars = await self._catalog.pillars(persona, start)
        count = min(options.most, math.ceil(options.days * cadence.per_week / 7) + cadence.per_week)
        limit = max(_AT_LEAST, _FOR_EACH * count)
        async with self._store.reading() as view:
            channels = await connected(view, persona)

        def refusal(photo: Photo) -> str:
            return self._placing.refusal(Sent(photo, "", photo.alt_text, start), channels)

        stocks = await asyncio.gather(*(self._stock(p.name, limit, refusal) for p in pillars))
        scenes = await self._scenes(persona, options, start)
        stock = [candidate for fit, _ in stocks for candidate in fit]
        unfit = sum((refused for _, refused in stocks), Counter[str]())
        return _Supply(start, cadence, pillars, stock, scenes, channels, unfit)

    async def _stock(
        self, pillar: str, limit: int, refusal: Callable[[Photo], str]
    ) -> tuple[list[Candidate], Counter[str]]:
        """The best photos of a pillar that networks take, and how many they refuse of those that
        were looked at, by what for; where they refuse many, more are looked at."""
        asked = limit
        while True:
            found = await self._catalog.stock(pillar, asked)
            refusals = [refusal(candidate.picture) for candidate in found]
            fit = [one for one, why in zip(found, refusals, strict=True) if not why]
            if len(fit) >= limit or len(found) < asked or asked >= _DEEPEST:
                return fit[:limit], Counter(why for why in refusals if why)
            asked = min(4 * asked, _DEEPEST)

    async def _scenes(self, persona: str, options: Options, start: datetime) -> Mapping[str, str]:
        """The scenes of the photos that go out near the stretch that is planned."""
        first, last = start - _VARIETY.scene_gap, start + options.length + _VARIETY.scene_gap
        async with self._store.reading() as view:
            placed = await view.posts.placed(persona, first, last)
        return await self._catalog.scenes([each.photo for each in placed])

    def _start(self, options: Options) -> datetime:
        now = self._clock.now()
        if options.start is None:
            return now.replace(minute=0, second=0, microsecond=0) + _HOUR
        check_scheduled_time(options.start, now, field="options.start_time")
        return max(options.start, now)

    async def _repeated(self, known: str) -> list[PostResult]:
        async with self._store.reading() as view:
            return [
                PostResult(
                    photo, await view.posts.get(post_key(was)) if isinstance(was, str) else was
                )
                for photo, was in self._log.read(known)
            ]


async def _plan(view: Reading, persona: str, options: Options, supply: _Supply) -> Plan:
    """What the supply gives beside the posts that are there."""
    start, end = supply.start, supply.start + options.length
    taken = await view.posts.times(persona, start - _AROUND, end + _AROUND)
    placed = await view.posts.placed(persona, start - _AROUND, end + _AROUND)
    free = slots(supply.cadence, start, taken, options.seed, options.length)
    gone = {each.photo for each in placed}
    stock = [candidate for candidate in supply.stock if candidate.photo not in gone]
    decisions = list(
        plan(
            itertools.islice(free, options.most),
            supply.pillars,
            stock,
            [_use(each, supply.scenes) for each in placed],
            options.strategy,
            supply.cadence.zone,
            _VARIETY,
            await _copies(view, stock, supply.channels),
        )
    )
    made = [decision for decision in decisions if decision is not None]
    return Plan(made, len(decisions) - len(made), supply.unfit)


async def _copies(view: Reading, stock: Sequence[Candidate], channels: Sequence[Channel]) -> Copies:
    """Which photos of the stock show the same, and where that was seen."""
    of = await view.copies.of([candidate.photo for candidate in stock])
    seen = await view.copies.seen([*of], [channel.key for channel in channels])
    windows = {channel.id: channel.repeat_window for channel in channels}
    return Copies(
        of,
        [Seen(each.photo, each.at, windows[each.channel]) for each in seen],
        max(windows.values(), default=timedelta(0)),
    )


def _use(placed: Placed, scenes: Mapping[str, str]) -> Use:
    # A photo of unknown scene is like no other.
    return Use(placed.at, placed.photo, placed.pillar, scenes.get(placed.photo, placed.photo))


def _new_post(wanted: Wanted, decision: Decision, supply: _Supply) -> NewPost:
    said = next(c.caption for c in supply.stock if c.photo == decision.photo)
    return NewPost(
        persona=wanted.persona,
        photo=decision.photo,
        scheduled_time=decision.slot.at,
        caption=wanted.caption or said,
        hashtags=wanted.hashtags,
        strategy=wanted.options.strategy,
        slot_reason=decision.slot.reason,
    )


def _subject(decision: Decision, supply: _Supply) -> Subject:
    chosen = next(c for c in supply.stock if c.photo == decision.photo)
    pillar = next((p.title for p in supply.pillars if p.name == decision.pillar), "")
    return Subject(
        photo=chosen.photo,
        pillar=pillar,
        caption=chosen.caption,
        alt_text=chosen.picture.alt_text,
        objects=chosen.objects,
    )


def _changed() -> Conflict:
    return Conflict(
        "the calendar or the library changed since this plan was made; look at the new one first",
        reason="PLAN_CHANGED",
    )
