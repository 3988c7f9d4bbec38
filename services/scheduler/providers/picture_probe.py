"""Fetching our own pictures at the address that providers get."""

from typing import Final

import httpx

from libs.http import CallFailed, HttpClient, Refused

_CIRCUIT: Final = "pictures"


class HttpPictureProbe:
    """See ``ports.PictureProbe``."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def trouble(self, url: str) -> str:
        """See PictureProbe. What only a provider elsewhere can reach is not judged from here."""
        try:
            answer = await self._http.read("HEAD", url, circuit=_CIRCUIT)
        except Refused:
            return ""
        except CallFailed as error:
            return str(error)
        if answer.status_code != httpx.codes.OK:
            return f"HTTP {answer.status_code}"
        kind = answer.headers.get("content-type", "").partition(";")[0]
        return "" if kind.startswith("image/") else f"it is {kind or 'of no kind'}, not a picture"
