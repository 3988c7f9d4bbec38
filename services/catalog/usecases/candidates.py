"""Candidates: take them in, read them, take them out."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from libs.blobs.store import BlobStore
from libs.clock import Clock
from libs.ids import uuid7
from libs.rpc.paging import Page
from libs.rpc.requests import RequestKey
from services.catalog.domain.candidate import (
    MAX_CANDIDATES,
    Candidate,
    CandidateState,
    moved,
    too_many,
)
from services.catalog.domain.names import CandidateKey, Key, candidate_key, no_candidate
from services.catalog.domain.persona import Persona, require_active
from services.catalog.domain.photo import Picture
from services.catalog.domain.run import Run, check_open, opened, voting_goes_on
from services.catalog.ports import Catalog, Changing, Listing, Pictures
from services.catalog.spool import Spool
from services.catalog.usecases.requests import answered, finish, touched
from services.catalog.usecases.uploads import UploadLimits, check_digest, keep_bytes
from services.catalog.usecases.voting import VotingCases
from services.catalog.usecases.winners import withdrawn


@dataclass(frozen=True, slots=True)
class CandidateUpload:
    """Which run a picture is for. ``sha256`` may be empty."""

    run: Key
    file_name: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedCandidate:
    """The candidate of an upload; ``duplicate``: the run had these bytes already."""

    candidate: Candidate
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A candidate, and whether its score may be seen."""

    candidate: Candidate
    scored: bool


class CandidateCases:
    """What can be done with candidates but for comparing them."""

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        pictures: Pictures,
        clock: Clock,
        limits: UploadLimits,
        voting: VotingCases,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._pictures = pictures
        self._clock = clock
        self._limits = limits
        self._voting = voting

    async def receive(
        self, upload: CandidateUpload, chunks: AsyncIterator[bytes]
    ) -> ReceivedCandidate:
        """Takes in the picture that ``chunks`` make up, as photos are taken in.

        Raises NotFound, FailedPrecondition (ARCHIVED, RUN_CLOSED, TOO_MANY_CANDIDATES),
        InvalidArgument (UNSUPPORTED_IMAGE, DAMAGED_IMAGE, HASH_MISMATCH), OutOfQuota
        (IMAGE_TOO_LARGE).
        """
        persona, known = await self._look(upload)
        if known is not None:
            return ReceivedCandidate(known, duplicate=True)
        with Spool(self._limits.max_bytes, self._limits.in_memory) as spool:
            await spool.fill(chunks)
            check_digest(upload.sha256, spool.sha256)
            zone = ZoneInfo(persona.time_zone)
            examined = await self._pictures.examine(spool.file, spool.sha256, zone)
            await keep_bytes(self._catalog, self._blobs, spool, examined)
        return await self._keep(self._candidate(upload, examined.picture))

    async def get(self, key: CandidateKey) -> Shown:
        """Raises NotFound."""
        async with self._catalog.reading() as catalog:
            candidate = await catalog.candidates.get(key)
            scored = await self._voting.over(catalog, key.run_key)
        return Shown(candidate, scored)

    async def page(self, run: Key, listing: Listing) -> tuple[Page[Candidate], bool]:
        """One page, and whether scores may be seen. Raises NotFound for an unknown run,
        FailedPrecondition (VOTING) where it is to be sorted by scores that are hidden."""
        async with self._catalog.reading() as catalog:
            contest = await catalog.runs.contest(run)
            scored = await self._voting.contest_over(catalog, contest)
            if listing.order == "score" and not scored:
                raise voting_goes_on(contest.run)
            return await catalog.candidates.page(run, listing), scored

    async def reject(self, key: CandidateKey, cascade: bool, request: RequestKey) -> Candidate:
        """Takes a candidate out for good, with ``cascade`` what grew from it too.

        Doing it again changes nothing. Of a winner the choice is taken back first. Raises NotFound,
        FailedPrecondition (PHOTO_IN_USE).
        """
        async with self._catalog.changing() as tx:
            if (known := await answered(tx, request)) is not None:
                return await tx.candidates.get(candidate_key(known))
            run = await tx.runs.locked(key.run_key)
            ids = [key.id, *(await tx.candidates.descendants(key) if cascade else ())]
            found = await tx.candidates.locked(key.run_key, ids)
            if key.id not in found:
                raise no_candidate(*key)
            await self._take_out(tx, run, list(found.values()))
            await finish(tx, request, found[key.id].name)
        return moved(found[key.id], CandidateState.REJECTED, self._clock.now())

    async def _take_out(self, tx: Changing, run: Run, candidates: Sequence[Candidate]) -> None:
        now = self._clock.now()
        out = [c for c in candidates if c.state is not CandidateState.REJECTED]
        if not out:
            return
        await tx.candidates.save([moved(c, CandidateState.REJECTED, now) for c in out])
        lost = run.winner in {c.id for c in out}
        after = await withdrawn(tx, run) if lost else run
        _, active = await tx.candidates.counted(run.key)
        if lost or not run.closed:
            after = opened(after, active)
        if after != run:
            await tx.runs.save(touched(after, now))

    async def _look(self, upload: CandidateUpload) -> tuple[Persona, Candidate | None]:
        async with self._catalog.reading() as catalog:
            run = await catalog.runs.get(upload.run)
            known = None
            if upload.sha256:
                known = await catalog.candidates.of_content(upload.run, upload.sha256)
            persona = await catalog.personas.get(upload.run.persona)
        require_active(persona)
        if known is None:
            check_open(run)
        return persona, known

    async def _keep(self, candidate: Candidate) -> ReceivedCandidate:
        async with self._catalog.changing() as tx:
            require_active(await tx.personas.pinned(candidate.persona))
            run = await tx.runs.locked(candidate.key.run_key)
            twin = await tx.candidates.of_content(run.key, candidate.picture.sha256)
            if twin is not None:
                return ReceivedCandidate(twin, duplicate=True)
            check_open(run)
            in_all, active = await tx.candidates.counted(run.key)
            if in_all >= MAX_CANDIDATES:
                raise too_many(run.name)
            await tx.candidates.add(candidate)
            if (after := opened(run, active + 1)) != run:
                await tx.runs.save(touched(after, self._clock.now()))
            await tx.commit()
        return ReceivedCandidate(candidate)

    def _candidate(self, upload: CandidateUpload, picture: Picture) -> Candidate:
        now = self._clock.now()
        return Candidate(
            persona=upload.run.persona,
            run=upload.run.id,
            id=uuid7(),
            picture=picture,
            create_time=now,
            update_time=now,
            file_name=upload.file_name,
        )
