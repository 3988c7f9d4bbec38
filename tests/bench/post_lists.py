"""Pages of a million posts: the first, the middle and the last one, against plain SQL.

The posts are those of a persona that has published for long: all are out, each on one channel.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import grpc
import psycopg
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

from libs.db.migrate import upgrade
from libs.rpc.paging import PageTokens
from libs.secrets import Secrets
from services.engines import DATABASES
from tests.bench.load import Call, rate, timed
from tests.bench.processes import engines, service
from tests.bench.report import Fact, Row, paired

SMALL, LARGE = 10_000, 1_000_000
PAGE = 50
CALLS = 60
ROUNDS = 3
SECONDS = 1.0
# How far down the list a page starts.
PAGES: Mapping[str, float] = {"first": 0.0, "middle": 0.5, "last": 1.0}

_POSTS = """
    INSERT INTO scheduler.posts (
        id, persona_id, photo, photo_sha256, pillar, caption, hashtags, final_text, scheduled_time,
        posted_time, state, prepare_time, create_time, update_time, version
    )
    SELECT md5(%(persona)s || n)::uuid, %(persona)s, 'personas/p/photos/' || %(persona)s || n,
        md5(%(persona)s || n), 'personas/p/pillars/p' || n %% 5, 'A morning in the studio',
        ARRAY['light', 'tea'], 'A morning in the studio #light #tea', at, at, 'posted',
        at, at, at, 3
    FROM generate_series(1, %(count)s) AS n, LATERAL (
        SELECT now() - n * interval '1 minute' AS at
    ) AS times
"""
_PUBLICATIONS = """
    INSERT INTO scheduler.publications (
        id, post_id, persona_id, channel_id, provider, photo_sha256, due_time, media_token, state,
        attempts, tries, provider_post_id, provider_state, permalink, submit_time, posted_time,
        end_time, lease_token
    )
    SELECT md5(%(persona)s || n || 'p')::uuid, md5(%(persona)s || n)::uuid, %(persona)s, 'insta',
        'buffer', md5(%(persona)s || n), at, md5(%(persona)s || n || 't'), 'posted', 1, 1,
        md5(%(persona)s || n || 'r'), 'sent', 'https://instagram.example/p/' || n, at, at, at, 1
    FROM generate_series(1, %(count)s) AS n, LATERAL (
        SELECT now() - n * interval '1 minute' AS at
    ) AS times
"""
_KEY = """
    SELECT list_time, id::text FROM scheduler.posts WHERE persona_id = %s
    ORDER BY list_time DESC, id DESC OFFSET %s LIMIT 1
"""
_PAGE = f"""
    SELECT * FROM (
        SELECT * FROM scheduler.posts
        WHERE persona_id = %s AND (list_time, id) < (%s, %s::uuid)
        ORDER BY list_time DESC, id DESC LIMIT {PAGE + 1}
    ) AS p JOIN scheduler.publications AS u ON u.post_id = p.id
    ORDER BY list_time DESC, p.id DESC, channel_id
"""
_AFTER_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff"

Plain = psycopg.AsyncConnection[Any]


def measure(data: Path) -> list[Row | Fact]:
    """A row for each page, and how its time grows with the number of posts."""
    with engines(data / "engines") as environment:
        for name in DATABASES:
            url = environment[f"COLONNADE_DATABASES__{name.upper()}__URL"]
            upgrade(url, name, Path("services") / name / "migrations")
        url = environment["COLONNADE_DATABASES__SCHEDULER__URL"].replace("+psycopg", "")
        environment["COLONNADE_SECRET_FILE"] = str(data / "secret")
        tokens = Secrets.of_file(data / "secret").page_tokens()
        with service("scheduler", data / "scheduler", environment) as running:
            return asyncio.run(_measure(running.grpc, url, tokens))


async def _measure(address: str, url: str, tokens: PageTokens) -> list[Row | Fact]:
    async with (
        grpc.aio.insecure_channel(address) as channel,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as plain,
    ):
        for persona, count in (("few", SMALL), ("many", LARGE)):
            for statement in (_POSTS, _PUBLICATIONS):
                await plain.execute(statement, {"persona": persona, "count": count})
        for table in ("posts", "publications"):
            await plain.execute(f"VACUUM ANALYZE scheduler.{table}")
        stub = SchedulerServiceStub(channel)
        found: list[Row | Fact] = []
        for where, share in PAGES.items():
            small, _ = await _calls(stub, plain, tokens, "few", round(SMALL * share))
            large, bare = await _calls(stub, plain, tokens, "many", round(LARGE * share))
            found.append(await _against(where, large, bare))
            found += await _growth(where, small, large)
    return found


async def _calls(
    stub: SchedulerServiceStub, plain: Plain, tokens: PageTokens, persona: str, place: int
) -> tuple[Call, Call]:
    """The page that ends by place ``place`` or begins there, by ListPosts and in plain SQL."""
    after, id = datetime.max, _AFTER_ALL
    request = scheduler.ListPostsRequest(parent=f"personas/{persona}", page_size=PAGE)
    if place:
        # One row for the page to begin behind, and no more rows than the page has at the end.
        behind = max(0, min(place, await _count(plain, persona) - PAGE) - 1)
        found = await (await plain.execute(_KEY, [persona, behind])).fetchone()
        assert found is not None
        after, id = found
        listing = ("ListPosts", request.parent, "", "True")
        request.page_token = tokens.token((after.isoformat(), id), *listing)

    async def ours() -> object:
        page = await stub.ListPosts(request)
        assert len(page.posts) == PAGE
        return page

    async def bare() -> object:
        return await (await plain.execute(_PAGE, [persona, after, id])).fetchall()

    return ours, bare


async def _count(plain: Plain, persona: str) -> int:
    rows = "SELECT count(*) FROM scheduler.posts WHERE persona_id = %s"
    found = await (await plain.execute(rows, [persona])).fetchone()
    assert found is not None
    return int(found[0])


async def _against(where: str, ours: Call, bare: Call) -> Row:
    mine, other = [], []
    for _ in range(ROUNDS):
        mine.append(await rate(ours, callers=1, seconds=SECONDS))
        other.append(await rate(bare, callers=1, seconds=SECONDS))
    what = f"ListPosts, {where} page of {PAGE} of {LARGE:,} posts"
    return Row(what, *paired(mine, other), "/s", "the same page in plain SQL")


async def _growth(where: str, small: Call, large: Call) -> list[Fact]:
    """Both in turn, so that whatever else the machine does is the same for both."""
    pairs = [(await timed(small), await timed(large)) for _ in range(CALLS)]
    few, many = ([pair[n] for pair in pairs] for n in (0, 1))
    what = f"ListPosts, {where} page"
    return [
        Fact(f"{what}, {LARGE:,} posts, p95", f"{quantiles(many, n=20)[-1]:.1f} ms", "< 100 ms"),
        Fact(
            f"{what}: median at {LARGE:,} against {SMALL:,} posts",
            f"{median(many) / median(few):.2f}",
            "about 1",
        ),
    ]
