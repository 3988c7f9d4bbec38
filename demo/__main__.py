"""``make demo``: the main job, from a folder of photos to a published post, on a real suite.

It starts engines of its own and takes no COLONNADE_ setting from the environment.
"""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from rich.markup import escape

from cli.connection import connect
from cli.gaps import show_report as show_gaps
from cli.importing import show_report as show_import
from cli.output import err, out
from demo import steps
from demo.children import Ports, Running, running
from demo.pictures import draw_library
from demo.plan import Plan, plan_for, sample_plan
from demo.show import Show
from demo.week import Entry, planned, publish
from libs.embedded.errors import EngineError
from libs.errors import ColonnadeError


def main() -> int:
    """Runs the demo; the exit code."""
    arguments = _parse()
    if arguments.photos and not arguments.photos.is_dir():
        err.print(f"[red]photos[/red]: {escape(str(arguments.photos))} is not a folder")
        return 2
    try:
        return _demonstrate(arguments, Show())
    except (EngineError, ColonnadeError) as error:
        err.print(f"[red]the demo stopped[/red]: {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        err.print("interrupted; run it again, it goes on from here")
        return 130


def _demonstrate(arguments: argparse.Namespace, show: Show) -> int:
    plan = plan_for(arguments.photos) if arguments.photos else _sample(arguments.data, show)
    ports = Ports.of(arguments.data / "ports.json", arguments.grpc_port, arguments.http_port)
    show.heading("Start the suite: PostgreSQL, Redis, vectors, four services, gateway, workers")
    started = time.monotonic()
    with running(arguments.data, ports) as children:
        show.done(f"ready in {time.monotonic() - started:.1f} s; logs in {arguments.data}")
        week = asyncio.run(_up_to_the_plan(plan, ports, show))
        show.heading("Publish it, and kill the worker between a call and its answer")
        ok = publish(children, ports, week, show)
        if arguments.exit:
            out.print(f"\nIt ends here, as it was asked to; all is kept in {arguments.data}.")
        else:
            _tell_where(ports, plan, arguments.data)
            _serve_until_interrupted(children)
        return 0 if ok else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".data/demo"), help="the data folder")
    parser.add_argument("--photos", type=Path, help="a folder of your own photos")
    parser.add_argument("--exit", action="store_true", help="end when the job is done")
    parser.add_argument("--grpc-port", type=int, default=50051)
    parser.add_argument("--http-port", type=int, default=8080)
    return parser.parse_args()


def _sample(data: Path, show: Show) -> Plan:
    show.heading("Draw a sample library (nothing is downloaded)")
    folder = data / "photos"
    with show.progress("drawing") as advance:
        manifest = draw_library(folder, progress=advance)
    themes = sorted({picture.path.split("/")[0] for picture in manifest})
    show.done(f"{len(manifest)} files in {folder}: {', '.join(themes)}")
    return sample_plan(folder)


async def _up_to_the_plan(plan: Plan, ports: Ports, show: Show) -> list[Entry]:
    async with connect(ports.target) as suite:
        show.heading("A persona with three weighted pillars")
        parent = (await steps.persona(suite, plan, show)).name
        await steps.pillars(suite, parent, plan, show)
        show.heading(f"Import {plan.folder}")
        show_import(await steps.photos(suite, parent, plan))
        show.heading("Embed every photo")
        stats = await steps.embedded(suite, parent, show)
        show.done(f"{stats.embedding_ready} photos embedded, {stats.embedding_failed} failed")
        show.heading("File what came without a pillar")
        await steps.filed(suite, parent, plan, show)
        show.heading("Tell copies, edits and bursts apart")
        await steps.duplicates(suite, parent, show)
        show.heading("Group what belongs together")
        await steps.clusters(suite, parent, show)
        show.heading("What each pillar lacks")
        show_gaps(await steps.gap_report(suite, parent))
        show.heading("What to make next")
        await steps.briefs(suite, parent, show)
        show.heading("Plan a week: which photo when, and why")
        account = ports.stand_in.account("instagram")
        await steps.channel(suite, parent, account, ports.buffer_url, show)
        return await planned(suite, parent, show)


def _tell_where(ports: Ports, plan: Plan, data: Path) -> None:
    out.print("\n[bold]Everything is up:[/bold]")
    for label, where in (
        ("dashboard", f"{ports.http_url}/personas/{plan.persona_id}"),
        ("the posts", f"{ports.http_url}/personas/{plan.persona_id}/posts"),
        ("REST and its docs", f"{ports.http_url}/docs"),
        ("OpenAPI", f"{ports.http_url}/openapi.json"),
        ("gRPC, with reflection", ports.grpc_address),
        ("try", f"grpcurl -plaintext {ports.grpc_address} list"),
        (
            "or",
            f"COLONNADE_ADDRESS={ports.grpc_address} .venv/bin/colonnade gaps {plan.persona_id}",
        ),
        ("data", str(data)),
    ):
        out.print(f"  {label:<22} {where}", markup=False, soft_wrap=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _serve_until_interrupted(children: Running) -> None:
    out.print("\nServing until Ctrl-C.")
    signal.signal(signal.SIGTERM, _interrupt)
    both = (children.suite, children.worker)
    try:
        while not (ended := [child for child in both if child.exit_code is not None]):
            time.sleep(0.2)
    except KeyboardInterrupt:
        out.print("stopping")
        return
    (child, *_) = ended
    raise EngineError(f"{child.name} ended by itself with code {child.exit_code}; see {child.log}")


if __name__ == "__main__":
    sys.exit(main())
