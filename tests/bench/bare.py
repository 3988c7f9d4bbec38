"""The bare limits: an echo server without anything around it, and bare Starlette routes."""

import argparse
import asyncio
from typing import Any

import grpc
import uvicorn
from colonnade.catalog.v1.catalog_service_pb2 import GetPersonaRequest
from colonnade.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from colonnade.catalog.v1.persona_pb2 import Persona
from google.protobuf.json_format import MessageToJson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/bare.Echo/Echo"
PERSONA = Persona(
    name="personas/bench",
    display_name="Bench",
    time_zone="Europe/Lisbon",
    voice="Warm, unhurried, a little dry.",
    state=Persona.STATE_ACTIVE,
    etag="1",
)


async def serve_echo(port: int) -> None:
    """Answers every request with the same persona."""

    async def echo(_request: GetPersonaRequest, _context: Any) -> Persona:
        return PERSONA

    handler = grpc.unary_unary_rpc_method_handler(
        echo, GetPersonaRequest.FromString, Persona.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bare.Echo", {"Echo": handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


async def serve_routes(port: int, upstream: str) -> None:
    """``/static`` answers fixed bytes; ``/persona`` asks the catalog by a plain stub."""
    body = MessageToJson(PERSONA).encode()
    channel = grpc.aio.insecure_channel(upstream) if upstream else None

    async def static(_: Request) -> Response:
        return Response(body, media_type="application/json")

    async def persona(_: Request) -> Response:
        stub = CatalogServiceStub(channel)
        found = await stub.GetPersona(GetPersonaRequest(name=PERSONA.name))
        return Response(MessageToJson(found), media_type="application/json")

    app = Starlette(routes=[Route("/static", static), Route("/persona", persona)])
    config = uvicorn.Config(
        app,
        port=port,
        http="httptools",
        loop="asyncio",
        log_level="error",
        access_log=False,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("echo", "routes"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", default="")
    arguments = parser.parse_args()
    if arguments.kind == "echo":
        asyncio.run(serve_echo(arguments.port))
    else:
        asyncio.run(serve_routes(arguments.port, arguments.upstream))


if __name__ == "__main__":
    main()
