"""A unary read: through gRPC against a bare echo, through REST against bare Starlette routes."""

import asyncio
from pathlib import Path

import grpc
from colonnade.catalog.v1.catalog_service_pb2 import CreatePersonaRequest, GetPersonaRequest
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona

from tests.bench.bare import PATH, PERSONA
from tests.bench.load import Call, HttpCaller, rate
from tests.bench.processes import free_port, module, service
from tests.bench.report import Row, paired

SECONDS = 2.0
ROUNDS = 5
CALLERS = (1, 16)


def measure(data: Path) -> list[Row]:
    """Rows for one and for sixteen callers."""
    with service("all", data / "suite", {}) as suite:
        return asyncio.run(_measure(data, suite.grpc, suite.http))


async def _measure(data: Path, grpc_address: str, http_address: str) -> list[Row]:
    echo_port, route_port = free_port(), free_port()
    with (
        module("tests.bench.bare", data, "echo", "--port", str(echo_port)),
        module(
            "tests.bench.bare",
            data / "routes",
            *("routes", "--port", str(route_port), "--upstream", grpc_address),
        ),
    ):
        async with (
            grpc.aio.insecure_channel(grpc_address) as channel,
            grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}") as bare,
        ):
            stub = CatalogServiceStub(channel)
            wanted = Persona(
                display_name=PERSONA.display_name, time_zone="Europe/Lisbon", voice=PERSONA.voice
            )
            await stub.CreatePersona(CreatePersonaRequest(persona_id="bench", persona=wanted))
            request = GetPersonaRequest(name=PERSONA.name)
            plain = bare.unary_unary(PATH, GetPersonaRequest.SerializeToString, Persona.FromString)
            rest = HttpCaller(http_address, f"/v1/{PERSONA.name}")
            static = HttpCaller(f"127.0.0.1:{route_port}", "/static")
            proxy = HttpCaller(f"127.0.0.1:{route_port}", "/persona")
            rows = []
            for callers in CALLERS:
                ours, other = await _pair(
                    lambda: stub.GetPersona(request), lambda: plain(request), callers
                )
                name = f"GetPersona, {callers} caller{'s' if callers > 1 else ''}"
                rows.append(
                    Row(f"gRPC {name}", ours, other, "/s", "an echo server, no database", 0.4)
                )
                ours, other = await _pair(rest, static, callers)
                rows.append(
                    Row(f"REST {name}", ours, other, "/s", "a Starlette route of fixed bytes", 0.4)
                )
                ours, other = await _pair(rest, proxy, callers)
                rows.append(
                    Row(
                        f"REST {name}",
                        ours,
                        other,
                        "/s",
                        "a Starlette route that asks the same service by a plain stub",
                    )
                )
            for caller in (rest, static, proxy):
                await caller.close()
            return rows


async def _pair(ours: Call, bare: Call, callers: int) -> tuple[float, float]:
    mine, other = [], []
    for _ in range(ROUNDS):
        mine.append(await rate(ours, callers=callers, seconds=SECONDS))
        other.append(await rate(bare, callers=callers, seconds=SECONDS))
    return paired(mine, other)
