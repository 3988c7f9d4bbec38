"""The pages for people: a landing page, and the API's documentation rendered from its document.

Everything comes from here: no other host is asked for scripts, fonts or styles, and the content
security policy keeps it so.
"""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.conditions import etag_matches, quoted

_PAGES = Path(__file__).with_name("pages")
_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_FILES = {
    "/": "home.html",
    "/docs": "docs.html",
    "/docs/docs.js": "docs.js",
    "/docs/icon.svg": "icon.svg",
    "/docs/schema.js": "schema.js",
    "/docs/style.css": "style.css",
    "/docs/theme.js": "theme.js",
    "/docs/try.js": "try.js",
}


def docs_routes() -> list[Route]:
    """The routes of the pages and of what they load. Reads the files now."""
    return [_route(path, _PAGES / name) for path, name in _FILES.items()]


def _route(path: str, file: Path) -> Route:
    content = file.read_bytes()
    headers = {
        "cache-control": "no-cache",
        "content-security-policy": _POLICY,
        "etag": quoted(hashlib.sha256(content).hexdigest()[:32]),
        "referrer-policy": "no-referrer",
    }

    async def page(request: Request) -> Response:
        if etag_matches(request.headers.get("if-none-match"), headers["etag"]):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_KINDS[file.suffix])

    return Route(path, page)
