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


@pytest.mark.parametrize(
    "before",
    [
        {"no_proxy": "*", "http_proxy": "http://proxy:3128"},
        # As a Mac whose proxies are those of its settings, which a no_proxy would hide.
        {},
        {"no_proxy": "example.com", "no_grpc_proxy": "example.com", "HTTPS_PROXY": ""},
    ],
)
def test_where_nothing_here_is_sent_to_a_proxy_nothing_changes(before: dict[str, str]) -> None:
    environment = dict(before)
    call_directly(environment)
    assert environment == before


def test_clients_take_it_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    call_directly(os.environ)
    assert urllib.request.proxy_bypass("127.0.0.1:8080")
    with httpx.Client() as client:
        chosen = {url: client._transport_for_url(httpx.URL(url)) for url in URLS}
    assert {url for url, way in chosen.items() if way is client._transport} == set(URLS[:3])


URLS = ("http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:8080/", "http://example.com/")
