"""What keeps web pages out of a suite that has no keys because only this machine reaches it.

A browser on this machine does reach it, and runs other people's pages. A page may name itself after
our address (DNS rebinding; then ``Host`` is foreign) or send requests across sites (then ``Origin``
is). No client of ours sends either.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.errors import PermissionDenied

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class LocalOnly:
    """Middleware: refuses requests that are not addressed to, or come from a page not of, this
    machine. For a suite without API keys."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            _check("host", f"//{headers.get('host', 'localhost')}")
            if (origin := headers.get("origin")) is not None:
                _check("origin", origin)
        await self._app(scope, receive, send)


def _check(header: str, url: str) -> None:
    try:
        name = urlsplit(url).hostname
    except ValueError:
        name = None
    if name not in _LOCAL:
        raise PermissionDenied(
            f"{header}: a suite without API keys answers only 127.0.0.1 and localhost; "
            "make a key with `colonnade keys create`",
            reason="LOCAL_ONLY",
            metadata={"header": header},
        )
