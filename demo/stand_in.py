"""The other side of the stand-in of Buffer: what it has, and how to have it answer late."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from libs.errors import Unavailable


@dataclass(frozen=True, slots=True)
class StandIn:
    """Looks into the stand-in whose admin side is at ``url``. Blocks, for milliseconds.

    Raises Unavailable while it does not answer.
    """

    url: str

    def account(self, service: str) -> str:
        """The id of its channel on that network."""
        channels: dict[str, dict[str, Any]] = self._state()["channels"]
        return next(key for key, channel in channels.items() if channel["service"] == service)

    def posts(self, text: str) -> list[dict[str, Any]]:
        """What it has with that text, live or not."""
        return [post for post in self._state()["posts"].values() if post["text"] == text]

    def answer_late(self, seconds: float) -> None:
        """The next post is taken at once, but the answer comes ``seconds`` later."""
        self._call("POST", "/faults", {"kind": "delay", "seconds": seconds})

    def answer_at_once(self) -> None:
        """Every call is answered at once again."""
        self._call("DELETE", "/faults")

    def _state(self) -> dict[str, Any]:
        return self._call("GET", "/state")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer: dict[str, Any] = json.load(response)
        except OSError as error:
            raise Unavailable(f"the stand-in of Buffer does not answer: {error}") from error
        return answer
