"""The gRPC face of runs: candidates, votes, winners."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from colonnade.catalog.v1 import run_pb2
from colonnade.catalog.v1 import run_service_pb2 as pb
from colonnade.catalog.v1.run_service_pb2_grpc import RunServiceServicer

from libs.clock import Clock
from libs.ids import uuid7
from libs.rpc.call import current_call
from libs.rpc.masks import merged
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.catalog import run_filters
from services.catalog.chunks import UploadStream
from services.catalog.convert import runs
from services.catalog.domain.blobs import Rendition
from services.catalog.domain.names import (
    candidate_key,
    lineage_key,
    persona_id,
    pillar_of,
    run_key,
)
from services.catalog.domain.run import Run
from services.catalog.ports import Listing
from services.catalog.usecases.all import UseCases

Context = grpc.aio.ServicerContext[Any, Any]

_PODIUM = 3
_RENDITIONS = {
    pb.ReadCandidateMediaRequest.RENDITION_UNSPECIFIED: Rendition.ORIGINAL,
    pb.ReadCandidateMediaRequest.RENDITION_ORIGINAL: Rendition.ORIGINAL,
    pb.ReadCandidateMediaRequest.RENDITION_THUMBNAIL: Rendition.THUMBNAIL,
}


class RunServicer(RunServiceServicer):
    """``colonnade.catalog.v1.RunService``. ``max_upload`` is in bytes."""

    def __init__(self, cases: UseCases, tokens: PageTokens, clock: Clock, max_upload: int) -> None:
        self._cases = cases
        self._tokens = tokens
        self._clock = clock
        self._max_upload = max_upload

    async def CreateRun(self, request: pb.CreateRunRequest, context: Context) -> run_pb2.Run:
        persona = persona_id(request.parent, "parent")
        run = runs.new_run(request.run, persona, uuid7(), self._clock.now())
        key = request_of(request, "CreateRun")
        return runs.run_message(await self._cases.runs.create(run, key))

    async def UpdateRun(self, request: pb.UpdateRunRequest, context: Context) -> run_pb2.Run:
        def change(run: Run) -> Run:
            message = merged(runs.run_message(run), request.run, request.update_mask, "run")
            return runs.with_fields(run, message)

        name = run_key(request.run.name, "run.name")
        key = request_of(request, "UpdateRun")
        return runs.run_message(await self._cases.runs.update(name, change, request.run.etag, key))

    async def CancelRun(
        self, request: pb.CancelRunRequest, context: Context
    ) -> pb.CancelRunResponse:
        name, key = run_key(request.name), request_of(request, "CancelRun")
        run = await self._cases.runs.cancel(name, request.etag, key)
        return pb.CancelRunResponse(run=runs.run_message(run))

    async def UploadCandidate(
        self, requests: AsyncIterator[pb.UploadCandidateRequest], context: Context
    ) -> pb.UploadCandidateResponse:
        stream = UploadStream(requests)
        async with stream.heard_out(self._max_upload):
            upload = runs.upload_of(await stream.header())
            received = await self._cases.candidates.receive(upload, stream.chunks())
        return runs.received_message(received)

    async def GetCandidate(
        self, request: pb.GetCandidateRequest, context: Context
    ) -> run_pb2.Candidate:
        shown = await self._cases.candidates.get(candidate_key(request.name))
        return runs.candidate_message(shown.candidate, scored=shown.scored)

    async def ListCandidates(
        self, request: pb.ListCandidatesRequest, context: Context
    ) -> pb.ListCandidatesResponse:
        listing = ("ListCandidates", request.parent, request.filter, request.order_by)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        run = run_key(request.parent, "parent")
        conditions = run_filters.candidate_conditions(request.filter)
        order = run_filters.candidate_order(request.order_by)
        rows = Listing(wanted, conditions, order=order)
        page, scored = await self._cases.candidates.page(run, rows)
        return pb.ListCandidatesResponse(
            candidates=[runs.candidate_message(c, scored=scored) for c in page.rows],
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ReadCandidateMedia(
        self, request: pb.ReadCandidateMediaRequest, context: Context
    ) -> AsyncIterator[pb.ReadCandidateMediaResponse]:
        rendition = _RENDITIONS[request.rendition]
        media = await self._cases.media.read_candidate(
            candidate_key(request.name), rendition, request.offset, request.length
        )
        yield runs.media_info(media)
        async for chunk in media.chunks:
            yield pb.ReadCandidateMediaResponse(chunk=chunk)

    async def RejectCandidate(
        self, request: pb.RejectCandidateRequest, context: Context
    ) -> pb.RejectCandidateResponse:
        name, key = candidate_key(request.name), request_of(request, "RejectCandidate")
        candidate = await self._cases.candidates.reject(name, request.cascade, key)
        message = runs.candidate_message(candidate, scored=False)
        return pb.RejectCandidateResponse(candidate=message)

    async def GetNextPair(
        self, request: pb.GetNextPairRequest, context: Context
    ) -> pb.GetNextPairResponse:
        pair = await self._cases.voting.next_pair(run_key(request.name), request.confidence)
        return runs.pair_message(pair)

    async def RecordVote(
        self, request: pb.RecordVoteRequest, context: Context
    ) -> pb.RecordVoteResponse:
        run = run_key(request.name)
        winner = candidate_key(request.winner, "winner")
        loser = candidate_key(request.loser, "loser")
        key = request_of(request, "RecordVote")
        vote = await self._cases.voting.record(run, winner, loser, _caller(), key)
        return pb.RecordVoteResponse(vote=runs.vote_message(vote))

    async def UndoVote(self, request: pb.UndoVoteRequest, context: Context) -> pb.UndoVoteResponse:
        key = request_of(request, "UndoVote")
        vote = await self._cases.voting.undo(run_key(request.name), _caller(), key)
        return pb.UndoVoteResponse(vote=runs.vote_message(vote))

    async def GetLeaderboard(
        self, request: pb.GetLeaderboardRequest, context: Context
    ) -> pb.GetLeaderboardResponse:
        run, size = run_key(request.name), request.size or _PODIUM
        board = await self._cases.voting.leaderboard(run, size)
        return pb.GetLeaderboardResponse(
            candidates=[runs.candidate_message(c, scored=True) for c in board.candidates],
            probability=board.probability,
            leader=board.leader,
        )

    async def ChooseWinner(
        self, request: pb.ChooseWinnerRequest, context: Context
    ) -> pb.ChooseWinnerResponse:
        name, key = candidate_key(request.name), request_of(request, "ChooseWinner")
        return runs.chosen_message(await self._cases.winners.choose(name, key))

    async def UnchooseWinner(
        self, request: pb.UnchooseWinnerRequest, context: Context
    ) -> pb.UnchooseWinnerResponse:
        name, key = run_key(request.name), request_of(request, "UnchooseWinner")
        run = await self._cases.winners.unchoose(name, request.etag, key)
        return pb.UnchooseWinnerResponse(run=runs.run_message(run))

    async def PlaceWinner(
        self, request: pb.PlaceWinnerRequest, context: Context
    ) -> pb.PlaceWinnerResponse:
        name, key = run_key(request.name), request_of(request, "PlaceWinner")
        pillar = pillar_of(name.persona, request.pillar, "pillar") if request.pillar else ""
        ending = await self._cases.winners.place(name, pillar, request.etag, key)
        return runs.placed_message(ending)

    async def ListWinnersWithoutPhoto(
        self, request: pb.ListWinnersWithoutPhotoRequest, context: Context
    ) -> pb.ListWinnersWithoutPhotoResponse:
        listing = ("ListWinnersWithoutPhoto", request.parent)
        wanted = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent, "parent")
        page = await self._cases.winners.without_photo(persona, Listing(wanted, descending=True))
        return pb.ListWinnersWithoutPhotoResponse(
            runs=map(runs.run_message, page.rows),
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def GetLineage(
        self, request: pb.GetLineageRequest, context: Context
    ) -> pb.GetLineageResponse:
        lineage = self._cases.lineage
        reads = {"runs": lineage.of_run, "photos": lineage.of_photo, "posts": lineage.of_post}
        kind, key = lineage_key(request.name)
        return runs.lineage_message(await reads[kind](key))


def _caller() -> str:
    """Who asks: the name of the key, ``anonymous`` without one."""
    call = current_call.get()
    return call.caller if call else "anonymous"
