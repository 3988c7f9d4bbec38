"""A proxy is for what is elsewhere."""

import os
import urllib.request

import httpx
import pytest

from libs.loopback import call_directly

HERE = "127.0.0.1,::1,localhost"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, HERE),
        ({"no_proxy": "example.com, .local"}, f"example.com,.local,{HERE}"),
        ({"NO_PROXY": "example.com"}, f"example.com,{HERE}"),
        ({"no_proxy": "localhost,example.com"}, f"example.com,{HERE}"),
        ({"no_proxy": HERE, "NO_PROXY": HERE}, HERE),
    ],
)
def test_this_machine_joins_those_that_need_no_proxy(before: dict[str, str], after: str) -> None:
    environment = {**before, "http_proxy": "http://proxy:3128"}
    call_directly(environment)
    assert (environment["no_proxy"], environment["NO_PROXY"]) == (after, after)
    assert environment["http_proxy"] == "http://proxy:3128"


def test_where_nobody_needs_a_proxy_nothing_changes() -> None:
    environment = {"no_proxy": "*"}
    call_directly(environment)
    assert environment == {"no_proxy": "*"}


def test_clients_take_it_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    call_directly(os.environ)
    assert urllib.request.proxy_bypass("127.0.0.1:8080")
    with httpx.Client() as client:
        chosen = {url: client._transport_for_url(httpx.URL(url)) for url in URLS}
    assert {url for url, way in chosen.items() if way is client._transport} == set(URLS[:3])


URLS = ("http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:8080/", "http://example.com/")
