"""``colonnade items`` against the service, as people type it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    add_ClusteringServiceServicer_to_server,
)
from colonnade.clustering.v1.item_service_pb2_grpc import add_ItemServiceServicer_to_server
from typer.testing import CliRunner

from cli import output
from cli.main import app
from libs.clock import SystemClock
from libs.rpc.auth import Authenticator
from libs.rpc.paging import PageTokens
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from libs.vectors.qdrant import QdrantIndex
from services.clustering.module import ITEMS, SERVICE
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.servicers.items import ItemServicer
from tests.support import texts
from tests.support.clustering.fakes import MemoryQueue

WIDTH = 80
LEGACY = {
    "feedback:a1": {"source": "reddit", "external_id": "t3_x", "title": "Charged twice"},
    "feedback:b2": '{"source": "github", "title": "Card declined", "status": "new"}',
    "feedback:c3": {"source": "manual", "title": "Old", "status": "closed"},
    "feedback:d4": {"source": "NOT A SOURCE", "title": "T"},
    "feedback:e5": {"source": "manual"},
    "feedback:created": [["a1", 1.0], ["b2", 2.0]],
    "cluster:k1": {"title": "Money", "summary": "About paying"},
    "cluster:items:k1": ["a1", "b2", "gone"],
    "cluster:k2": {"title": "Money"},
    "cluster:items:k2": [],
    "job:1": {"status": "done"},
    "sessions:1": "x",
}


@dataclass(frozen=True, slots=True)
class Shell:
    """Types ``colonnade …`` into a terminal of 80 columns."""

    address: str

    async def says(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """What is printed for people, complaints included, without its line breaks."""
        text = await self._run(words, code, stdin)
        assert max(map(len, text.splitlines()), default=0) <= WIDTH, text
        return text.replace("\n", "")

    async def json(self, *words: str, code: int = 0, stdin: str = "") -> Any:
        """What is printed for programs."""
        return json.loads(await self._run([*words, "--json"], code, stdin))

    async def _run(self, words: Sequence[str], code: int, stdin: str) -> str:
        environment = {"COLONNADE_PEERS__CLUSTERING": self.address}
        ran = await asyncio.to_thread(
            CliRunner().invoke, app, [*words], env=environment, input=stdin
        )
        assert ran.exit_code == code, (words, ran.output, ran.exception)
        return ran.output


@pytest.fixture
async def shell(
    store: PostgresStore, index: QdrantIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shell]:
    clock, tokens = SystemClock(), PageTokens(b"secret")
    server = RpcServer(Authenticator(), Metrics().rpc)
    items = ItemServicer(store, clock, tokens, lambda: None)
    server.add(ITEMS, add_ItemServiceServicer_to_server, items)
    clusters = ClusteringServicer(
        store, index, MemoryQueue(), clock, tokens, is_stopping=lambda: False
    )
    server.add(SERVICE, add_ClusteringServiceServicer_to_server, clusters)
    address = f"unix:{tmp_path / 'clustering.sock'}"
    await server.start([address])
    monkeypatch.setattr(output.out, "width", WIDTH)
    monkeypatch.setattr(output.err, "width", WIDTH)
    yield Shell(address)
    await server.stop(0)


async def test_one_item_from_its_coming_to_its_end(shell: Shell) -> None:
    first = ("items", "add", "lumen", "Charged [twice]", "--external-id", "T-1")
    assert (await shell.says(*first)).startswith("created")
    assert (await shell.says(*first)).startswith("duplicate")
    assert (await shell.says(*first, "--body", "Two debits")).startswith("updated")
    (item,) = await shell.json("items", "list", "lumen")
    name = item["name"]
    shown = await shell.says("items", "show", name)
    assert "Charged [twice]" in shown
    assert "Two debits" in shown
    assert "pending" in await shell.says("items", "list", "projects/lumen", "--state", "pending")
    assert "closed Charged [twice]" in await shell.says("items", "close", name)
    assert (await shell.json("items", "show", name))["closed"] is True
    assert await shell.json("items", "list", "lumen", "--state", "pending") == []
    assert "reopened" in await shell.says("items", "reopen", name)
    assert "0 items wait again" in await shell.says("items", "retry", "lumen")
    assert "deleted" in await shell.says("items", "delete", name)
    assert "not found" in await shell.says("items", "show", name, code=1)


async def test_wrong_values_are_named(shell: Shell) -> None:
    said = await shell.says("items", "add", "lumen", "T", "--source", "Git Hub", code=2)
    assert "item.source" in said
    said = await shell.says("items", "list", "lumen", "--filter", "colour = red", code=2)
    assert "filter" in said


async def test_an_import_in_batches_is_safe_to_repeat(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    rows = texts.mixed(510)
    lines = [
        json.dumps(
            {
                "source": row.source,
                "external_id": row.external_id,
                "title": row.title,
                "body": row.body,
                "repository": row.repository,
                "source_time": row.source_time.isoformat(),
            }
        )
        for row in rows
    ]
    file.write_text("\n".join(lines) + "\n\n")
    report = await shell.json("items", "import", "lumen", str(file))
    assert report == {"created": 510, "updated": 0, "duplicates": 0, "refused": []}
    report = await shell.json("items", "import", "lumen", "-", stdin=file.read_text())
    assert report == {"created": 0, "updated": 0, "duplicates": 510, "refused": []}
    assert len(await shell.json("items", "list", "lumen", "--limit", "1000")) == 510


async def test_each_line_that_is_refused_is_told(shell: Shell) -> None:
    lines = [
        '{"title": "one", "external_id": "1"}',
        "{",
        '{"titel": "two"}',
        "[]",
        '{"source": "manual"}',
        '{"title": "three", "metadata": {"a": "b"}, "closed": true}',
    ]
    given = "\n".join(lines)
    said = await shell.says(
        "items", "import", "lumen", "-", "--source", "desk", code=1, stdin=given
    )
    assert "2 new, 0 updated, 0 known, 4 refused" in said
    report = await shell.json("items", "import", "lumen", "-", code=1, stdin=given)
    assert [each["place"] for each in report["refused"]] == ["line 2", "line 3", "line 4", "line 5"]
    assert "titel" in report["refused"][1]["why"]
    sources = {item["source"] for item in await shell.json("items", "list", "lumen")}
    assert sources == {"desk", "manual"}


async def test_a_zero_character_or_an_impossible_time_costs_one_line_only(
    shell: Shell, tmp_path: Path
) -> None:
    lines = [
        {"title": "one"},
        {"title": "E", "body": "a\0b"},
        {"title": "F", "metadata": {"a": "\0"}},
        {"title": "G", "source_time": "9999-12-31T23:59:59-23:00"},
        {"title": "two"},
    ]
    given = "\n".join(json.dumps(line) for line in lines)
    report = await shell.json("items", "import", "lumen", "-", code=1, stdin=given)
    assert report["created"] == 2
    assert [each["place"] for each in report["refused"]] == ["line 2", "line 3", "line 4"]
    assert "body: holds the character U+0000" in report["refused"][0]["why"]
    file = tmp_path / "dump.json"
    file.write_text(
        json.dumps(
            {
                "feedback:a": {"title": "E\0", "source": "reddit"},
                "feedback:b": {"title": "T", "source": "manual"},
            }
        )
    )
    said = await shell.says("items", "import", "old", str(file), "--legacy", code=1)
    assert "2 items: 1 new, 0 updated, 0 known, 1 refused" in said


async def test_a_dump_of_the_older_library(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    file.write_text(json.dumps(LEGACY))
    said = await shell.says("items", "import", "lumen", str(file), "--legacy", code=1)
    assert "4 items: 3 new, 0 updated, 0 known, 1 refused" in said
    assert "2 groups: 2 new, 0 known, with 2 items" in said
    assert "sessions:1" in said
    again = await shell.json("items", "import", "lumen", str(file), "--legacy", code=1)
    assert again["items"]["duplicates"] == 3
    assert again["groups"] == {"made": 0, "known": 2}
    assert (again["placed"], again["missing"]) == (2, ["gone"])
    assert (again["leftOut"], again["unknown"]) == (["job:1"], ["sessions:1"])
    assert [each["key"] for each in again["broken"]] == ["feedback:e5"]
    clusters = await shell.json("clusters", "list", "projects/lumen")
    found = {cluster["title"]: cluster["memberCount"] for cluster in clusters}
    assert found == {"Money": 2, "Money (2)": 0}
    assert len(await shell.json("items", "list", "lumen", "--state", "closed")) == 1
    (money,) = (cluster["name"] for cluster in clusters if cluster["title"] == "Money")
    members = await shell.json("items", "list", "lumen", "--cluster", money)
    assert {item["title"] for item in members} == {"Charged twice", "Card declined"}


async def test_what_is_no_dump(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    file.write_text("[1]")
    said = await shell.says("items", "import", "lumen", str(file), "--legacy", code=2)
    assert "dump.json" in said
