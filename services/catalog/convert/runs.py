"""Runs, candidates, votes, and what became of them."""

from dataclasses import replace
from datetime import datetime

from colonnade.catalog.v1 import catalog_service_pb2, run_pb2, vote_pb2
from colonnade.catalog.v1 import run_service_pb2 as pb

from libs.errors import InvalidArgument
from services.catalog.convert.photos import media_of, photo_message
from services.catalog.convert.suggestions import suggestion_message
from services.catalog.convert.values import number, timestamp
from services.catalog.domain.candidate import Candidate
from services.catalog.domain.names import pillar_key, run_key, suggestion_key
from services.catalog.domain.run import Run
from services.catalog.domain.vote import Vote
from services.catalog.usecases.candidates import CandidateUpload, ReceivedCandidate
from services.catalog.usecases.lineage import Chain
from services.catalog.usecases.media import Media
from services.catalog.usecases.voting import NextPair
from services.catalog.usecases.winners import Ending


def new_run(message: run_pb2.Run, persona: str, id: str, now: datetime) -> Run:
    """A run that people upload pictures to. Raises InvalidArgument naming the field."""
    for field in ("pipeline", "variables"):
        if getattr(message, field):
            raise InvalidArgument.of(
                f"run.{field}", "there are no pipelines yet; leave it out and upload pictures"
            )
    plain = Run(persona=persona, id=id, create_time=now, update_time=now)
    suggestion = ""
    if message.suggestion:
        owner, suggestion = suggestion_key(message.suggestion, "run.suggestion")
        _check_owner(owner, persona, "run.suggestion")
    return replace(with_fields(plain, message), suggestion=suggestion)


def with_fields(run: Run, message: run_pb2.Run) -> Run:
    """``run`` with what callers may set as in ``message``."""
    pillar = ""
    if message.pillar:
        owner, pillar = pillar_key(message.pillar, "run.pillar")
        _check_owner(owner, run.persona, "run.pillar")
    return replace(
        run,
        display_name=message.display_name.strip(),
        pillar=pillar,
        cluster=message.cluster,
        prompt=message.prompt,
    )


def run_message(run: Run) -> run_pb2.Run:
    """The run for the wire."""
    return run_pb2.Run(
        name=run.name,
        display_name=run.display_name,
        pillar=run.pillar_name,
        cluster=run.cluster,
        suggestion=run.suggestion_name,
        prompt=run.prompt,
        state=number(run_pb2.Run.State, "STATE_", run.state),
        winner=run.winner_name,
        photo=run.photo_name,
        create_time=timestamp(run.create_time),
        update_time=timestamp(run.update_time),
        etag=str(run.version),
    )


def candidate_message(candidate: Candidate, *, scored: bool) -> run_pb2.Candidate:
    """The candidate for the wire; with its score only if it may be seen."""
    picture = candidate.picture
    return run_pb2.Candidate(
        name=candidate.name,
        step=candidate.step,
        parent_candidate=candidate.parent_name,
        state=number(run_pb2.Candidate.State, "STATE_", candidate.state),
        sha256=picture.sha256,
        width=picture.width,
        height=picture.height,
        content_uri=f"/v1/{candidate.name}/content",
        thumbnail_uri=f"/v1/{candidate.name}/thumbnail",
        score=candidate.score if scored else 0.0,
        vote_count=candidate.votes,
        create_time=timestamp(candidate.create_time),
        file_name=candidate.file_name,
    )


def vote_message(vote: Vote) -> vote_pb2.Vote:
    """The vote for the wire."""
    return vote_pb2.Vote(
        name=vote.name,
        winner=vote.winner_name,
        loser=vote.loser_name,
        voter=vote.voter,
        create_time=timestamp(vote.create_time),
        retracted=vote.retracted,
    )


def upload_of(header: pb.CandidateUpload) -> CandidateUpload:
    """What the header of an upload asks for."""
    run = run_key(header.parent, "header.parent")
    return CandidateUpload(run, header.file_name, header.sha256)


def received_message(received: ReceivedCandidate) -> pb.UploadCandidateResponse:
    """The answer to an upload."""
    message = candidate_message(received.candidate, scored=False)
    return pb.UploadCandidateResponse(candidate=message, duplicate=received.duplicate)


def media_info(media: Media) -> pb.ReadCandidateMediaResponse:
    """The first message of a rendition."""
    info: catalog_service_pb2.MediaInfo = media_of(media)
    return pb.ReadCandidateMediaResponse(info=info)


def pair_message(pair: NextPair) -> pb.GetNextPairResponse:
    """What to ask next; who leads is told once there is nothing more to ask."""
    message = pb.GetNextPairResponse(vote_count=pair.votes, pair_count=pair.pairs)
    if pair.sides is not None:
        left, right = (candidate_message(side, scored=False) for side in pair.sides)
        message.left.CopyFrom(left)
        message.right.CopyFrom(right)
        return message
    message.done = True
    message.reason = number(pb.GetNextPairResponse.Reason, "REASON_", pair.over)
    message.leader = pair.leader
    message.probability = pair.probability
    return message


def chosen_message(ending: Ending) -> pb.ChooseWinnerResponse:
    """The answer to a choice."""
    photo = photo_message(ending.photo) if ending.photo else None
    return pb.ChooseWinnerResponse(run=run_message(ending.run), photo=photo)


def placed_message(ending: Ending) -> pb.PlaceWinnerResponse:
    """The answer to a placing."""
    photo = photo_message(ending.photo) if ending.photo else None
    return pb.PlaceWinnerResponse(run=run_message(ending.run), photo=photo)


def lineage_message(chain: Chain) -> pb.GetLineageResponse:
    """What came of what, for the wire."""
    suggestion = chain.suggestion
    return pb.GetLineageResponse(
        gap_report=suggestion.gap_report_name if suggestion else "",
        campaign=suggestion.campaign_name if suggestion else "",
        suggestion=suggestion_message(suggestion) if suggestion else None,
        run=run_message(chain.run) if chain.run else None,
        candidates=[candidate_message(c, scored=chain.scored) for c in chain.candidates],
        candidate_count=chain.candidate_count,
        votes=map(vote_message, chain.votes),
        vote_count=chain.vote_count,
        photo=photo_message(chain.photo) if chain.photo else None,
    )


def _check_owner(owner: str, persona: str, field: str) -> None:
    if owner != persona:
        raise InvalidArgument.of(field, f"must be one of personas/{persona}")
