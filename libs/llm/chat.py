"""Asks a language model for a text: ``POST {base_url}/chat/completions``."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from libs.http import CallFailed, HttpClient
from libs.llm.settings import LanguageModelSettings

_CIRCUIT = "language model"
_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation, with a JPEG that it is about, where the model can see."""

    role: Literal["system", "user", "assistant"]
    content: str
    image: bytes = b""

    def as_json(self) -> dict[str, Any]:
        """The turn as the API takes it."""
        if not self.image:
            return {"role": self.role, "content": self.content}
        url = "data:image/jpeg;base64," + base64.b64encode(self.image).decode()
        parts = [
            {"type": "text", "text": self.content},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return {"role": self.role, "content": parts}


class ChatFailed(Exception):
    """No text came. The message is for people and holds neither the key nor what was asked."""


class ChatModel:
    """A model at an endpoint. Use as a context manager.

    A question may be asked again without harm, so it is, up to three times on 429, 5xx and failed
    connections; what timed out is not. After five failures it is left alone for a minute.
    """

    def __init__(
        self,
        settings: LanguageModelSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        assert settings.base_url, "there is a model only where there is an endpoint"
        self.name = settings.model
        self._settings = settings
        self._url = settings.base_url.rstrip("/") + "/chat/completions"
        self._http = HttpClient(
            user_agent="colonnade", total=settings.timeout, clock=clock, sleep=sleep
        )

    async def __aenter__(self) -> "ChatModel":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._http.close()

    async def answer(self, messages: Sequence[ChatMessage]) -> str:
        """What the model says next. Raises ChatFailed."""
        try:
            headers = self._headers()
            response = await self._http.read(
                "POST", self._url, circuit=_CIRCUIT, headers=headers, json=self._body(messages)
            )
        except CallFailed as error:
            raise ChatFailed(f"the language model did not answer: {error}") from None
        except OSError as error:
            why = error.strerror or "it cannot be read"
            raise ChatFailed(f"the file with the key of the language model: {why}") from None
        return _text(response)

    def _headers(self) -> dict[str, str]:
        key = self._settings.key()
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _body(self, messages: Sequence[ChatMessage]) -> dict[str, Any]:
        return {
            "model": self.name,
            "messages": [message.as_json() for message in messages],
            "temperature": self._settings.temperature,
            "max_tokens": self._settings.max_tokens,
            "stream": False,
        }


def _text(response: httpx.Response) -> str:
    if response.status_code in _REFUSED:
        raise ChatFailed(f"the language model refuses its key (HTTP {response.status_code})")
    if not response.is_success:
        raise ChatFailed(f"the language model answered HTTP {response.status_code}")
    try:
        content = response.json()["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise ChatFailed("the endpoint does not speak the chat completions API") from None
    if not isinstance(content, str):
        raise ChatFailed("the language model answered without a text")
    return content
