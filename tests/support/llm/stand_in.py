"""The stand-in: what it is told to do next, what it was asked, and its endpoint."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.buffer.serving import Connections, DroppedResponse, serving
from tests.support.llm.briefs import brief

MODEL = "stand-in-1"
_ROLES = ("system", "user", "assistant")
_WORDS_PER_TOKEN = 0.75


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    body: dict[str, Any]
    authorization: str

    @property
    def question(self) -> dict[str, Any]:
        """The data in the first turn of the user."""
        turn = next(m for m in self.body["messages"] if m["role"] == "user")
        found: dict[str, Any] = json.loads(turn["content"])
        return found


Step = Callable[["StandIn"], Awaitable[Response | str]]


@dataclass
class StandIn:
    """A language model that follows ``script``, and writes a new brief each time when that is done.

    ``key``: the API key that it wants, if any. ``delay``: seconds before each answer, for trying by
    hand; tests take ``slow``, which waits for ``gate``.
    """

    key: str = ""
    delay: float = 0.0
    script: list[Step] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    written: int = 0
    url: str = ""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    connections: Connections = field(default_factory=Connections)

    def will(self, *steps: Step) -> None:
        """Appends to the script."""
        self.script.extend(steps)

    def next_brief(self) -> dict[str, Any]:
        """A brief that was not written before."""
        self.written += 1
        return brief(self.written)

    def app(self) -> Starlette:
        """The endpoint."""
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
            ]
        )

    async def _models(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def _complete(self, request: Request) -> Response:
        if denied := self._denied(request):
            return denied
        try:
            body = await request.json()
        except ValueError:
            return refusal(400, "invalid_request_error", "We could not parse the JSON body.")
        if wrong := _wrong(body):
            return refusal(400, "invalid_request_error", wrong)
        self.asked.append(Asked(body, request.headers.get("authorization", "")))
        await asyncio.sleep(self.delay)
        step = self.script.pop(0) if self.script else ok
        said = await step(self)
        return said if isinstance(said, Response) else _completion(body, said)

    def _denied(self, request: Request) -> Response | None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return refusal(401, "invalid_api_key", "Incorrect API key provided.")
        return None


async def ok(model: StandIn) -> str:
    """A brief, as asked."""
    return json.dumps(model.next_brief())


async def fenced(model: StandIn) -> str:
    """A brief in a fence, with a sentence before it, as models like to do."""
    return f"Here is your brief:\n```json\n{json.dumps(model.next_brief(), indent=2)}\n```\n"


async def nonsense(_model: StandIn) -> str:
    """Prose."""
    return "I would love to help you with that! What a nice pillar."


async def slow(model: StandIn) -> str:
    """A brief, once ``gate`` is set."""
    await model.gate.wait()
    return await ok(model)


async def dropped(model: StandIn) -> Response:
    """No answer: the connection is reset."""
    return DroppedResponse(model.connections)


def says(text: str) -> Step:
    """These very words."""

    async def step(_model: StandIn) -> str:
        return text

    return step


def writes(**fields: Any) -> Step:
    """A brief with these fields in place of its own."""

    async def step(model: StandIn) -> str:
        return json.dumps({**model.next_brief(), **fields})

    return step


def fails(status: int) -> Step:
    """An HTTP error in the shape that OpenAI gives it."""
    kind = "rate_limit_exceeded" if status == 429 else "server_error"

    async def step(_model: StandIn) -> Response:
        return refusal(status, kind, "Try again later.")

    return step


def refusal(status: int, kind: str, message: str) -> Response:
    """An error of the endpoint."""
    error = {"message": message, "type": kind, "param": None, "code": kind}
    return JSONResponse({"error": error}, status)


def _wrong(body: Any) -> str:
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "'messages' must be a list that is not empty"
    for message in messages:
        if message.get("role") not in _ROLES or not _is_content(message.get("content")):
            return "each message has a role and a content"
    if not 0 <= body.get("temperature", 1) <= 2:
        return "'temperature' must be between 0 and 2"
    return ""


def _is_content(content: Any) -> bool:
    """Whether it is what a turn may hold: a text, or texts and pictures."""
    return isinstance(content, str) or (isinstance(content, list) and bool(content))


def _text_of(content: Any) -> str:
    """The text of a turn, without the pictures beside it."""
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part.get("type") == "text")


def _completion(body: dict[str, Any], text: str) -> Response:
    told = " ".join(_text_of(message["content"]) for message in body["messages"])
    used = [round(len(words.split()) / _WORDS_PER_TOKEN) for words in (told, text)]
    return JSONResponse(
        {
            "id": "chatcmpl-stand-in",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": used[0],
                "completion_tokens": used[1],
                "total_tokens": sum(used),
            },
        }
    )


@asynccontextmanager
async def language_model(
    script: Iterable[Step] = (), *, key: str = "", port: int = 0, delay: float = 0.0
) -> AsyncIterator[StandIn]:
    """A stand-in that answers on the loopback."""
    model = StandIn(key=key, delay=delay, script=list(script))
    async with serving(model.app(), port, model.connections) as base:
        model.url = f"{base}/v1"
        try:
            yield model
        finally:
            model.gate.set()
