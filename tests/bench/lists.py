"""Lists and the gap report over many photos, against plain SQL that reads the same rows."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

import grpc
import psycopg
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

from libs.db.migrate import upgrade
from services.engines import DATABASES
from tests.bench.load import Call, rate, timed
from tests.bench.processes import engines, service
from tests.bench.report import Fact, Row, paired

SECONDS = 1.0
ROUNDS = 5
CALLS = 100
PILLARS = 10
SMALL, LARGE = 10_000, 100_000
STOCK = PILLARS * 5_000
PAGE = 50

FILL = """
    INSERT INTO catalog.photos (
        id, persona_id, pillar_id, file_name, sha256, mime_type, size_bytes, width, height,
        thumbnail_sha256, measures, quality, tags, usage, embedding_state, scene, create_time,
        update_time, version
    )
    SELECT gen_random_uuid(), %(persona)s, 'p' || n %% %(pillars)s, 'IMG_' || n || '.jpg',
        md5(%(persona)s || n), 'image/jpeg', 2000000, 4000, 3000, md5(%(persona)s || 't' || n),
        '[{"id": "sharpness", "value": 0.5}, {"id": "exposure", "value": 0.7}]',
        n * 7919 %% 1000 / 1000.0, ARRAY['t' || n %% 7, 't' || n %% 11],
        CASE WHEN n %% 10 = 0 THEN 'SCHEDULED' ELSE 'UNUSED' END, 'READY', gen_random_uuid(),
        now() - n * interval '1 second', now(), 1
    FROM generate_series(1, %(count)s) AS n
"""
_PAGE = f"""
    SELECT * FROM catalog.photos WHERE persona_id = %s AND state = 'ACTIVE'
    ORDER BY create_time DESC, id DESC LIMIT {PAGE + 1}
"""
_LATER_PAGE = f"""
    SELECT * FROM catalog.photos
    WHERE persona_id = %s AND state = 'ACTIVE' AND (create_time, id) < (%s, %s)
    ORDER BY create_time DESC, id DESC LIMIT {PAGE + 1}
"""
_COUNTS = """
    SELECT pillar_id, usage, embedding_state, held, count(*), max(create_time)
    FROM catalog.photos WHERE persona_id = %s GROUP BY 1, 2, 3, 4
"""

_TAGS = """
    SELECT tag, count(*) FROM catalog.photos, unnest(tags) AS tag WHERE persona_id = %s GROUP BY 1
"""


def measure(data: Path) -> list[Row | Fact]:
    """Rows for pages and the report, and how the time for a page grows with the library."""
    with engines(data / "engines") as environment:
        for name in DATABASES:
            url = environment[f"COLONNADE_DATABASES__{name.upper()}__URL"]
            upgrade(url, name, Path("services") / name / "migrations")
        url = environment["COLONNADE_DATABASES__CATALOG__URL"].replace("+psycopg", "")
        with service("catalog", data / "catalog", environment) as running:
            there = {**environment, "COLONNADE_PEERS__CATALOG": running.grpc}
            with service("scheduler", data / "scheduler", there) as planning:
                return asyncio.run(_measure(running.grpc, planning.grpc, url))


async def _measure(address: str, planning: str, url: str) -> list[Row | Fact]:
    found: list[Row | Fact] = []
    async with (
        grpc.aio.insecure_channel(address) as channel,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as plain,
    ):
        stub = CatalogServiceStub(channel)
        small = await _library(stub, plain, "small", SMALL)
        large = await _library(stub, plain, "large", LARGE)
        for where in ("first", "deep"):
            calls: list[Call] = []
            for persona, count in ((small, SMALL), (large, LARGE)):
                token = await _deep(stub, persona, count) if where == "deep" else ""
                ours, bare = await _pages(stub, plain, persona, token)
                mine, other = await _paired(ours, bare)
                what = f"ListPhotos, {where} page of {PAGE}, {count:,} photos"
                found.append(Row(what, mine, other, "/s", "the same page in plain SQL"))
                calls.append(ours)
            found += await _growth(where, *calls)
        found += await _tags(stub, plain, large)
        found += await _report(stub, plain)
        found.append(await _unscheduled(planning, small))
    return found


async def _unscheduled(address: str, persona: str) -> Fact:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = SchedulerServiceStub(channel)
        request = scheduler.ListUnscheduledPhotosRequest(parent=persona, page_size=PAGE)

        async def ours() -> object:
            return await stub.ListUnscheduledPhotos(request)

        p95 = _p95([await timed(ours) for _ in range(CALLS)])
    what = f"ListUnscheduledPhotos, page of {PAGE}, {SMALL:,} photos, p95"
    return Fact(what, f"{p95:.1f} ms", "< 150 ms")


async def _tags(
    stub: CatalogServiceStub, plain: psycopg.AsyncConnection, persona: str
) -> list[Row | Fact]:
    request = catalog.ListPhotoTagsRequest(parent=persona)

    async def ours() -> object:
        return await stub.ListPhotoTags(request)

    async def bare() -> object:
        return await (await plain.execute(_TAGS, [persona.partition("/")[2]])).fetchall()

    what = f"ListPhotoTags, {LARGE:,} photos of 2 tags"
    mine, other = await _paired(ours, bare)
    return [Row(what, mine, other, "/s", "one plain GROUP BY over the same tags")]


async def _report(stub: CatalogServiceStub, plain: psycopg.AsyncConnection) -> list[Row | Fact]:
    persona = await _library(stub, plain, "stock", STOCK)
    request = catalog.AnalyzeGapsRequest(parent=persona)

    async def ours() -> object:
        return await stub.AnalyzeGaps(request)

    async def bare() -> object:
        return await (await plain.execute(_COUNTS, [persona.partition("/")[2]])).fetchall()

    what = f"AnalyzeGaps, {PILLARS} pillars of {STOCK // PILLARS:,} photos"
    mine, other = await _paired(ours, bare)
    p95 = _p95([await timed(ours) for _ in range(CALLS // 2)])
    return [
        Row(
            what, mine, other, "/s", "one plain GROUP BY over the same photos, no scenes, no report"
        ),
        Fact(f"{what}, p95", f"{p95:.0f} ms", "< 200 ms"),
    ]


async def _library(
    stub: CatalogServiceStub, plain: psycopg.AsyncConnection, id: str, count: int
) -> str:
    """The name of a persona with so many photos, spread over its pillars."""
    parent = f"personas/{id}"
    await stub.CreatePersona(
        catalog.CreatePersonaRequest(persona_id=id, persona=Persona(display_name=id))
    )
    for number in range(PILLARS):
        await stub.CreatePillar(
            catalog.CreatePillarRequest(
                parent=parent,
                pillar_id=f"p{number}",
                pillar=Pillar(display_name=f"Pillar {number}", weight=100 // PILLARS),
            )
        )
    await plain.execute(FILL, {"persona": id, "pillars": PILLARS, "count": count})
    await plain.execute("ANALYZE catalog.photos")
    return parent


async def _deep(stub: CatalogServiceStub, persona: str, count: int) -> str:
    """The token of a page in the middle of the list."""
    request = catalog.ListPhotosRequest(parent=persona, page_size=200)
    for _ in range(count // 200 // 2):
        request.page_token = (await stub.ListPhotos(request)).next_page_token
    return request.page_token


async def _pages(
    stub: CatalogServiceStub, plain: psycopg.AsyncConnection, persona: str, token: str
) -> tuple[Call, Call]:
    request = catalog.ListPhotosRequest(parent=persona, page_size=PAGE, page_token=token)
    id = persona.partition("/")[2]
    statement, parameters = _PAGE, [id]
    if token:
        first = (await stub.ListPhotos(request)).photos[0]
        moment, photo = first.create_time.ToJsonString(), first.name.rpartition("/")[2]
        statement, parameters = _LATER_PAGE, [id, moment, photo]

    async def ours() -> object:
        return await stub.ListPhotos(request)

    async def bare() -> object:
        return await (await plain.execute(statement, parameters)).fetchall()

    return ours, bare


async def _paired(ours: Call, bare: Call) -> tuple[float, float]:
    mine, other = [], []
    for _ in range(ROUNDS):
        mine.append(await rate(ours, callers=1, seconds=SECONDS))
        other.append(await rate(bare, callers=1, seconds=SECONDS))
    return paired(mine, other)


async def _growth(where: str, small: Call, large: Call) -> list[Row | Fact]:
    """Both in turn, so that whatever else the machine does is the same for both."""
    pairs = [(await timed(small), await timed(large)) for _ in range(CALLS)]
    few, many = ([pair[n] for pair in pairs] for n in (0, 1))
    what = f"ListPhotos, {where} page"
    return [
        Fact(f"{what}, {LARGE:,} photos, p95", f"{_p95(many):.1f} ms", "< 100 ms"),
        Fact(
            f"{what}: median at {LARGE:,} against {SMALL:,} photos",
            f"{median(many) / median(few):.2f}",
            "about 1",
        ),
    ]


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[-1]
