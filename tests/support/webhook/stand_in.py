"""A receiver that publishes what it is sent, once for each message id."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.stand_ins import StandIn

ACCOUNT = "newsletter"
SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes or more").decode()
TOLERANCE = 300


@dataclass
class Received:
    id: str
    body: bytes
    answer: dict[str, Any] | None = None


class WebhookStandIn(StandIn):
    """Its address is ``url``; ``secret`` is what it verifies signatures with.

    It downloads the picture before it accepts a post. ``is_gone``: it wants nothing more. Where it
    ``accepts`` only, it tells what became of a post, by message id in ``outcomes``, at an address
    of its own.
    """

    def reset(self) -> None:
        super().reset()
        self.secret = SECRET
        self.is_gone = False
        self.accepts = False
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.posts: dict[str, dict[str, Any]] = {}
        self.connects: list[str] = []
        self._received: dict[str, Received] = {}

    def routes(self) -> list[Route]:
        return [
            self.route("POST", "/", "publish", self.receive),
            self.route("GET", "/outcomes/{id}", "status", self.tell),
        ]

    def too_many(self, seconds: float) -> Response:
        response = _error(429, "slow down")
        response.headers["retry-after"] = str(round(seconds))
        return response

    def refusal(self, status: int) -> Response:
        return _error(status, "not what we publish")

    def disconnect(self) -> None:
        self.secret = "whsec_" + base64.b64encode(b"another secret, of the same size").decode()

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        if problem := self._unsigned(request, body):
            return _error(401, problem)
        if self.is_gone:
            return _error(410, "closed")
        id, message = request.headers["webhook-id"], json.loads(body)
        if message["type"] == "channel.connect":
            self.calls["publish"] -= 1
            self.connects.append(message["data"]["channel"])
            return Response(status_code=204)
        return await self._once(id, body, message)

    async def _once(self, id: str, body: bytes, message: dict[str, Any]) -> Response:
        known = self._received.get(id)
        if known is not None and known.body != body:
            return _error(422, "another message had this id")
        if known is not None and known.answer is None:
            return _error(409, "in flight")
        if known is not None and not self.accepts:
            return JSONResponse(known.answer)
        if known is not None and self.outcomes[id]["state"] != "failed":
            return JSONResponse(known.answer, status_code=202)
        received = self._received[id] = Received(id, body)
        if not await _is_picture(message["data"]["images"][0]["url"]):
            del self._received[id]
            return _error(422, "the picture could not be fetched")
        if self.accepts:
            self.outcomes[id] = {"state": "accepted"}
            received.answer = {"external_id": f"n-{id}", "status_url": f"outcomes/{id}"}
            return JSONResponse(received.answer, status_code=202)
        self.posts[id] = message["data"]
        received.answer = {"external_id": f"n-{len(self.posts)}", "url": f"{self.url}/posts/{id}"}
        return JSONResponse(received.answer)

    async def tell(self, request: Request) -> Response:
        if problem := self._unsigned(request, b""):
            return _error(401, problem)
        outcome = self.outcomes.get(request.path_params["id"])
        return JSONResponse(outcome) if outcome else _error(404, "there is no such post")

    def publish_accepted(self, id: str) -> None:
        """What was accepted is out."""
        self.posts[id] = json.loads(self._received[id].body)["data"]
        self.outcomes[id] = {"state": "posted", "url": f"{self.url}/posts/{id}"}

    def _unsigned(self, request: Request, body: bytes) -> str:
        id, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        if abs(self.clock.now().timestamp() - int(stamp)) > TOLERANCE:
            return "the message is too old, or of the future"
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
        ours = f"v1,{base64.b64encode(digest).decode()}"
        theirs = request.headers["webhook-signature"].split(" ")
        return "" if any(hmac.compare_digest(ours, one) for one in theirs) else "wrong signature"


async def _is_picture(url: str) -> bool:
    async with httpx.AsyncClient(timeout=10) as client:
        response = await client.get(url)
    return response.is_success and response.headers["content-type"].startswith("image/")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"message": message}, status_code=status)
