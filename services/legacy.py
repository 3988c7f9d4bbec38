"""``python -m services.legacy …``: migrates a library of the older shape into the catalog.

Started by ``colonnade migrate``, to which it speaks JSON, a line each: ``progress`` while it works,
then ``result`` or ``error``. The source may be given as COLONNADE_LEGACY_SOURCE, so that a password
in it does not show in the list of processes.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from colonnade.clustering.v1.clustering_service_pb2_grpc import ClusteringServiceStub
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from pydantic import ValidationError

from libs.blobs.objects import open_blobs
from libs.clock import SystemClock
from libs.db.engine import Database
from libs.db.migrate import require_current, upgrade
from libs.embedded.errors import EngineError
from libs.embedded.postgres import PostgresServer, running_url
from libs.errors import ColonnadeError, InvalidArgument
from libs.images import ImageLimits
from libs.rpc.contracts import SERVICES
from libs.rpc.peers import Peers
from services.catalog.deps import MIGRATIONS, decode_pool
from services.catalog.legacy.curated import CuratedClusters
from services.catalog.legacy.delivery import Delivery, Receiver
from services.catalog.legacy.desk import PHOTOS, Tools
from services.catalog.legacy.media import open_media
from services.catalog.legacy.migrating import Migrating, audit_of, planned
from services.catalog.legacy.past_posts import PastPosts
from services.catalog.legacy.rows import TABLES, Source
from services.catalog.legacy.source import read_source
from services.catalog.pictures import PooledPictures
from services.catalog.tables import SCHEMA
from services.catalog.usecases.uploads import UploadLimits
from services.settings import Settings, load_settings

_STATEMENT_TIMEOUT = 60.0
# One for each photo that is taken in at a time, less two that the pool adds, and one for the lock.
_POOL_SIZE = 3
_PROGRESS_EVERY = 0.2


class Exit(IntEnum):
    """How it ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    QUARANTINE = 3
    MISMATCH = 4
    INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Does one step; the exit code."""
    arguments = _parse(argv)
    try:
        return _run(arguments)
    except InvalidArgument as error:
        return _refuse(error.reason, error.message, Exit.USAGE)
    except ColonnadeError as error:
        return _refuse(error.reason, error.message, Exit.FAILED)
    except ValidationError as error:
        wrong = [".".join(map(str, e["loc"])) for e in error.errors(include_input=False)]
        return _refuse("SETTINGS", f"the settings are not usable: {', '.join(wrong)}", Exit.USAGE)
    except (EngineError, OSError, ValueError) as error:
        return _refuse("UNAVAILABLE", str(error), Exit.FAILED)
    except KeyboardInterrupt:
        return _refuse("INTERRUPTED", "interrupted; apply again to go on", Exit.INTERRUPTED)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.legacy", description=__doc__)
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--config", type=Path, help="a TOML file with settings")
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument("--source", default=os.environ.get("COLONNADE_LEGACY_SOURCE", ""))
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("audit", parents=[source])
    steps.add_parser("plan", parents=[source])
    apply = steps.add_parser("apply", parents=[source])
    apply.add_argument("--media", required=True)
    apply.add_argument("--media-prefix", default="")
    steps.add_parser("status")
    steps.add_parser("quarantine")
    assign = steps.add_parser("assign")
    assign.add_argument("--pillar", required=True)
    assign.add_argument("ids", nargs="+")
    give_up = steps.add_parser("give-up")
    give_up.add_argument("--reason", required=True)
    give_up.add_argument("--table", choices=TABLES, default=PHOTOS)
    give_up.add_argument("ids", nargs="+")
    steps.add_parser("gate", parents=[source])
    steps.add_parser("rollback")
    drop = steps.add_parser("drop")
    drop.add_argument("--confirm-backup", default="")
    return parser.parse_args(argv)


def _run(arguments: argparse.Namespace) -> int:
    source = _source(arguments)
    if arguments.step in ("audit", "plan"):
        if source is None:
            raise InvalidArgument.of("source", "name a dump or postgresql://…")
        report = audit_of if arguments.step == "audit" else planned
        return _answer(report(source, SystemClock()))
    overrides = {"data": arguments.data} if arguments.data else {}
    settings = load_settings(arguments.config, **overrides)
    with _database_url(settings) as url:
        require_current(url, SCHEMA, MIGRATIONS)
        return asyncio.run(_step(arguments, settings, url, source))


def _source(arguments: argparse.Namespace) -> Source | None:
    place = getattr(arguments, "source", "")
    return read_source(place) if place else None


@contextmanager
def _database_url(settings: Settings) -> Iterator[str]:
    """The catalog's database: the given one, that of a suite that runs, or one started for this."""
    folder = settings.data.absolute() / "postgres"
    if url := settings.database_url(SCHEMA) or running_url(folder, SCHEMA):
        yield url
        return
    with PostgresServer(folder) as server:
        url = server.ensure_service(SCHEMA)
        upgrade(url, SCHEMA, MIGRATIONS)
        yield url


async def _step(
    arguments: argparse.Namespace, settings: Settings, url: str, source: Source | None
) -> int:
    async with _migrating(settings, url) as migrating:
        match arguments.step:
            case "apply":
                options = {k: v.get_secret_value() for k, v in settings.blobs.options.items()}
                media = open_media(arguments.media, arguments.media_prefix, options)
                report = await migrating.apply(source, media)
                waiting = any(photo["state"] == "QUARANTINED" for photo in report["photos"])
                return _answer(report, Exit.QUARANTINE if waiting else Exit.DONE)
            case "status":
                return _answer(await migrating.status())
            case "quarantine":
                found = await migrating.quarantine()
                return _answer({"photos": found}, Exit.QUARANTINE if found else Exit.DONE)
            case "assign":
                assigned = await migrating.assign(arguments.ids, arguments.pillar)
                return _answer({"assigned": assigned})
            case "give-up":
                given = await migrating.give_up(arguments.table, arguments.ids, arguments.reason)
                return _answer({"given_up": given})
            case "gate":
                verdict = await migrating.gate(source)
                if not verdict.sound:
                    return _answer(verdict.as_dict(), Exit.MISMATCH)
                return _answer(verdict.as_dict(), Exit.DONE if verdict.passed else Exit.QUARANTINE)
            case "rollback":
                return _answer({"left": await migrating.rollback()})
            case _:
                dropped = await migrating.drop(arguments.confirm_backup)
                return _answer({"dropped": dropped.id, "backup": arguments.confirm_backup})


@asynccontextmanager
async def _migrating(settings: Settings, url: str) -> AsyncIterator[Migrating]:
    catalog = settings.catalog
    blobs = settings.blobs.url or f"file://{(settings.data / 'blobs').absolute()}"
    options = {name: value.get_secret_value() for name, value in settings.blobs.options.items()}
    key = os.environ.get("COLONNADE_API_KEY", "")
    metadata = {"authorization": f"Bearer {key}"} if key else {}
    peers = Peers(settings.peers.model_dump(), SERVICES, metadata)
    database = Database(
        url,
        application_name="colonnade migrate",
        pool_size=_POOL_SIZE,
        pool_timeout=settings.database_of(SCHEMA).timeout,
        statement_timeout=_STATEMENT_TIMEOUT,
    )
    pool = decode_pool(catalog)
    tools = Tools(
        database,
        open_blobs(blobs, options),
        PooledPictures(
            pool,
            ImageLimits(catalog.max_bytes, catalog.max_pixels),
            captions=bool(settings.vision.base_url),
        ),
        SystemClock(),
        UploadLimits(catalog.max_bytes, catalog.spool_bytes),
    )
    receivers: list[Receiver] = [
        PastPosts(peers.stub(SchedulerServiceStub, "scheduler")),
        CuratedClusters(peers.stub(ClusteringServiceStub, "clustering")),
    ]
    try:
        yield Migrating(tools, Delivery(receivers), _Progress())
    finally:
        await asyncio.to_thread(pool.close)
        await peers.close()
        await database.close()


class _Progress:
    """Says a few times a second how far a step has come, and when it is through."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= _PROGRESS_EVERY:
            self._last = now
            _say({"progress": {"phase": phase, "done": done, "total": total}})


def _answer(result: dict[str, Any], code: Exit = Exit.DONE) -> int:
    _say({"result": result})
    return code


def _refuse(reason: str, message: str, code: Exit) -> int:
    _say({"error": {"reason": reason, "message": message}})
    return code


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
