"""Writing the suggestions of one batch, from its row to its end. Knows nothing of Celery."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from libs.aio import BlockingPool
from libs.cancellation import see_through
from libs.clock import Clock
from libs.errors import ColonnadeError, Conflict, DeadlineExceeded, NotFound, Unavailable
from libs.ids import uuid7
from libs.lease import Lease, LeaseLost, kept
from libs.llm.answers import Model
from libs.llm.chat import ChatFailed
from libs.llm.reading import Unusable
from services.catalog.domain.asking import inputs_of
from services.catalog.domain.brief import SOURCE, Ground, Wish, offline_brief, wish_of
from services.catalog.domain.gaps import GapReport, PillarGap
from services.catalog.domain.names import Key
from services.catalog.domain.repetition import Repetition
from services.catalog.domain.seen import nearest
from services.catalog.domain.suggestion import (
    MAX_NEAREST,
    Batch,
    BatchState,
    Brief,
    Suggestion,
    SuggestionState,
    Trouble,
    pillar_id,
    ranking,
    reason_of,
)
from services.catalog.ports import Catalog, Known
from services.catalog.usecases.authors import ask_model

log = logging.getLogger(__name__)

# One question, and at most two more when the answer was a repetition.
_ASKS = 3
_PHOTOS_LOOKED_AT = 500
_PASSING = (Unavailable, DeadlineExceeded, Conflict)


@dataclass(frozen=True, slots=True)
class Desk:
    """What the writing of suggestions needs of the world. Without ``model``, templates write."""

    catalog: Catalog
    model: Model | None
    pool: BlockingPool
    clock: Clock
    owner: str
    max_attempts: int


async def suggest_once(desk: Desk, batch_id: str) -> Batch | None:
    """Writes what is left of the batch and answers it as it stands then; None if nothing was.

    Killed at any point, it leaves what is written in place and the rest to the next worker. A
    worker that was too slow loses its lease and writes nothing more (LeaseLost). While something it
    needs is away, the batch goes back into the queue, until it was tried ``max_attempts`` times.
    """
    async with desk.catalog.changing() as tx:
        taken = await tx.batch_ledger.take(batch_id, desk.owner, desk.max_attempts)
        await tx.commit()
    if taken is None:
        return None
    writing = _Writing(desk, *taken)
    async with kept(writing.beat):
        return await writing.settle()


async def waiting_batches(desk: Desk) -> Sequence[str]:
    """The ids of batches that no worker has; those that were tried too often are failed."""
    async with desk.catalog.changing() as tx:
        waiting = await tx.batch_ledger.waiting(desk.max_attempts)
        await tx.commit()
    return waiting


class _Shelf:
    """A pillar while suggestions for it are written: its ground, and what they must not repeat."""

    def __init__(self, ground: Ground, known: Known) -> None:
        self.ground = ground
        earlier = [one.prompt for one in (*known.recent, *known.pending)]
        self.repetition = Repetition(earlier, [one.prompt for one in known.rejected])

    def wrote(self, brief: Brief) -> None:
        """Takes note of one more."""
        self.repetition.add(brief.prompt)
        prompts, titles = self.ground.prompts, self.ground.titles
        self.ground = replace(
            self.ground, prompts=(brief.prompt, *prompts), titles=(brief.title, *titles)
        )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A brief, who wrote it, and of what."""

    brief: Brief
    source: str
    state: SuggestionState = SuggestionState.PENDING


class _Writing:
    """A batch in the hands of one worker."""

    def __init__(self, desk: Desk, batch: Batch, lease: Lease) -> None:
        self._desk = desk
        self._batch = batch
        self._lease = lease
        self._model = desk.model
        self._shelves: dict[str, _Shelf] = {}

    async def beat(self) -> None:
        """Renews the lease. Raises LeaseLost."""
        async with self._desk.catalog.changing() as tx:
            await tx.batch_ledger.renew(self._batch, self._lease)
            await tx.commit()

    async def settle(self) -> Batch:
        """Writes, and ends the batch as that went."""
        try:
            await self._write()
        except LeaseLost:
            raise
        except asyncio.CancelledError:
            # The process is to end. The next one need not wait until the lease runs out.
            await see_through(self._give_back())
            raise
        except _PASSING as error:
            last = self._batch.attempt >= self._desk.max_attempts
            state = BatchState.FAILED if last else BatchState.QUEUED
            return await self._end(state, Trouble(error.reason, error.message))
        except ColonnadeError as error:
            return await self._end(BatchState.FAILED, Trouble(error.reason, error.message))
        except Exception as error:
            log.exception("suggestion batch %s broke off", self._batch.id)
            text = f"the writing broke off: {type(error).__name__}; the log tells why"
            return await self._end(BatchState.FAILED, Trouble("INTERNAL", text))
        return await self._end(BatchState.SUCCEEDED, self._batch.trouble)

    async def _write(self) -> None:
        async with self._desk.catalog.reading() as catalog:
            key = Key(self._batch.persona, self._batch.gap_report)
            report = await catalog.reports.get(key)
            written = await catalog.suggestions.of_batch(self._batch.id)
        order = ranking(report, self._batch.pillars, self._batch.count)
        if not order:
            self._note("NOTHING_MISSING", "every pillar is covered; name pillars to go beyond")
        there = Counter(suggestion.pillar for suggestion in written)
        rank = max((suggestion.rank for suggestion in written), default=0)
        done = {s.pillar for s in written if s.state is SuggestionState.NEEDS_MANUAL}
        for place, gap in enumerate(order):
            pillar = pillar_id(gap)
            if there[pillar]:
                there[pillar] -= 1
            elif pillar not in done:
                before = sum(other is gap for other in order[:place])
                state = await self._suggest(report, gap, before, rank + 1)
                rank += state is not None
                if state is not SuggestionState.PENDING:
                    done.add(pillar)

    async def _suggest(
        self, report: GapReport, gap: PillarGap, before: int, rank: int
    ) -> SuggestionState | None:
        """Writes one more for a pillar; None if there was nothing to write or the pillar is gone.

        ``before`` suggestions for the same pillar come before it in this batch.
        """
        shelf = await self._shelf(pillar_id(gap))
        if shelf is None:
            return None
        wish, inputs = await self._desk.pool.run(_told, shelf.ground)
        draft = await self._draft(shelf, wish, inputs)
        if draft is None:
            self._batch = replace(self._batch, exhausted=True)
            return None
        text = f"{draft.brief.title} {draft.brief.prompt}"
        ids = await self._desk.pool.run(nearest, text, shelf.ground.seen, MAX_NEAREST)
        now = self._desk.clock.now()
        suggestion = Suggestion(
            persona=self._batch.persona,
            id=uuid7(),
            pillar=shelf.ground.pillar.id,
            brief=draft.brief,
            create_time=now,
            update_time=now,
            source=draft.source,
            batch=self._batch.id,
            gap_report=self._batch.gap_report,
            reason=reason_of(report, gap, before, wish.lacks if wish else ()),
            gap=gap.gap,
            rank=rank,
            nearest=tuple(ids),
            state=draft.state,
            inputs=inputs,
        )
        try:
            await self._store(suggestion)
        except NotFound:
            return None
        await self._desk.pool.run(shelf.wrote, draft.brief)
        return draft.state

    async def _draft(
        self, shelf: _Shelf, wish: Wish | None, inputs: dict[str, Any]
    ) -> _Draft | None:
        """A brief that repeats nothing; None if every try did."""
        refused: list[Brief] = []
        while len(refused) < _ASKS:
            draft = await self._asked(shelf, wish, inputs, refused)
            if draft.state is SuggestionState.NEEDS_MANUAL:
                return draft
            if not await self._desk.pool.run(shelf.repetition.refuses, draft.brief.prompt):
                return draft
            refused.append(draft.brief)
        return None

    async def _asked(
        self, shelf: _Shelf, wish: Wish | None, inputs: dict[str, Any], refused: Sequence[Brief]
    ) -> _Draft:
        """What the model writes, else what the templates write, else a blank for a person."""
        written = await self._by_model(shelf, inputs, refused)
        if written is not None:
            return written
        if wish is not None:
            brief = await self._desk.pool.run(
                offline_brief, shelf.ground, wish, shelf.repetition, len(refused)
            )
            if brief is not None:
                return _Draft(brief, SOURCE)
        name = shelf.ground.pillar.display_name
        self._note("NOTHING_TO_SAY", f"the guidelines of {name} leave nothing to show")
        return _Draft(_blank(shelf.ground), SOURCE, SuggestionState.NEEDS_MANUAL)

    async def _by_model(
        self, shelf: _Shelf, inputs: dict[str, Any], refused: Sequence[Brief]
    ) -> _Draft | None:
        """What the model writes; None if there is none, or nothing that can be used."""
        if self._model is None:
            return None
        try:
            brief = await ask_model(self._model, shelf.ground, inputs, refused)
        except ChatFailed as error:
            self._note("MODEL_UNAVAILABLE", f"{error}; templates wrote instead")
            # It is not asked again for this batch: each further question would wait as long.
            self._model = None
            return None
        except Unusable as error:
            text = f"the language model wrote no brief: {error}; a template did instead"
            self._note("MODEL_UNUSABLE", text)
            return None
        return _Draft(brief, self._model.name)

    async def _store(self, suggestion: Suggestion) -> None:
        async with self._desk.catalog.changing() as tx:
            batch = await tx.batch_ledger.count_one(self._batch, self._lease)
            await tx.suggestions.add(suggestion)
            await tx.commit()
        self._batch = replace(self._batch, written=batch.written)

    async def _shelf(self, pillar: str) -> _Shelf | None:
        """What is known of a pillar; None if it is gone."""
        if pillar not in self._shelves:
            key = Key(self._batch.persona, pillar)
            try:
                async with self._desk.catalog.reading() as catalog:
                    persona = await catalog.personas.get(key.persona)
                    found = await catalog.pillars.get(key)
                    seen = await catalog.suggestions.seen(key, _PHOTOS_LOOKED_AT)
                    known = await catalog.suggestions.known(key)
            except NotFound:
                return None
            ground = Ground(
                voice=persona.voice,
                pillar=found,
                seen=seen,
                prompts=tuple(one.prompt for one in known.recent),
                titles=tuple(one.title for one in known.recent),
                rejected=tuple((one.prompt, one.reject_reason) for one in known.rejected),
            )
            self._shelves[pillar] = await self._desk.pool.run(_Shelf, ground, known)
        return self._shelves[pillar]

    async def _end(self, state: BatchState, trouble: Trouble | None) -> Batch:
        ended = None if state is BatchState.QUEUED else self._desk.clock.now()
        batch = replace(self._batch, state=state, trouble=trouble, end_time=ended)
        async with self._desk.catalog.changing() as tx:
            await tx.batch_ledger.end(batch, self._lease)
            await tx.commit()
        return batch

    async def _give_back(self) -> None:
        with suppress(ColonnadeError):
            async with self._desk.catalog.changing() as tx:
                await tx.batch_ledger.give_back(self._batch, self._lease)
                await tx.commit()

    def _note(self, reason: str, message: str) -> None:
        """Keeps what went wrong first; the rest mostly follows from it."""
        if self._batch.trouble is None:
            self._batch = replace(self._batch, trouble=Trouble(reason, message))


def _told(ground: Ground) -> tuple[Wish | None, dict[str, Any]]:
    """What is due next, and all that its writer is told."""
    wish = wish_of(ground)
    return wish, inputs_of(ground, wish)


def _blank(ground: Ground) -> Brief:
    """What a person is to fill in."""
    name = ground.pillar.display_name
    return Brief("Write this one yourself", f"Nothing could be written for {name}.", "")
