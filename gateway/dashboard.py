"""The dashboard: one page that speaks to the REST API like every other client.

Its scripts and styles have addresses that change with their content, so that browsers keep them
for good; the page itself is asked for each time and names them.
"""

from starlette.routing import Route

from gateway.static import FOR_GOOD, PAGES, digest, static_route

_FOLDER = PAGES / "dashboard"
# The page finds out by itself which of its views an address means; see its routes.js.
_PATHS = ("/", "/health", "/personas/{path:path}", "/projects/{path:path}")


def dashboard_routes() -> list[Route]:
    """The routes of the page and of what it loads. Reads the files now."""
    files = sorted(file for file in _FOLDER.iterdir() if file.suffix in {".css", ".js"})
    contents = {file: file.read_bytes() for file in files}
    assets = f"/assets/{digest(b''.join(contents.values()))}"
    page = (_FOLDER / "index.html").read_text().replace("@assets", assets).encode()
    return [
        *(static_route(path, page, ".html") for path in _PATHS),
        *(
            static_route(f"{assets}/{file.name}", content, file.suffix, FOR_GOOD)
            for file, content in contents.items()
        ),
    ]
