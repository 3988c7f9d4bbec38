"""Runs with candidates, as people fill and decide them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1 import run_pb2, vote_pb2
from colonnade.catalog.v1 import run_service_pb2 as pb

from libs.ids import uuid7
from tests.integration.catalog.library import Library, picture

_numbers = count(10_000)


@dataclass(frozen=True, slots=True)
class Contests:
    """Makes runs and what they gather."""

    lib: Library

    async def run(self, persona: str, **fields: Any) -> run_pb2.Run:
        """A new run."""
        request = pb.CreateRunRequest(parent=persona, run=run_pb2.Run(**fields))
        return await self.lib.runs.CreateRun(request)

    async def get(self, run: str) -> run_pb2.Run:
        """The run as it is now."""
        return await self.lib.planning.GetRun(planning.GetRunRequest(name=run))

    async def upload(
        self, run: str, data: bytes | None = None, chunk: int = 64 * 1024, **header: Any
    ) -> pb.UploadCandidateResponse:
        """The answer to an upload, of a new picture unless ``data`` is given."""
        data = picture(next(_numbers)) if data is None else data

        async def messages() -> AsyncIterator[pb.UploadCandidateRequest]:
            upload = pb.CandidateUpload(parent=run, **header)
            yield pb.UploadCandidateRequest(header=upload)
            for start in range(0, len(data), chunk):
                yield pb.UploadCandidateRequest(chunk=data[start : start + chunk])

        return await self.lib.runs.UploadCandidate(messages())

    async def candidates(self, run: str, count: int) -> list[str]:
        """The names of new candidates."""
        return [(await self.upload(run)).candidate.name for _ in range(count)]

    async def filled(self, persona: str, count: int = 2, **fields: Any) -> tuple[str, list[str]]:
        """The names of a new run and of its candidates."""
        run = (await self.run(persona, **fields)).name
        return run, await self.candidates(run, count)

    async def shelve(self, run: str, count: int) -> list[str]:
        """The names of candidates that are only rows, without bytes."""
        ids = [uuid7() for _ in range(count)]
        for id in ids:
            await self.lib.rows(
                "INSERT INTO catalog.candidates (id, run_id, step, state, sha256, mime_type, "
                "size_bytes, width, height, thumbnail_sha256, measures, score, votes, create_time, "
                "update_time) VALUES (:id, :run, 1, 'ACTIVE', :digest, 'image/jpeg', 1, 1, 1, "
                ":digest, '[]', 1000, 0, now(), now())",
                id=id,
                run=run.rpartition("/")[2],
                digest=id,
            )
        await self.lib.rows(
            "UPDATE catalog.runs SET state = 'WAITING' WHERE id = :id", id=run.rpartition("/")[2]
        )
        return [f"{run}/candidates/{id}" for id in ids]

    async def vote(self, winner: str, loser: str, **fields: Any) -> vote_pb2.Vote:
        """A vote."""
        run = winner.partition("/candidates/")[0]
        request = pb.RecordVoteRequest(name=run, winner=winner, loser=loser, **fields)
        return (await self.lib.runs.RecordVote(request)).vote

    async def next(self, run: str, **fields: Any) -> pb.GetNextPairResponse:
        """What to ask next."""
        return await self.lib.runs.GetNextPair(pb.GetNextPairRequest(name=run, **fields))

    async def choose(self, candidate: str, **fields: Any) -> pb.ChooseWinnerResponse:
        """Makes it the winner."""
        return await self.lib.runs.ChooseWinner(pb.ChooseWinnerRequest(name=candidate, **fields))

    async def scores(self, run: str) -> dict[str, tuple[int, int]]:
        """The score and the votes of each candidate, by its name."""
        rows = await self.lib.rows(
            "SELECT id, score, votes FROM catalog.candidates WHERE run_id = :run",
            run=run.rpartition("/")[2],
        )
        return {f"{run}/candidates/{row.id}": (row.score, row.votes) for row in rows}
