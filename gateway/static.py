"""Files that are part of the project, served from memory with their type, policy and etag.

Everything comes from here: no other host is asked for scripts, fonts or styles, and the content
security policy keeps it so.
"""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.conditions import etag_matches, quoted

PAGES = Path(__file__).with_name("pages")
# Asked for again each time, and answered with 304 while it is the same.
FRESH = "no-cache"
# For addresses that change with what they serve.
FOR_GOOD = "public, max-age=31536000, immutable"

_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# Pictures that need a key are fetched by scripts and shown as blobs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)


def static_route(path: str, content: bytes, suffix: str, cache_control: str = FRESH) -> Route:
    """Serves ``content`` at ``path`` as the kind of file that ``suffix`` says, such as ``.css``."""
    headers = {
        "cache-control": cache_control,
        "content-security-policy": _POLICY,
        "cross-origin-opener-policy": "same-origin",
        "etag": quoted(digest(content)),
        "referrer-policy": "no-referrer",
    }

    async def serve(request: Request) -> Response:
        if etag_matches(request.headers.get("if-none-match"), headers["etag"]):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_KINDS[suffix])

    return Route(path, serve)


def digest(content: bytes) -> str:
    """What changes when the content does."""
    return hashlib.sha256(content).hexdigest()[:32]
