"""``POST /v1/projects/{project}/webhooks/{source}``.

Not from a contract: the signature is the permission, and it is over the bytes as they were sent.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Item
from colonnade.clustering.v1.item_service_pb2_grpc import ItemServiceStub
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.body import allow_body, read_body
from gateway.errors import UnsupportedMediaType
from gateway.webhooks import github, plain, reddit, sentry
from gateway.webhooks.payloads import Payload
from gateway.webhooks.signatures import Headers, Verify, of_anybody, of_github, of_sentry
from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound, Violation
from libs.names import is_user_id

PATH = "/v1/projects/{project}/webhooks/{source}"
_TIMEOUT = 30.0
_JSON = "application/json"
# Deliveries of different senders must not be taken for each other.
_DELIVERIES = uuid.UUID("0f5d1f0e-5b0a-5c0b-9d5e-6d1f2b7c8a90")
_OUTCOME = "ITEM_OUTCOME_"


@dataclass(frozen=True, slots=True)
class Source:
    """How a source signs, and what its messages hold."""

    verify: Verify
    read: Callable[[Headers, Payload], list[Item]]


SOURCES: Mapping[str, Source] = {
    github.SOURCE: Source(
        of_github, lambda headers, p: github.items_of(headers.get("x-github-event", ""), p)
    ),
    sentry.SOURCE: Source(
        of_sentry, lambda headers, p: sentry.items_of(headers.get("sentry-hook-resource", ""), p)
    ),
    reddit.SOURCE: Source(of_anybody, lambda _, payload: reddit.items_of(payload)),
}


class Webhooks:
    """Takes webhooks: checks the signature, reads the payload, forwards the items.

    ``secrets`` are by ``{project}/{source}``, or by source for all projects that have none of
    their own.
    """

    def __init__(
        self,
        items: ItemServiceStub,
        secrets: Mapping[str, SecretStr],
        clock: Clock,
        max_bytes: int,
    ) -> None:
        self._items: Any = items
        self._secrets = secrets
        self._clock = clock
        self._max_bytes = max_bytes

    async def serve(self, request: Request) -> Response:
        """Raises NotFound for a source without a secret, Unauthenticated, InvalidArgument."""
        project, source = request.path_params["project"], request.path_params["source"]
        secret = self._secret(project, source)
        allow_body(request.scope, self._max_bytes)
        body = await read_body(request.receive)
        kind = SOURCES.get(source) or _plain(source)
        now = self._clock.now()
        delivery = kind.verify(request.headers, body, secret.get_secret_value(), now)
        _require_json(request)
        items = kind.read(request.headers, Payload.of_body(body))
        results = await self._forward(project, source, delivery, items) if items else []
        return Response(orjson.dumps({"results": results}), media_type=_JSON)

    def _secret(self, project: str, source: str) -> SecretStr:
        own = f"{project}/{source}"
        name = own if own in self._secrets else source
        if name not in self._secrets or not is_user_id(project):
            raise NotFound(
                "webhook",
                f"projects/{project}/webhooks/{source}",
                f"there is no secret for webhooks of {source!r}; set gateway.webhooks",
                reason="WEBHOOK_UNKNOWN",
            )
        return self._secrets[name]

    async def _forward(
        self, project: str, source: str, delivery: str, items: list[Item]
    ) -> list[dict[str, Any]]:
        """What became of each item. Raises InvalidArgument if all of them are refused."""
        answer = await self._items.BatchCreateItems(
            api.BatchCreateItemsRequest(
                parent=f"projects/{project}",
                items=items,
                request_id=_request_id(project, source, delivery),
            ),
            timeout=_TIMEOUT,
        )
        if all(result.status.code != code_pb2.OK for result in answer.results):
            raise _as_error(answer.results[0])
        return [_result(result) for result in answer.results]


def webhook_routes(webhooks: Webhooks) -> list[Route]:
    """The route of all sources."""
    return [Route(PATH, webhooks.serve, methods=["POST"])]


def webhook_paths() -> dict[str, Any]:
    """The path items of ``webhook_routes`` for the OpenAPI document."""
    return {
        PATH: {
            "post": {
                "tags": ["ItemService"],
                "operationId": "ItemService_ReceiveWebhook",
                "summary": "Takes what another system tells by itself.",
                "description": (
                    "The signature is the permission: X-Hub-Signature-256 for github, "
                    "Sentry-Hook-Signature for sentry, for every other source Standard Webhooks "
                    "or X-Signature-256. A delivery that comes again has no further effect."
                ),
                "x-rpc": "colonnade.clustering.v1.ItemService.BatchCreateItems",
                "security": [],
                "parameters": [
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                    for name in ("project", "source")
                ],
                "requestBody": {
                    "required": True,
                    "content": {_JSON: {"schema": {"type": "object"}}},
                },
                "responses": {
                    "200": {"description": "What became of each item of the message."},
                    "default": {"$ref": "#/components/responses/Error"},
                },
            }
        }
    }


def _plain(source: str) -> Source:
    return Source(of_anybody, lambda _, payload: plain.items_of(source, payload))


def _require_json(request: Request) -> None:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != _JSON:
        raise UnsupportedMediaType(given, _JSON)


def _request_id(project: str, source: str, delivery: str) -> str:
    """The same for the same delivery; empty where the sender gives none."""
    return str(uuid.uuid5(_DELIVERIES, f"{project}/{source}/{delivery}")) if delivery else ""


def _as_error(result: api.ItemResult) -> InvalidArgument:
    violations = []
    for detail in result.status.details:
        found = BadRequest()
        if detail.Unpack(found):
            violations += [Violation(v.field, v.description) for v in found.field_violations]
    return InvalidArgument(result.status.message, violations)


def _result(result: api.ItemResult) -> dict[str, Any]:
    if result.status.code != code_pb2.OK:
        return {"error": result.status.message}
    outcome = api.ItemOutcome.Name(result.outcome).removeprefix(_OUTCOME)
    return {"item": result.item, "outcome": outcome}
