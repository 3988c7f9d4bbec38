"""Planning three months of a calendar, against plain SQL that reads the same photos."""

import asyncio
import time
from pathlib import Path

import grpc
import psycopg
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Cadence, Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.scheduler.v1 import planner_service_pb2 as planner
from colonnade.scheduler.v1.plan_pb2 import PlanOptions
from colonnade.scheduler.v1.planner_service_pb2_grpc import PlannerServiceStub

from libs.db.migrate import upgrade
from services.engines import DATABASES
from tests.bench.lists import FILL
from tests.bench.processes import engines, service
from tests.bench.report import Fact, Row

PERSONAS = 50
WEIGHTS = {"p0": 45, "p1": 35, "p2": 20}
PHOTOS = 600
DAYS = 90
PER_WEEK = 7

_READ = """
    SELECT * FROM catalog.photos WHERE persona_id = %s AND usage = 'UNUSED' AND state = 'ACTIVE'
"""


def measure(data: Path) -> list[Row | Fact]:
    """Previews for all personas, one after the other."""
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
    async with (
        grpc.aio.insecure_channel(address) as channel,
        grpc.aio.insecure_channel(planning) as plans,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as plain,
    ):
        stub, planned = CatalogServiceStub(channel), PlannerServiceStub(plans)
        names = [f"n{number}" for number in range(PERSONAS)]
        for name in names:
            await _fill(stub, plain, name)
        ours, bare, posts = [], [], 0
        for name in names:
            started = time.perf_counter()
            await (await plain.execute(_READ, [name])).fetchall()
            bare.append(time.perf_counter() - started)
            request = planner.PreviewPlanRequest(
                parent=f"personas/{name}", options=PlanOptions(days=DAYS)
            )
            started = time.perf_counter()
            posts += len((await planned.PreviewPlan(request)).plan.posts)
            ours.append(time.perf_counter() - started)
    what = f"PreviewPlan of {DAYS} days, {PHOTOS} photos in 3 pillars"
    return [
        Row(what, PERSONAS / sum(ours), PERSONAS / sum(bare), "/s", "reading the photos in SQL"),
        Fact(
            f"{DAYS} days for {PERSONAS} personas, {posts:,} posts", f"{sum(ours):.1f} s", "< 60 s"
        ),
    ]


async def _fill(stub: CatalogServiceStub, plain: psycopg.AsyncConnection, name: str) -> None:
    persona = Persona(display_name=name, cadence=Cadence(posts_per_week=PER_WEEK))
    await stub.CreatePersona(catalog.CreatePersonaRequest(persona_id=name, persona=persona))
    for pillar, weight in WEIGHTS.items():
        request = catalog.CreatePillarRequest(
            parent=f"personas/{name}",
            pillar_id=pillar,
            pillar=Pillar(display_name=pillar, weight=weight),
        )
        await stub.CreatePillar(request)
    await plain.execute(FILL, {"persona": name, "pillars": len(WEIGHTS), "count": PHOTOS})
