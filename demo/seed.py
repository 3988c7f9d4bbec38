"""``make seed-demo``: a persona, three pillars, and a run from its candidates to its photo.

Each step looks at what is there and does what is missing, so that a second time changes nothing.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1 import run_service_pb2 as pb
from colonnade.catalog.v1.persona_pb2 import LibraryStats
from colonnade.catalog.v1.run_pb2 import Candidate, Run
from rich.markup import escape

from cli.connection import Suite, Target, connect
from cli.output import err, last_part
from cli.photos import quoted
from cli.runs import upload_candidate
from demo import steps
from demo.children import Ports, running
from demo.pictures import draw_library
from demo.plan import Plan, sample_plan
from demo.show import Show
from libs.embedded.errors import EngineError
from libs.errors import ColonnadeError
from libs.rpc.contracts import SERVICES

TITLE = "A first cup"
PROMPT = "A cup of coffee by a window, morning light, steam."
# What the file of a picture says that shows what was asked for.
ASKED_FOR = "window"
CANDIDATES = 5
# The least that the library of the demo draws, and small: nobody looks at them closely.
_PICTURES, _SIZE = 30, 480


def main() -> int:
    """Seeds a running suite, or one that it starts for that; the exit code."""
    arguments = _parse()
    show = Show()
    try:
        if arguments.address:
            asyncio.run(_seed_at(arguments.address, arguments.data, show))
        else:
            grpc, http = arguments.grpc_port, arguments.http_port
            ports = Ports.of(arguments.data / "ports.json", grpc, http)
            show.heading("Start the suite")
            with running(arguments.data, ports):
                asyncio.run(_seed_at(ports.grpc_address, arguments.data, show))
    except (EngineError, ColonnadeError) as error:
        err.print(f"[red]seeding stopped[/red]: {escape(str(error))}")
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.seed", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".data/demo"), help="the data folder")
    parser.add_argument("--address", help="a suite that runs; otherwise one is started")
    parser.add_argument("--grpc-port", type=int, default=50051)
    parser.add_argument("--http-port", type=int, default=8080)
    return parser.parse_args()


async def _seed_at(address: str, data: Path, show: Show) -> None:
    async with connect(Target(dict.fromkeys(SERVICES, address), "")) as suite:
        await seed(suite, sample_plan(data / "candidates"), show)


async def seed(suite: Suite, plan: Plan, show: Show) -> None:
    """Everything that the sample needs, in the suite."""
    show.heading("A persona with three weighted pillars")
    parent = (await steps.persona(suite, plan, show)).name
    await steps.pillars(suite, parent, plan, show)
    show.heading("A run with candidates")
    pillar = plan.pillars[0]
    run = await _run(suite, parent, f"{parent}/pillars/{pillar.id}", show)
    if not run.winner:
        await _candidates(suite, run.name, _drawn(plan, pillar.folders), show)
        show.heading("Votes")
        await _votes(suite, run.name, show)
    show.heading("The winner becomes a photo")
    await _winner(suite, run, show)
    stats = await _stats(suite, parent)
    show.done(
        f"{stats.photos} photos, {stats.awaiting_vote} runs that wait for a vote, "
        f"{stats.winners_without_photo} winners without a photo"
    )


def _drawn(plan: Plan, folders: tuple[str, ...]) -> list[Path]:
    """Pictures of the themes of these folders, drawn by code."""
    manifest = draw_library(plan.folder, count=_PICTURES, size=_SIZE)
    originals = [each.path for each in manifest if each.kind == "original"]
    mine = sorted(path for path in originals if path.split("/")[0] in folders)
    return [plan.folder / path for path in mine[:CANDIDATES]]


async def _run(suite: Suite, parent: str, pillar: str, show: Show) -> Run:
    request = planning.ListRunsRequest(parent=parent, filter=f"pillar = {quoted(pillar)}")
    found = (await suite.planning.ListRuns(request)).runs
    there = [run for run in found if run.display_name == TITLE]
    if there:
        show.there(f"run {TITLE} ({there[0].name})")
        return there[0]
    wanted = Run(display_name=TITLE, pillar=pillar, prompt=PROMPT)
    made = await suite.runs.CreateRun(pb.CreateRunRequest(parent=parent, run=wanted))
    show.done(f"run {made.display_name} ({made.name}) for {last_part(pillar)}")
    return made


async def _candidates(suite: Suite, run: str, files: list[Path], show: Show) -> None:
    answers = [await upload_candidate(suite, run, file) for file in files]
    new = sum(not answer.duplicate for answer in answers)
    show.done(f"{new} candidates uploaded, {len(answers) - new} were there")


async def _votes(suite: Suite, run: str, show: Show) -> None:
    """Votes until voting is over: for what was asked for, or else what comes first by its name."""
    while not (pair := await suite.runs.GetNextPair(pb.GetNextPairRequest(name=run))).done:
        both = sorted((pair.left, pair.right), key=_preference)
        winner, loser = (candidate.name for candidate in both)
        vote = pb.RecordVoteRequest(name=run, winner=winner, loser=loser)
        await suite.runs.RecordVote(vote)
    show.done(
        f"{pair.vote_count} of {pair.pair_count} pairs compared; the leader is the best with a "
        f"probability of {pair.probability:.0%}"
    )


def _preference(candidate: Candidate) -> tuple[bool, str]:
    return ASKED_FOR not in candidate.file_name, candidate.file_name


async def _winner(suite: Suite, run: Run, show: Show) -> None:
    if run.winner:
        show.there(f"winner {run.winner}")
        return
    board = await suite.runs.GetLeaderboard(pb.GetLeaderboardRequest(name=run.name, size=1))
    ended = await suite.runs.ChooseWinner(pb.ChooseWinnerRequest(name=board.leader))
    show.done(f"winner {ended.run.winner}")
    show.done(f"photo {ended.photo.name} in {last_part(ended.photo.pillar)}")


async def _stats(suite: Suite, parent: str) -> LibraryStats:
    request = catalog.GetLibraryStatsRequest(name=f"{parent}/libraryStats")
    return await suite.catalog.GetLibraryStats(request)


if __name__ == "__main__":
    sys.exit(main())
