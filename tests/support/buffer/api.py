"""The public face: one GraphQL endpoint, and everything that happens before and around it."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import graphql
from graphql import DocumentNode, GraphQLError, GraphQLSchema
from graphql.execution.values import get_variable_values
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.buffer.clock import from_wire
from tests.support.buffer.model import Fault, Store
from tests.support.buffer.publishing import take_fault
from tests.support.buffer.rates import Exceeded
from tests.support.buffer.resolvers import Root
from tests.support.buffer.serving import Connections, DroppedResponse

UNAUTHENTICATED = "A valid JWT or access token is required to reach this resource."


def load_schema() -> GraphQLSchema:
    """Buffer's schema, as far as the stand-in goes."""
    schema = graphql.build_schema(Path(__file__).with_name("schema.graphql").read_text())
    date_time = schema.type_map["DateTime"]
    assert isinstance(date_time, graphql.GraphQLScalarType)
    date_time.coerce_input_value = _date_time
    date_time.coerce_input_literal = lambda node: _date_time(getattr(node, "value", None))
    return schema


def _date_time(value: Any) -> str:
    try:
        from_wire(value)
    except (TypeError, ValueError):
        raise GraphQLError(f"DateTime cannot represent {value!r}: not ISO 8601.") from None
    return str(value)


class BufferApi:
    """Answers ``POST /`` and ``POST /graphql``."""

    def __init__(self, store: Store, connections: Connections, token: str) -> None:
        self._store = store
        self._connections = connections
        self._token = token
        self._schema = load_schema()

    def app(self) -> Starlette:
        routes = [Route(path, self.answer, methods=["POST"]) for path in ("/", "/graphql")]
        return Starlette(routes=routes)

    async def answer(self, request: Request) -> Response:
        if self._store.state.settings.checkUserAgent and not _is_named(request):
            return PlainTextResponse("error code: 1010", status_code=403)
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return _errors(401, [_error(UNAUTHENTICATED, "UNAUTHENTICATED")])
        quotas = {int(w): quota for w, quota in self._store.state.settings.quotas.items()}
        exceeded = self._store.rates.take(self._token, quotas)
        response = _too_many(exceeded) if exceeded else await self._counted(request)
        for name, value in self._store.rates.headers(self._token, quotas):
            response.headers.append(name, value)
        return response

    async def _counted(self, request: Request) -> Response:
        try:
            body = await request.json()
            document = graphql.parse(body["query"], max_tokens=15_000)
        except GraphQLError as error:
            return _errors(400, [_formatted(error, "GRAPHQL_PARSE_FAILED")])
        except (ValueError, KeyError, TypeError):
            return _errors(400, [_error("The body must be JSON with a query.", "BAD_REQUEST")])
        operations = _root_fields(document)
        for operation in operations:
            self._store.count(operation, "received")
        self._store.save()
        fault = next((f for name in operations if (f := take_fault(self._store, name))), None)
        call = _Call(document, body.get("variables") or {}, operations, fault)
        return await self._with_fault(request, call)

    async def _with_fault(self, request: Request, call: "_Call") -> Response:
        fault = call.fault
        if fault is None:
            return await self._execute(call)
        processes = fault.processed
        if processes is None:
            processes = fault.kind not in {"drop_before", "errors", "rate_limit"}
        response = await self._execute(call) if processes else None
        match fault.kind:
            case "drop_before" | "drop_after":
                return DroppedResponse(self._connections)
            case "gateway_error":
                html = f"<html><body><h1>{fault.status}</h1></body></html>"
                return HTMLResponse(html, status_code=fault.status)
            case "errors":
                return _errors(200, [_error(fault.message, fault.code)])
            case "rate_limit":
                return _too_many(Exceeded(fault.window, int(fault.seconds)))
            case "delay":
                await asyncio.sleep(fault.seconds)
            case "disconnect":
                self._disconnect(call)
        assert response is not None
        return response

    def _disconnect(self, call: "_Call") -> None:
        channel_id = call.variables["input"]["channelId"]
        self._store.state.channels[channel_id].isDisconnected = True
        self._store.save()

    async def _execute(self, call: "_Call") -> Response:
        if errors := self._validation_errors(call):
            return _errors(400, [_formatted(e, "GRAPHQL_VALIDATION_FAILED") for e in errors])
        is_duplicate = call.fault is not None and call.fault.kind == "duplicate"
        root = Root(self._store, refuse_as_duplicate=is_duplicate)
        result = graphql.execute(self._schema, call.document, root, variable_values=call.variables)
        assert isinstance(result, graphql.ExecutionResult)
        for operation in call.operations:
            self._store.count(operation, "processed")
        self._store.save()
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_formatted(error, "UNEXPECTED") for error in result.errors]
        return JSONResponse(answer)

    def _validation_errors(self, call: "_Call") -> list[GraphQLError]:
        errors: list[GraphQLError] = graphql.validate(self._schema, call.document)
        if errors:
            return errors
        definitions = [
            definition
            for node in call.document.definitions
            if isinstance(node, graphql.OperationDefinitionNode)
            for definition in node.variable_definitions or ()
        ]
        values = get_variable_values(self._schema, definitions, call.variables)
        return values if isinstance(values, list) else []


class _Call:
    def __init__(
        self,
        document: DocumentNode,
        variables: dict[str, Any],
        operations: list[str],
        fault: Fault | None,
    ) -> None:
        self.document = document
        self.variables = variables
        self.operations = operations
        self.fault = fault


def _is_named(request: Request) -> bool:
    agent = request.headers.get("user-agent", "").strip().lower()
    return bool(agent) and not agent.startswith(("python-urllib", "python-httpx"))


def _root_fields(document: DocumentNode) -> list[str]:
    return [
        selection.name.value
        for node in document.definitions
        if isinstance(node, graphql.OperationDefinitionNode)
        for selection in node.selection_set.selections
        if isinstance(selection, graphql.FieldNode)
    ]


def _error(message: str, code: str, **extensions: Any) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code, **extensions}}


def _formatted(error: GraphQLError, code: str) -> dict[str, Any]:
    return {**error.formatted, "extensions": {"code": code, **(error.extensions or {})}}


def _errors(status: int, errors: Iterable[dict[str, Any]]) -> Response:
    body: dict[str, Any] = {"errors": list(errors)}
    if status == 200:
        body["data"] = None
    return JSONResponse(body, status_code=status)


def _too_many(exceeded: Exceeded) -> Response:
    error = _error("Too many requests.", "RATE_LIMIT_EXCEEDED", window=exceeded.window)
    response = _errors(429, [error])
    response.headers["retry-after"] = str(exceeded.retry_after)
    return response
