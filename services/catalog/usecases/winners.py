"""Winners of runs, and the photos that they become."""

from dataclasses import dataclass, replace

from libs.clock import Clock
from libs.ids import uuid7
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.candidate import Candidate, CandidateState, check_in, moved, photo_from
from services.catalog.domain.names import CandidateKey, Key, no_candidate, run_key
from services.catalog.domain.persona import require_active
from services.catalog.domain.photo import Photo, check_unused
from services.catalog.domain.run import (
    Run,
    check_not_cancelled,
    no_pillar_for,
    no_winner,
    opened,
    origin_of,
    winner_placed,
    won,
)
from services.catalog.domain.texts import check_etag
from services.catalog.ports import Catalog, Changing, Listing
from services.catalog.usecases.requests import answered, finish, touched


@dataclass(frozen=True, slots=True)
class Ending:
    """A run that is decided, and the photo that its winner became, if it did."""

    run: Run
    photo: Photo | None


class WinnerCases:
    """What can be done with winners. Who closes a run holds it, so that there is one photo."""

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def choose(self, key: CandidateKey, request: RequestKey) -> Ending:
        """Makes a candidate the winner, in place of another; in a run with a pillar, a photo of it.

        Choosing the winner again changes nothing. Raises NotFound, FailedPrecondition (ARCHIVED,
        RUN_CLOSED, CANDIDATE_REJECTED, PHOTO_IN_USE).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await _ending(tx, await tx.runs.get(run_key(known)))
            run = await tx.runs.locked(key.run_key)
            check_not_cancelled(run)
            if run.winner != key.id:
                run = await self._choose(tx, run, key)
            ending = await _ending(tx, run)
            await finish(tx, request, run.name)
        return ending

    async def unchoose(self, key: Key, etag: str, request: RequestKey) -> Run:
        """Takes the choice back, and the photo with it.

        Raises NotFound, Conflict, FailedPrecondition (NO_WINNER, PHOTO_IN_USE).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.runs.get(run_key(known))
            run = await tx.runs.locked(key)
            check_etag(etag, run.version)
            if not run.winner:
                raise no_winner(run)
            now = self._clock.now()
            after = await withdrawn(tx, run)
            await self._stand_down(tx, run)
            _, active = await tx.candidates.counted(key)
            after = touched(opened(after, active), now)
            await tx.runs.save(after)
            await finish(tx, request, after.name)
        return after

    async def place(self, key: Key, pillar: str, etag: str, request: RequestKey) -> Ending:
        """Makes the winner a photo of a pillar, given by its id; empty for that of the run.

        Raises NotFound, Conflict, FailedPrecondition (ARCHIVED, NO_WINNER, NO_PILLAR,
        WINNER_PLACED).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await _ending(tx, await tx.runs.get(run_key(known)))
            run = await tx.runs.locked(key)
            check_etag(etag, run.version)
            if not run.winner:
                raise no_winner(run)
            if run.photo:
                raise winner_placed(run)
            pillar = pillar or run.pillar
            if not pillar:
                raise no_pillar_for(run)
            winner = await tx.candidates.get(CandidateKey(*key, run.winner))
            run = await self._placed(tx, replace(run, pillar=pillar), winner)
            run = touched(run, self._clock.now())
            await tx.runs.save(run)
            ending = await _ending(tx, run)
            await finish(tx, request, run.name)
        return ending

    async def without_photo(self, persona: str, listing: Listing) -> Page[Run]:
        """One page of the runs whose winner is no photo. Raises NotFound."""
        async with self._catalog.reading() as catalog:
            return await catalog.runs.without_photo(persona, listing)

    async def _choose(self, tx: Changing, run: Run, key: CandidateKey) -> Run:
        now = self._clock.now()
        # Before anybody else wins: there can be one at most.
        if run.winner:
            run = await withdrawn(tx, run)
            await self._stand_down(tx, run)
        found = await tx.candidates.locked(key.run_key, (key.id,))
        if key.id not in found:
            raise no_candidate(*key)
        winner = found[key.id]
        check_in(winner)
        require_active(await tx.personas.pinned(run.persona))
        await tx.candidates.save([moved(winner, CandidateState.WINNER, now)])
        run = won(run, winner.id)
        if run.pillar:
            run = await self._placed(tx, run, winner)
        run = touched(run, now)
        await tx.runs.save(run)
        return run

    async def _stand_down(self, tx: Changing, run: Run) -> None:
        found = await tx.candidates.locked(run.key, (run.winner,))
        back = moved(found[run.winner], CandidateState.ACTIVE, self._clock.now())
        await tx.candidates.save([back])

    async def _placed(self, tx: Changing, run: Run, winner: Candidate) -> Run:
        """The run with the photo of its winner: a new one, or the one that has these bytes."""
        require_active(await tx.personas.pinned(run.persona))
        pillar = await tx.pillars.plain(Key(run.persona, run.pillar))
        photo = photo_from(winner, pillar.id, uuid7(), self._clock.now())
        made = await tx.photos.add(photo)
        if not made:
            twin = await tx.photos.of_content(run.persona, winner.picture.sha256)
            assert twin is not None, "the row that was in the way is committed"
            photo = twin
            pillar = await tx.pillars.plain(Key(run.persona, photo.pillar))
        # Of one that was there, too: a post may wait for what this run was to make.
        tx.photo_events.created(photo, pillar, origin_of(run))
        return replace(run, photo=photo.id, photo_made=made)


async def withdrawn(tx: Changing, run: Run) -> Run:
    """The run without its photo, which goes if it was made for this run alone.

    Raises FailedPrecondition (PHOTO_IN_USE).
    """
    if not run.photo:
        return run
    key = Key(run.persona, run.photo)
    photo = await tx.photos.locked(key)
    if photo is not None:
        check_unused(photo)
        if run.photo_made and not await tx.runs.shares_photo(run):
            await tx.photos.delete(key)
            tx.photo_events.deleted(photo)
    return replace(run, photo="", photo_made=False)


async def _ending(tx: Changing, run: Run) -> Ending:
    """The run with its photo, read while the run is held: who chooses next may delete the photo."""
    photo = await tx.photos.get(Key(run.persona, run.photo)) if run.photo else None
    return Ending(run, photo)
