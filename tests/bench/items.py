"""Taking texts in: how long one takes, and how many a second in batches, against plain SQL that
writes the same rows.

Small by default; ``COLONNADE_BENCH_ITEMS=100000`` for the size that is published.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import quantiles

import grpc
import psycopg
from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Item
from colonnade.clustering.v1.item_service_pb2_grpc import ItemServiceStub

from libs.db.migrate import upgrade
from services.engines import DATABASES
from tests.bench.processes import ROOT, engines, service
from tests.bench.report import Fact, Row
from tests.support import texts

ITEMS = int(os.environ.get("COLONNADE_BENCH_ITEMS", "5000"))
BATCH = 500
CALLS = 300
CALLERS = 8
_PROJECT = "projects/bench"
_ITEM = """
    INSERT INTO clustering.items (name, point_id, scope, blob_key, words, words_time, pixels,
        create_time, prose)
    VALUES (%s, %s, 'projects/bare', '', '{}', now(), 0, now(), to_tsvector('english', %s))
"""
_TEXT = """
    INSERT INTO clustering.texts (item, scope, source, external_id, title, body)
    VALUES (%s, 'projects/bare', %s, %s, %s, %s)
"""


def measure(data: Path) -> Sequence[Row | Fact]:
    """Engines and the clustering service run; nothing is embedded."""
    with engines(data / "engines") as environment:
        for name in DATABASES:
            folder = ROOT / "services" / name / "migrations"
            upgrade(environment[f"COLONNADE_DATABASES__{name.upper()}__URL"], name, folder)
        url = environment["COLONNADE_DATABASES__CLUSTERING__URL"].replace("+psycopg", "")
        with service("clustering", data / "clustering", environment) as running:
            return asyncio.run(_measure(running.grpc, url))


async def _measure(address: str, url: str) -> list[Row | Fact]:
    rows = texts.mixed(ITEMS + 2 * CALLS)
    filling, alone, together = rows[:ITEMS], rows[ITEMS : ITEMS + CALLS], rows[ITEMS + CALLS :]
    async with grpc.aio.insecure_channel(address) as channel:
        stub = ItemServiceStub(channel)
        started = time.perf_counter()
        for start in range(0, ITEMS, BATCH):
            await _batch(stub, filling[start : start + BATCH])
        ours = ITEMS / (time.perf_counter() - started)
        bare = await _bare(url, filling)
        one = await _latencies([_create(stub, row) for row in alone], 1)
        several = await _latencies([_create(stub, row) for row in together], CALLERS)
        again = await _latencies([_create(stub, row) for row in alone], 1)
        page = api.ListItemsRequest(parent=_PROJECT, page_size=50)

        async def read() -> None:
            await stub.ListItems(page)

        lists = await _latencies([read] * CALLS, 1)
    what = f"BatchCreateItems of {BATCH}, {ITEMS:,} items"
    there = f"with {ITEMS:,} items"
    return [
        Row(what, ours, bare, "/s", "the same rows, a transaction each 500, in plain SQL"),
        Fact(f"CreateItem, new, {there}, p95", _millis(one), "< 50 ms"),
        Fact(f"CreateItem, new, {CALLERS} callers, p95", _millis(several), "< 50 ms"),
        Fact(f"CreateItem, a duplicate, {there}, p95", _millis(again), "< 50 ms"),
        Fact(f"ListItems, 50 of {ITEMS:,}, p95", _millis(lists), "< 50 ms"),
    ]


def _item(row: texts.MixedText) -> Item:
    return Item(source=row.source, external_id=row.external_id, title=row.title, body=row.body)


async def _batch(stub: ItemServiceStub, rows: Sequence[texts.MixedText]) -> None:
    request = api.BatchCreateItemsRequest(parent=_PROJECT, items=map(_item, rows))
    await stub.BatchCreateItems(request)


def _create(stub: ItemServiceStub, row: texts.MixedText) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        await stub.CreateItem(api.CreateItemRequest(parent=_PROJECT, item=_item(row)))

    return call


async def _latencies(calls: Sequence[Callable[[], Awaitable[None]]], callers: int) -> list[float]:
    """Seconds that each call took, ``callers`` at a time."""
    waiting = list(calls)
    took: list[float] = []

    async def caller() -> None:
        while waiting:
            call = waiting.pop()
            started = time.perf_counter()
            await call()
            took.append(time.perf_counter() - started)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return took


async def _bare(url: str, rows: Sequence[texts.MixedText]) -> float:
    """Items a second."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        started = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            part = [(str(uuid.uuid4()), row) for row in rows[start : start + BATCH]]
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    _ITEM,
                    [(f"projects/bare/items/{id}", id, f"{r.title} {r.body}") for id, r in part],
                )
                await cursor.executemany(
                    _TEXT,
                    [
                        (f"projects/bare/items/{id}", r.source, r.external_id, r.title, r.body)
                        for id, r in part
                    ],
                )
            await connection.commit()
        return len(rows) / (time.perf_counter() - started)


def _millis(took: Sequence[float]) -> str:
    return f"{quantiles(took, n=20)[-1] * 1000:.1f} ms"
