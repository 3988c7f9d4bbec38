"""Who may do what, and what never leaves the suite."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog

from cli.connection import Suite as Api
from cli.connection import connect
from libs.errors import FailedPrecondition, PermissionDenied, Unauthenticated
from tests.e2e import work
from tests.e2e.conftest import Provider, Suites
from tests.support.buffer import Admin
from tests.support.harness import ROOT, Suite
from tests.support.pictures import encoded, waves

PERSONAS = catalog.ListPersonasRequest()


@pytest.mark.parametrize("server", ["GRPC", "HTTP"])
def test_nothing_listens_to_the_network_without_keys(tmp_path: Path, server: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "services", "--target=all", "--data", tmp_path / "data"],
        cwd=ROOT,
        env={f"COLONNADE_{server}__HOST": "0.0.0.0"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert ran.returncode == 2
    assert f"{server.lower()}.host is 0.0.0.0" in ran.stderr
    assert "colonnade keys create" in ran.stderr, "it says what to do"
    assert not (tmp_path / "data").exists()


@pytest.fixture
def guarded(suites: Suites) -> Suite:
    """The suite in parts, which asks for keys."""
    return suites.of("split")


@pytest.fixture
async def owner(guarded: Suite) -> AsyncIterator[Api]:
    async with connect(guarded.target) as api:
        yield api


def web_of(suite: Suite, headers: dict[str, str]) -> httpx.AsyncClient:
    """A client of its gateway that knows no key but those in ``headers``."""
    return httpx.AsyncClient(base_url=suite.http, headers=headers, timeout=60)


def with_key(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


@pytest.mark.parametrize("key", ["", "cln_made-up-by-somebody"])
async def test_without_a_known_key_nothing_is_answered(guarded: Suite, key: str) -> None:
    async with connect(replace(guarded.target, key=key)) as api:
        for call in (
            api.catalog.ListPersonas(PERSONAS),
            work.new_persona(api, "Mallory"),
            work.photos_of(api, "personas/nora"),
        ):
            with pytest.raises(Unauthenticated):
                await call
    async with web_of(guarded, with_key(key)) as web:
        answer = await web.get("/v1/personas")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


async def test_a_key_reaches_as_far_as_its_scopes(guarded: Suite, suites: Suites) -> None:
    async with connect(replace(guarded.target, key=suites.reader)) as api:
        await api.catalog.ListPersonas(PERSONAS)
        with pytest.raises(PermissionDenied) as refused:
            await work.new_persona(api, "Mallory")
        assert refused.value.metadata["scope"] == "catalog.write"
        with pytest.raises(PermissionDenied):
            await work.new_channel(api, "personas/nora", "http://127.0.0.1:1", "token")
    async with web_of(guarded, {"x-api-key": suites.reader}) as web:
        assert (await web.get("/v1/personas")).status_code == 200
        answer = await web.post("/v1/personas", json={"displayName": "Mallory"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_with_keys_the_services_still_talk_to_each_other(
    owner: Api, provider: Provider, buffer: Admin, tmp_path: Path
) -> None:
    """Clustering asks embedding, the scheduler asks the catalog, each with the suite's own key."""
    persona = await work.new_persona(owner, "Guarded")
    (tmp_path / "waves.png").write_bytes(encoded(waves(shift=5)))
    await work.import_folder(owner, persona, tmp_path)
    (photo,) = await work.embedded(owner, persona)
    channel = await work.new_channel(owner, persona, provider.url, provider.token)
    assert channel.name.startswith(persona)
    assert photo.embedding.model


async def test_health_and_documentation_need_no_key(guarded: Suite) -> None:
    # Neither of the two that it asks is shown a key.
    guarded.wait_ready()
    async with web_of(guarded, {}) as web:
        for path in ("/healthz", "/docs", "/openapi.json"):
            assert (await web.get(path)).status_code == 200


async def test_no_key_and_no_token_is_in_any_log(
    suites: Suites, suite: Suite, provider: Provider, buffer: Admin
) -> None:
    wrong = "wrong-token-of-a-provider"
    async with connect(suite.target) as api:
        persona = await work.new_persona(api, f"Logged {suite.shape}")
        with pytest.raises(FailedPrecondition):
            await work.new_channel(api, persona, provider.url, wrong)
        await work.new_channel(api, persona, provider.url, provider.token)
    secrets = {wrong, provider.token, suites.reader, suites.internal_key, *kept_secrets(suite)}
    secrets |= {suite.key} if suite.key else set()
    assert len(secrets) >= 8
    files = suite.log_files()
    assert len(files) >= 3
    for file in files:
        text = file.read_text(errors="replace")
        assert [file.name for secret in secrets if secret in text] == []


def kept_secrets(suite: Suite) -> set[str]:
    """What the suite and its engines keep in files that only their owner may read."""
    found: set[str] = set()
    for name in ("secret", "password", "api-key", "passwords.json"):
        for file in suite.data.rglob(name):
            assert file.stat().st_mode & 0o077 == 0, f"{file} is readable for others"
            text = file.read_text()
            found |= set(json.loads(text).values()) if name.endswith(".json") else {text.strip()}
    return found
