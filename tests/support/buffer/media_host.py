"""A host of pictures, as our gateway is one: what a provider may fetch."""

import contextlib
import hashlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.buffer.serving import serving

JPEG = b"\xff\xd8\xff\xe0 not much of a picture \xff\xd9"
JPEG_SHA256 = hashlib.sha256(JPEG).hexdigest()


class MediaHost:
    """Answers any path with a JPEG; those in ``gone`` with 410, those in ``pages`` with HTML."""

    def __init__(self) -> None:
        self.url = ""
        self.gone: set[str] = set()
        self.pages: set[str] = set()
        self.fetched: list[str] = []

    def address(self, path: str) -> str:
        """The address of a picture."""
        return f"{self.url}{path}"

    def forget(self) -> None:
        """As new."""
        self.gone.clear()
        self.pages.clear()
        self.fetched.clear()

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        self.fetched.append(path)
        if path in self.gone:
            return Response(status_code=410)
        if path in self.pages:
            return Response("<html>sign in</html>", media_type="text/html")
        return Response(JPEG, media_type="image/jpeg")

    @classmethod
    @contextlib.asynccontextmanager
    async def serve(cls) -> AsyncIterator["MediaHost"]:
        """A host on a free port of the loopback."""
        host = cls()
        app = Starlette(routes=[Route("/{path:path}", host.answer, methods=["GET"])])
        async with serving(app) as host.url:
            yield host
