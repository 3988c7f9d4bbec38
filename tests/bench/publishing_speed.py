"""How late posts go out, and how fast due ones are claimed.

Lag is measured in real time over real processes (catalog, scheduler, two workers, one of them with
beat) with the settings that users get, at a receiver of webhooks that answers at once: such posts
are handed over when they are due, so that nothing but our own way counts. What the machine sustains
is measured first, with posts that are all due at once; then posts come due evenly, at 50 a second,
or seven tenths of what it sustains if that is less. The halves of that time are told apart, as a
lag that grows would show there.

Run: ``make bench ARGS=publishing`` for four minutes of due posts, ``python -m
tests.bench.publishing_speed --seconds 600`` for others.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any, LiteralString

import grpc
import psycopg
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cli.output import timestamp
from libs.clock import SystemClock
from libs.db.engine import Database
from libs.db.migrate import upgrade
from services.engines import DATABASES
from services.scheduler.store import SqlStore
from tests.bench.processes import engines, service
from tests.bench.report import Fact, Row, markdown, paired
from tests.support.buffer.serving import serving
from tests.support.pictures import encoded, waves
from tests.support.wait import eventually
from tests.support.webhook.stand_in import ACCOUNT, SECRET

AT_ONCE = 1000
SECONDS = 240.0
MOST_A_SECOND = 50.0
SHARE = 0.7
PATIENCE = 120.0
WORKERS = 2
DUE = 20_000
BATCH = 100
ROUNDS = 3
PERSONA = "lag"

# Posts like one that was made in the usual way, with a picture that is there already.
_POSTS_LIKE = """
    INSERT INTO scheduler.posts (
        id, persona_id, photo, photo_sha256, pillar, caption, hashtags, final_text, alt_text,
        scheduled_time, state, strategy, prepare_time, media_key, media_sha256, media_type,
        media_bytes, media_width, media_height, create_time, update_time, version
    )
    SELECT md5(%(what)s || n)::uuid, %(persona)s, photo || %(what)s || n, md5(%(what)s || n),
        pillar, caption, hashtags, final_text, alt_text,
        %(start)s::timestamptz + n * %(step)s * interval '1 second', 'scheduled', strategy,
        prepare_time, media_key, media_sha256, media_type, media_bytes, media_width, media_height,
        create_time, update_time, 1
    FROM scheduler.posts, generate_series(1, %(count)s) AS n WHERE id = %(like)s
"""
_PUBLICATIONS_LIKE = """
    INSERT INTO scheduler.publications (
        id, post_id, persona_id, channel_id, provider, photo_sha256, due_time, media_token, state,
        next_attempt_time, lease_token
    )
    SELECT md5(%(what)s || n || 'p')::uuid, md5(%(what)s || n)::uuid, %(persona)s, channel_id,
        provider, md5(%(what)s || n), %(start)s::timestamptz + n * %(step)s * interval '1 second',
        md5(%(what)s || n || 't'), 'ready',
        %(start)s::timestamptz + n * %(step)s * interval '1 second', 0
    FROM scheduler.publications, generate_series(1, %(count)s) AS n WHERE post_id = %(like)s
"""
_LEFT = """
    SELECT count(*) FROM scheduler.publications
    WHERE photo_sha256 IN (SELECT md5(%(what)s || n) FROM generate_series(1, %(count)s) AS n)
        AND state <> 'posted'
"""
_LAGS = """
    SELECT extract(epoch FROM a.end_time - u.due_time)::float
    FROM scheduler.attempts AS a JOIN scheduler.publications AS u ON u.id = a.publication_id
    WHERE a.outcome = 'accepted' AND u.photo_sha256 IN (
        SELECT md5(%(what)s || n) FROM generate_series(1, %(count)s) AS n
    ) ORDER BY u.due_time
"""
_CLAIM = f"""
    SELECT id FROM scheduler.publications
    WHERE next_attempt_time <= now()
        AND (lease_expire_time IS NULL OR lease_expire_time <= now())
    ORDER BY next_attempt_time LIMIT {BATCH} FOR UPDATE SKIP LOCKED
"""
_LEASE = """
    UPDATE scheduler.publications
    SET lease_owner = 'tick', lease_expire_time = now() + interval '60 seconds'
    WHERE id = ANY(%s) RETURNING id, state, next_attempt_time
"""
_RELEASE = "UPDATE scheduler.publications SET lease_owner = NULL, lease_expire_time = NULL"

Plain = psycopg.AsyncConnection[Any]


def measure(data: Path, seconds: float = SECONDS) -> list[Row | Fact]:
    """Facts of lag over so many seconds of due posts, and a row for claims."""
    with engines(data / "engines") as environment:
        for name in DATABASES:
            url = environment[f"COLONNADE_DATABASES__{name.upper()}__URL"]
            upgrade(url, name, Path("services") / name / "migrations")
        environment["COLONNADE_SECRET_FILE"] = str(data / "secret")
        with service("catalog", data / "catalog", environment) as photos:
            environment["COLONNADE_PEERS__CATALOG"] = photos.grpc
            with service("scheduler", data / "scheduler", environment) as posts:
                return asyncio.run(_measure(data, photos.grpc, posts.grpc, environment, seconds))


async def _measure(
    data: Path, photos: str, posts: str, environment: Mapping[str, str], seconds: float
) -> list[Row | Fact]:
    url = environment["COLONNADE_DATABASES__SCHEDULER__URL"]
    async with (
        grpc.aio.insecure_channel(photos) as catalog_channel,
        grpc.aio.insecure_channel(posts) as channel,
        await psycopg.AsyncConnection.connect(
            url.replace("+psycopg", ""), autocommit=True
        ) as plain,
        serving(Starlette(routes=[Route("/", _accept, methods=["POST"])])) as receiver,
    ):
        stub = SchedulerServiceStub(channel)
        like = await _first_post(CatalogServiceStub(catalog_channel), stub, receiver)
        with ExitStack() as stack:
            for number in range(WORKERS):
                beat = {"COLONNADE_WORKER__BEAT": str(number == 0)}
                folder = data / f"worker-{number}"
                stack.enter_context(service("worker", folder, {**environment, **beat}))
            await _prepared(plain, like)
            lags = await _lag(plain, like, seconds)
        return [*lags, await _claims(plain, url, like)]


async def _accept(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse({})


async def _first_post(photos: CatalogServiceStub, stub: SchedulerServiceStub, url: str) -> str:
    """The id of a post that is due tomorrow."""
    persona = Persona(display_name="Lag")
    request = catalog.CreatePersonaRequest(persona_id=PERSONA, persona=persona)
    parent = (await photos.CreatePersona(request)).name
    pillar = Pillar(display_name="All", weight=100)
    await photos.CreatePillar(
        catalog.CreatePillarRequest(parent=parent, pillar_id="all", pillar=pillar)
    )
    header = catalog.PhotoUpload(parent=parent, pillar=f"{parent}/pillars/all", file_name="a.jpg")
    upload = (
        catalog.UploadPhotoRequest(header=header),
        catalog.UploadPhotoRequest(chunk=encoded(waves(), "JPEG")),
    )
    photo = (await photos.UploadPhoto(iter(upload))).photo
    channel = Channel(
        display_name="Receiver",
        provider=Channel.PROVIDER_WEBHOOK,
        endpoint=f"{url}/",
        provider_channel_id=ACCOUNT,
        access_token=SECRET,
    )
    await stub.CreateChannel(scheduler.CreateChannelRequest(parent=parent, channel=channel))
    tomorrow = timestamp(datetime.now(UTC) + timedelta(days=1))
    post = Post(photo=photo.name, caption="Good morning", scheduled_time=tomorrow)
    made = await stub.CreatePost(scheduler.CreatePostRequest(parent=parent, post=post))
    return str(made.name.rpartition("/")[2])


async def _prepared(plain: Plain, post: str) -> None:
    """Returns when the picture was taken over."""
    statement = "SELECT 1 FROM scheduler.posts WHERE id = %s AND media_key <> ''"

    async def is_so() -> bool:
        return await (await plain.execute(statement, [post])).fetchone() is not None

    await eventually(is_so, within=60, every=0.2)


async def _lag(plain: Plain, like: str, seconds: float) -> list[Fact]:
    burst = await _published(plain, "burst", like, AT_ONCE, 0.0)
    sustained = AT_ONCE / max(burst)
    rate = min(MOST_A_SECOND, SHARE * sustained)
    lags = await _published(plain, "even", like, round(rate * seconds), 1 / rate)
    half = len(lags) // 2
    what = f"from due to accepted at {rate:.0f} posts a second for {seconds:.0f} s"
    return [
        Fact(
            f"posts published a second, {AT_ONCE:,} due at once, {WORKERS} workers",
            f"{sustained:.0f}",
            "≥ 50",
        ),
        Fact(f"{what}, p50", f"{median(lags):.1f} s", ""),
        Fact(f"{what}, p95", f"{_p95(lags):.1f} s", "≤ 5 s"),
        Fact(
            f"{what}, p95 of the first and of the second half",
            f"{_p95(lags[:half]):.1f} and {_p95(lags[half:]):.1f} s",
            "the same",
        ),
    ]


async def _published(
    plain: Plain, what: str, like: str, count: int, step: float
) -> Sequence[float]:
    """Seconds from the time of each to its acceptance."""
    start = datetime.now(UTC) + timedelta(seconds=3 + count / 2000)
    posts = {"what": what, "persona": PERSONA, "like": like, "count": count}
    await _fill(plain, **posts, start=start, step=step)

    async def is_done() -> bool:
        (left,) = await _one(plain, _LEFT, {"what": what, "count": count})
        return int(left) == 0

    await eventually(is_done, within=PATIENCE + count * step, every=0.5)
    found = await plain.execute(_LAGS, {"what": what, "count": count})
    return [row[0] for row in await found.fetchall()]


async def _fill(plain: Plain, **posts: Any) -> None:
    for statement in (_POSTS_LIKE, _PUBLICATIONS_LIKE):
        await plain.execute(statement, posts)


async def _claims(plain: Plain, url: str, like: str) -> Row:
    """Due publications that are claimed a second, in batches."""
    posts = {"what": "claim", "persona": PERSONA, "like": like, "count": DUE}
    await _fill(plain, **posts, start=datetime.now(UTC) - timedelta(hours=1), step=0.0)
    await plain.execute("ANALYZE scheduler.publications")
    clock = SystemClock()
    database = Database(url, application_name="bench")
    store = SqlStore(database, clock)

    async def ours() -> int:
        now = clock.now()
        async with store.changing() as tx:
            claims = await tx.publications.claim(now, now + timedelta(minutes=1), BATCH)
            await tx.commit()
        return len(claims)

    async def bare() -> int:
        async with plain.transaction():
            due = await (await plain.execute(_CLAIM)).fetchall()
            leased = await plain.execute(_LEASE, [[row[0] for row in due]])
            return len(await leased.fetchall())

    async def rate(claim: Callable[[], Awaitable[int]]) -> float:
        await plain.execute(_RELEASE)
        await plain.execute("VACUUM scheduler.publications")
        started = time.perf_counter()
        claimed = sum([await claim() for _ in range(DUE // BATCH)])
        assert claimed == DUE, f"{claimed} of {DUE} were claimed"
        return claimed / (time.perf_counter() - started)

    mine, other = [], []
    try:
        for _ in range(ROUNDS):
            mine.append(await rate(ours))
            other.append(await rate(bare))
    finally:
        await database.close()
    what = f"due publications claimed, {DUE:,} in batches of {BATCH}"
    bare_is = "SELECT … FOR UPDATE SKIP LOCKED and UPDATE in plain SQL"
    return Row(what, *paired(mine, other), "/s", bare_is)


async def _one(plain: Plain, statement: LiteralString, values: Mapping[str, Any]) -> Any:
    return await (await plain.execute(statement, values)).fetchone()


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.publishing_speed")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of posts that come due")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="colonnade-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        found = measure(Path(folder), asked.seconds)
    rows = [result for result in found if isinstance(result, Row)]
    print(markdown(rows, [result for result in found if isinstance(result, Fact)]))


if __name__ == "__main__":
    main()
