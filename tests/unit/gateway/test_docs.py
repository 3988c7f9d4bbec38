"""The documentation page: nothing from elsewhere, and nothing that its security policy forbids."""

import re

import httpx
import pytest
from starlette.applications import Starlette

from gateway.docs import docs_routes
from gateway.static import PAGES


@pytest.fixture
async def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=docs_routes()))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/icon.svg", "image/svg+xml"),
    ],
)
async def test_pages_are_served_with_their_type_and_policy(
    client: httpx.AsyncClient, path: str, kind: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


_CONTENT = {file.name: file.read_text() for file in sorted(PAGES.iterdir()) if file.is_file()}


@pytest.mark.parametrize("name", _CONTENT)
async def test_every_file_is_served_and_refers_only_to_what_is_here(
    client: httpx.AsyncClient, name: str
) -> None:
    served = {"docs.html": "/docs"}.get(name, f"/docs/{name}")
    assert (await client.get(served)).text == _CONTENT[name]
    text = _CONTENT[name].replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]+\.[a-z]", text)
    elsewhere = {"/", "/openapi.json"}
    for target in re.findall(r"""(?:href|src|from)[= ]"(/[^"]*)\"""", text):
        assert target in elsewhere or (await client.get(target)).status_code == 200


def test_the_page_has_no_scripts_or_styles_of_its_own() -> None:
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=", _CONTENT["docs.html"])
