"""``colonnade runs``: from uploaded pictures over votes to a winner."""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1 import run_service_pb2 as pb
from colonnade.catalog.v1.run_pb2 import Candidate, Run
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.connection import Suite
from cli.names import below, persona_name
from cli.output import (
    JsonOption,
    dimmed,
    entry,
    err,
    indented,
    last_part,
    line,
    out,
    print_json,
    table,
    word,
)
from cli.run import FAILED, with_suite
from libs.errors import AlreadyExists, ColonnadeError, InvalidArgument, NotFound

app = typer.Typer(help="Attempts to create a picture.", no_args_is_help=True)

RunName = Annotated[str, typer.Argument(help="personas/…/runs/…")]
CandidateId = Annotated[str, typer.Argument(help="The id of a candidate, or its whole name.")]
UrlOption = Annotated[
    str, typer.Option("--url", envvar="COLONNADE_URL", help="Where the gateway is.")
]
Confidence = Annotated[
    float,
    typer.Option(
        help="How sure of the leader to be, 0.5 to 1; 1 asks every pair.",
        show_default=False,
    ),
]
_URL = "http://127.0.0.1:8080"
_CHUNK = 256 * 1024


class Side(StrEnum):
    """Which of two pictures is better."""

    LEFT = "left"
    RIGHT = "right"


@app.command("list")
def list_runs(
    persona: str,
    filter: Annotated[str, typer.Option(help='Such as pillar = "none".')] = "",
    unplaced: Annotated[
        bool, typer.Option("--unplaced", help="Those whose winner is no photo yet.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many at most, 1 to 200.")] = 50,
    json: JsonOption = False,
) -> None:
    """Lists runs, newest first."""
    parent = persona_name(persona)

    async def work(suite: Suite) -> Sequence[Run]:
        if unplaced:
            asked = pb.ListWinnersWithoutPhotoRequest(parent=parent, page_size=limit)
            return (await suite.runs.ListWinnersWithoutPhoto(asked)).runs
        request = planning.ListRunsRequest(parent=parent, filter=filter, page_size=limit)
        return (await suite.planning.ListRuns(request)).runs

    found = with_suite(work)
    if json:
        return print_json(list(found))
    for run in found:
        _show_head(run)
    return None


@app.command()
def show(run: RunName, json: JsonOption = False) -> None:
    """Shows a run and all that came of it: candidates, votes, photo, posts."""
    request = pb.GetLineageRequest(name=run)
    told = with_suite(lambda suite: suite.runs.GetLineage(request))
    if json:
        return print_json(told)
    _show_lineage(told)
    return None


@app.command()
def lineage(
    name: Annotated[str, typer.Argument(help="A run, a photo or a post, by its name.")],
    json: JsonOption = False,
) -> None:
    """Tells where a photo came from and where it went."""
    request = pb.GetLineageRequest(name=name)
    told = with_suite(lambda suite: suite.runs.GetLineage(request))
    if json:
        return print_json(told)
    _show_lineage(told)
    return None


@app.command()
def create(
    persona: str,
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    pillar: Annotated[str, typer.Option(help="The pillar that its winner goes to.")] = "",
    prompt: Annotated[str, typer.Option(help="What the picture is to show.")] = "",
    suggestion: Annotated[str, typer.Option(help="The suggestion that it uses.")] = "",
    cluster: Annotated[str, typer.Option(help="A curated cluster to add the winner to.")] = "",
    json: JsonOption = False,
) -> None:
    """Creates a run."""
    parent = persona_name(persona)
    wanted = Run(
        display_name=title,
        pillar=below(parent, "pillars", pillar) if pillar else "",
        prompt=prompt,
        suggestion=below(parent, "suggestions", suggestion) if suggestion else "",
        cluster=below(parent, "clusters", cluster) if cluster else "",
    )
    request = pb.CreateRunRequest(parent=parent, run=wanted)
    made = with_suite(lambda suite: suite.runs.CreateRun(request))
    print_json(made) if json else show_run(made)


@app.command()
def upload(
    run: RunName,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Pictures.")],
    json: JsonOption = False,
) -> None:
    """Adds pictures to a run; those that it has already are told of."""

    async def work(suite: Suite) -> tuple[list[pb.UploadCandidateResponse], int]:
        answers, failed = [], 0
        columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("uploading", total=len(files))
            for file in files:
                try:
                    answers.append(await upload_candidate(suite, run, file))
                except InvalidArgument as error:
                    failed += 1
                    what = error.violations[0].description if error.violations else error.message
                    err.print(f"[red]{escape(file.name)}[/red]: {escape(what)}")
                bar.advance(task)
        return answers, failed

    answers, failed = with_suite(work)
    if json:
        print_json(list(answers))
    else:
        for answer in answers:
            told = "there already" if answer.duplicate else "added"
            entry(answer.candidate.file_name, told, last_part(answer.candidate.name))
    if failed:
        raise typer.Exit(FAILED)


async def upload_candidate(suite: Suite, run: str, file: Path) -> pb.UploadCandidateResponse:
    """The answer to an upload of ``file``."""

    async def messages() -> AsyncIterator[pb.UploadCandidateRequest]:
        header = pb.CandidateUpload(parent=run, file_name=file.name)
        yield pb.UploadCandidateRequest(header=header)
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                yield pb.UploadCandidateRequest(chunk=chunk)

    return await suite.runs.UploadCandidate(messages())


@app.command("next")
def next_pair(
    run: RunName, confidence: Confidence = 0.0, url: UrlOption = _URL, json: JsonOption = False
) -> None:
    """Shows the two candidates to compare next, or why voting is over."""
    request = pb.GetNextPairRequest(name=run, confidence=confidence)
    pair = with_suite(lambda suite: suite.runs.GetNextPair(request))
    if json:
        return print_json(pair)
    _show_pair(pair, url)
    return None


@app.command()
def vote(
    run: RunName,
    better: Annotated[
        Side | None, typer.Argument(help="Of the pair that `next` shows. Left out: asks.")
    ] = None,
    confidence: Confidence = 0.0,
    url: UrlOption = _URL,
    json: JsonOption = False,
) -> None:
    """Says which of two candidates is better; without a side it asks until voting is over."""
    request = pb.GetNextPairRequest(name=run, confidence=confidence)

    async def once(suite: Suite) -> pb.RecordVoteResponse | None:
        pair = await suite.runs.GetNextPair(request)
        if better is None or pair.done:
            return None
        return await suite.runs.RecordVote(_ballot(run, pair, better))

    if better is None:
        if json:
            raise typer.BadParameter("say left or right; --json does not ask")
        return with_suite(lambda suite: _ask(suite, request, url))
    answer = with_suite(once)
    if answer is None:
        err.print("voting is over; [bold]colonnade runs next[/bold] says why")
        raise typer.Exit(FAILED)
    print_json(answer) if json else _tell_vote(answer)
    return None


async def _ask(suite: Suite, request: pb.GetNextPairRequest, url: str) -> None:
    """Asks one pair after the other, until voting is over or the person is."""
    while True:
        pair = await suite.runs.GetNextPair(request)
        _show_pair(pair, url)
        if pair.done:
            return
        said = typer.prompt("Better (left, right, undo, stop)").strip().lower()
        try:
            if said in ("stop", "s", "quit", "q"):
                return
            if said in ("undo", "u"):
                await suite.runs.UndoVote(pb.UndoVoteRequest(name=request.name))
                line("taken back")
            elif sides := [side for side in Side if said and side.startswith(said)]:
                await suite.runs.RecordVote(_ballot(request.name, pair, sides[0]))
            else:
                line("say left, right, undo or stop")
        except AlreadyExists:
            line("somebody was faster")
        except ColonnadeError as error:
            line(f"[yellow]{escape(error.message)}[/yellow]")


def _ballot(run: str, pair: pb.GetNextPairResponse, better: Side) -> pb.RecordVoteRequest:
    left, right = pair.left.name, pair.right.name
    winner, loser = (left, right) if better is Side.LEFT else (right, left)
    return pb.RecordVoteRequest(name=run, winner=winner, loser=loser)


@app.command()
def undo(run: RunName, json: JsonOption = False) -> None:
    """Takes the last vote back that you cast."""
    request = pb.UndoVoteRequest(name=run)
    answer = with_suite(lambda suite: suite.runs.UndoVote(request))
    print_json(answer) if json else line("taken back; the pair can be asked again")


@app.command()
def leaderboard(
    run: RunName,
    size: Annotated[int, typer.Option(min=1, max=50, help="How many.")] = 3,
    json: JsonOption = False,
) -> None:
    """Shows who leads, scores included."""
    request = pb.GetLeaderboardRequest(name=run, size=size)
    board = with_suite(lambda suite: suite.runs.GetLeaderboard(request))
    if json:
        return print_json(board)
    _show_candidates(board.candidates)
    if board.leader:
        _tell_leader(board.leader, board.probability)
    return None


@app.command()
def winner(
    run: RunName,
    candidate: Annotated[str, typer.Argument(help="Its id. Left out: who leads.")] = "",
    take_back: Annotated[
        bool, typer.Option("--take-back", help="Takes the choice back instead.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Chooses the winner of a run; with a pillar, it becomes a photo of it."""

    async def work(suite: Suite) -> pb.ChooseWinnerResponse | pb.UnchooseWinnerResponse:
        if take_back:
            return await suite.runs.UnchooseWinner(pb.UnchooseWinnerRequest(name=run))
        name = below(run, "candidates", candidate) if candidate else await _leader(suite, run)
        return await suite.runs.ChooseWinner(pb.ChooseWinnerRequest(name=name))

    answer = with_suite(work)
    if json:
        return print_json(answer)
    show_run(answer.run)
    if answer.run.winner and not answer.run.photo:
        line("[yellow]no photo yet[/yellow]: the run has no pillar; place the winner in one")
    return None


async def _leader(suite: Suite, run: str) -> str:
    request = pb.GetLeaderboardRequest(name=run, size=1)
    leader = (await suite.runs.GetLeaderboard(request)).leader
    if not leader:
        raise NotFound("candidate", f"{run}/candidates/-", f"{run} has no candidate that could win")
    return leader


@app.command()
def place(
    run: RunName,
    pillar: Annotated[str, typer.Option(help="Left out: that of the run.")] = "",
    json: JsonOption = False,
) -> None:
    """Makes the winner of a run a photo of a pillar."""
    parent = "/".join(run.split("/")[:2])
    name = below(parent, "pillars", pillar) if pillar else ""
    request = pb.PlaceWinnerRequest(name=run, pillar=name)
    answer = with_suite(lambda suite: suite.runs.PlaceWinner(request))
    print_json(answer) if json else show_run(answer.run)


@app.command()
def reject(
    run: RunName,
    candidate: CandidateId,
    cascade: Annotated[bool, typer.Option("--cascade", help="What grew from it, too.")] = False,
    json: JsonOption = False,
) -> None:
    """Takes a candidate out for good."""
    name = below(run, "candidates", candidate)
    request = pb.RejectCandidateRequest(name=name, cascade=cascade)
    answer = with_suite(lambda suite: suite.runs.RejectCandidate(request))
    print_json(answer) if json else line(f"rejected [bold]{last_part(name)}[/bold]")


@app.command()
def cancel(run: RunName, json: JsonOption = False) -> None:
    """Stops a run that has no winner."""
    answer = with_suite(lambda suite: suite.runs.CancelRun(pb.CancelRunRequest(name=run)))
    print_json(answer) if json else show_run(answer.run)


def show_run(run: Run) -> None:
    """A run as a card."""
    _show_head(run)
    if run.prompt:
        indented(run.prompt)
    for label, value in (
        ("From", run.suggestion),
        ("Winner", last_part(run.winner)),
        ("Photo", run.photo),
        ("Cluster", run.cluster),
    ):
        if value:
            indented(f"{label}:")
            dimmed(value)


def _show_head(run: Run) -> None:
    told = f"{last_part(run.pillar) or 'no pillar'}, {word(Run.State, run.state)}"
    entry(run.display_name or "run", told, run.name)


def _show_lineage(told: pb.GetLineageResponse) -> None:
    if told.HasField("run"):
        show_run(told.run)
        _show_candidates(told.candidates)
        if told.candidate_count > len(told.candidates):
            line(f"and {told.candidate_count - len(told.candidates)} more candidates")
        line(f"{told.vote_count} votes count")
    else:
        line("not made here: it was imported")
    if told.HasField("photo"):
        entry(told.photo.file_name or "photo", last_part(told.photo.pillar), told.photo.name)
        for post in told.photo.posts:
            entry("post", post.state.lower(), post.post)


def _show_candidates(candidates: Sequence[Candidate]) -> None:
    rows = [
        (
            last_part(each.name),
            each.file_name,
            f"{each.score:.0f}" if each.score else "-",
            each.vote_count,
            word(Candidate.State, each.state),
        )
        for each in candidates
    ]
    table("Candidates", ("candidate", "file", "#score", "#votes", "state"), rows, whole="candidate")


def _show_pair(pair: pb.GetNextPairResponse, url: str) -> None:
    if pair.done:
        reason = word(pb.GetNextPairResponse.Reason, pair.reason)
        line(f"voting is over ({reason}) after {pair.vote_count} of {pair.pair_count} pairs")
        if pair.leader:
            _tell_leader(pair.leader, pair.probability)
        return
    line(f"pair {pair.vote_count + 1} of {pair.pair_count} at most")
    for side, candidate in (("left", pair.left), ("right", pair.right)):
        out.print(f"  [bold]{side:<5}[/bold] {escape(candidate.file_name)}")
        # In one piece: a terminal opens it with a click.
        out.print(f"        {url}{candidate.content_uri}", markup=False, soft_wrap=True)


def _tell_leader(leader: str, probability: float) -> None:
    line(f"the best is, with a probability of {probability:.0%},")
    dimmed(last_part(leader))


def _tell_vote(answer: pb.RecordVoteResponse) -> None:
    better, other = last_part(answer.vote.winner), last_part(answer.vote.loser)
    line(f"[bold]{better}[/bold] is better than")
    line(other)
