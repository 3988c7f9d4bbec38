"""The API's documentation as a page, rendered from its OpenAPI document."""

from starlette.routing import Route

from gateway.static import PAGES, static_route

_FILES = {
    "/docs": "docs.html",
    "/docs/docs.js": "docs.js",
    "/docs/icon.svg": "icon.svg",
    "/docs/schema.js": "schema.js",
    "/docs/style.css": "style.css",
    "/docs/theme.js": "theme.js",
    "/docs/try.js": "try.js",
}


def docs_routes() -> list[Route]:
    """The routes of the page and of what it loads. Reads the files now."""
    files = {path: PAGES / name for path, name in _FILES.items()}
    return [static_route(path, file.read_bytes(), file.suffix) for path, file in files.items()]
