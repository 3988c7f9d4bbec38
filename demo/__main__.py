"""``make demo``: the main job, from a folder of photos to a published post, on a real suite."""

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path

from colonnade.scheduler.v1.post_pb2 import Post, Publication
from rich.markup import escape

from cli.connection import Suite, Target, connect
from cli.gaps import show_report as show_gaps
from cli.importing import show_report as show_import
from cli.output import err, out, word
from demo import steps
from demo.children import Ports, buffer_state, running
from demo.pictures import draw_library
from demo.plan import Plan, plan_for, sample_plan
from demo.show import Show
from libs.embedded.child import ChildProcess
from libs.embedded.errors import EngineError
from libs.errors import ColonnadeError
from libs.rpc.contracts import SERVICES


def main() -> int:
    """Runs the demo; the exit code."""
    arguments = _parse()
    show = Show()
    if arguments.photos and not arguments.photos.is_dir():
        err.print(f"[red]photos[/red]: {arguments.photos} is not a folder")
        return 2
    plan = plan_for(arguments.photos) if arguments.photos else _sample(arguments.data, show)
    ports = Ports.of(arguments.data / "ports.json", arguments.grpc_port, arguments.http_port)
    show.heading("Start the suite: PostgreSQL, Redis, vectors, four services, worker, gateway")
    started = time.monotonic()
    try:
        with running(arguments.data, ports) as suite:
            show.done(f"ready in {time.monotonic() - started:.1f} s; logs in {arguments.data}")
            ok = asyncio.run(_main_job(plan, ports, show))
            _tell_where(ports, plan, arguments.data)
            if not arguments.exit:
                _serve_until_interrupted(suite)
            return 0 if ok else 1
    except (EngineError, ColonnadeError) as error:
        err.print(f"[red]the demo stopped[/red]: {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        err.print("interrupted; run it again, it goes on from here")
        return 130


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


async def _main_job(plan: Plan, ports: Ports, show: Show) -> bool:
    target = Target(dict.fromkeys(SERVICES, ports.grpc_address), "")
    async with connect(target) as suite:
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
        found = await steps.clusters(suite, parent, show)
        show.heading("What each pillar lacks")
        show_gaps(await steps.gap_report(suite, parent))
        show.heading("What to make next")
        await steps.briefs(suite, parent, show)
        show.heading("Schedule posts, one due now")
        await steps.channel(suite, parent, _instagram(ports), ports.buffer_url, show)
        posts = await steps.posts(suite, parent, plan, found, show)
        show.heading("Publish, and read the outcome back")
        return await _outcome(suite, posts, ports, show)


def _instagram(ports: Ports) -> str:
    channels = buffer_state(ports)["channels"]
    return next(str(key) for key, channel in channels.items() if channel["service"] == "instagram")


async def _outcome(suite: Suite, posts: list[Post], ports: Ports, show: Show) -> bool:
    if not posts:
        show.detail("there was no photo to post")
        return False
    post = await steps.published(suite, posts[0], show)
    for publication in post.publications:
        state = word(Publication.State, publication.state)
        detail = publication.permalink or publication.error.message or publication.state_reason
        show.done(f"{publication.channel}: {state} {detail}")
    remote_posts = buffer_state(ports)["posts"]
    mine = [remote for remote in remote_posts.values() if remote["text"] == post.final_text]
    sent = [remote for remote in mine if remote["status"] == "sent"]
    show.done(f"the provider has it {len(mine)} time(s), live {len(sent)} time(s)")
    return post.state == Post.STATE_POSTED and len(mine) == len(sent) == 1


def _tell_where(ports: Ports, plan: Plan, data: Path) -> None:
    out.print("\n[bold]Everything is up:[/bold]")
    for label, where in (
        ("dashboard", f"{ports.http_url}/personas/{plan.persona_id}"),
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


def _serve_until_interrupted(suite: ChildProcess) -> None:
    out.print("\nServing until Ctrl-C.")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        while suite.exit_code is None:
            time.sleep(0.2)
    except KeyboardInterrupt:
        out.print("stopping")
        return
    raise EngineError(f"the suite ended by itself with code {suite.exit_code}; see {suite.log}")


if __name__ == "__main__":
    sys.exit(main())
