"""The pages: nothing from elsewhere, and nothing that the content security policy forbids."""

import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

import gateway.docs
from gateway.docs import docs_routes

PAGES = Path(gateway.docs.__file__).with_name("pages")


@pytest.fixture
async def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=docs_routes()))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
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


_CONTENT = {file.name: file.read_text() for file in sorted(PAGES.iterdir())}


@pytest.mark.parametrize("name", _CONTENT)
async def test_every_file_is_served_and_refers_only_to_what_is_here(
    client: httpx.AsyncClient, name: str
) -> None:
    served = {"home.html": "/", "docs.html": "/docs"}.get(name, f"/docs/{name}")
    assert (await client.get(served)).text == _CONTENT[name]
    text = _CONTENT[name].replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]+\.[a-z]", text)
    elsewhere = {"/openapi.json", "/readyz"}
    for target in re.findall(r"""(?:href|src|from)[= ]"(/[^"]*)\"""", text):
        assert target in elsewhere or (await client.get(target)).status_code == 200


@pytest.mark.parametrize("page", ["home.html", "docs.html"])
def test_pages_have_no_scripts_or_styles_of_their_own(page: str) -> None:
    text = _CONTENT[page]
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=", text)
