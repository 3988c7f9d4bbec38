"""The steps as processes, as ``colonnade migrate`` starts them: exit codes, JSON, kills."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.support.engines import Databases
from tests.support.legacy import sample
from tests.support.legacy.database import LegacyDatabase
from tests.support.ports import free_port
from tests.support.wait import eventually

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[4]
HELD = (
    "SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database"
    " WHERE locktype = 'advisory' AND datname = current_database()"
)


class Shell:
    """Runs steps against one catalog; no other service is there."""

    def __init__(self, url: str, folder: Path, legacy: LegacyDatabase) -> None:
        self.url = url
        self.legacy = legacy
        self.files = sample.write_files(folder / "files")
        nobody = f"127.0.0.1:{free_port()}"
        self.environment = {
            "COLONNADE_DATABASE__URL": url,
            "COLONNADE_DATA": str(folder / "data"),
            "COLONNADE_BLOBS__URL": f"file://{folder / 'blobs'}",
            "COLONNADE_ADDRESS": nobody,
        }

    def __call__(self, *step: str, code: int = 0) -> Any:
        """The JSON of ``colonnade migrate …``."""
        ran = CliRunner().invoke(app, ["migrate", *step], env=self.environment)
        assert ran.exit_code == code, ran.output
        return json.loads(ran.stdout) if "--json" in step else ran.output

    def start(self, *step: str) -> "subprocess.Popen[str]":
        """A step under way."""
        command = [sys.executable, "-m", "services.legacy", *step]
        environment = {**os.environ, **self.environment}
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )

    def count(self, table: str) -> int:
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            found = connection.execute(f"SELECT count(*) FROM catalog.{table}").fetchone()
        return int(found[0]) if found else 0

    async def is_free(self) -> bool:
        """Whether no session holds the lock of a migration."""
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            return connection.execute(HELD).fetchone() is None


@pytest.fixture
def shell(catalog_url: str, databases: Databases, tmp_path: Path) -> Shell:
    return Shell(catalog_url, tmp_path, LegacyDatabase(databases.fresh()))


def test_the_whole_way_on_the_command_line(shell: Shell, tmp_path: Path) -> None:
    dump = str(shell.legacy.dump(tmp_path / "library.sql"))
    assert "photos without a cluster" in shell("audit", "--source", dump)
    assert "nora/coffee" in shell("plan", "--source", dump)
    applied = shell("apply", "--source", dump, "--media", str(shell.files), "--json", code=3)
    assert applied["tables"]["photos"] == {"DONE": 15, "QUARANTINED": 5}
    assert len(applied["undelivered"]) == 2, "neither the scheduler nor clustering is there"
    assert "MISSING_FILE" in shell("quarantine", code=3)
    assert "differs" in shell("gate", code=4)
    assert "no gate" in shell("drop", "--confirm-backup", "b", code=1)
    shell("assign", "13", "--pillar", applied["pillars"]["10"])
    shell("give-up", "14", "18", "19", "20", "--reason", "gone")
    shell("apply", "--media", str(shell.files), "--json")
    assert shell("rollback", "--json")["left"]


def test_what_cannot_be_read_is_said_in_a_sentence(shell: Shell, tmp_path: Path) -> None:
    said = shell("audit", "--source", str(tmp_path / "nothing.sql"), code=2)
    assert "there is no file" in said
    said = shell("apply", "--source", shell.legacy.url, "--media", "/nowhere", code=2)
    assert "is not a folder" in said
    said = shell("audit", "--source", "postgresql://x:hunter2@127.0.0.1:1/y", code=1)
    assert "hunter2" not in said


def test_a_database_that_is_not_at_its_revision_is_refused(shell: Shell) -> None:
    with psycopg.connect(shell.url.replace("+psycopg", "")) as connection:
        connection.execute("UPDATE catalog.schema_version SET version_num = '0006'")
    assert "run it with --target=migrate first" in shell("status", code=1)
    ran = subprocess.run(
        [sys.executable, "-m", "services", "--target=catalog"],
        cwd=ROOT,
        env={
            **os.environ,
            **shell.environment,
            "COLONNADE_REDIS__URL": "redis://127.0.0.1:1",
            "COLONNADE_GRPC__PORT": "0",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 1, "the service serves no half-migrated database either"
    assert "the schema catalog is at revision 0006 but this program needs" in ran.stderr


def test_an_apply_that_is_killed_goes_on(shell: Shell) -> None:
    step = ("apply", "--source", shell.legacy.url, "--media", str(shell.files))
    with psycopg.connect(shell.url.replace("+psycopg", "")) as other:
        # Holds it up before its runs: it must not come to its end before it is killed.
        other.execute("LOCK TABLE catalog.runs IN SHARE MODE")
        _kill_among_photos(shell, *step)
    # The server learns a moment later that nobody works on the migration any more.
    asyncio.run(eventually(shell.is_free, within=120))
    shell(*step, "--json", code=3)
    assert [shell.count(t) for t in ("personas", "pillars", "photos", "runs")] == [3, 6, 13, 5]


def _kill_among_photos(shell: Shell, *step: str) -> None:
    with shell.start(*step) as child:
        assert child.stdout is not None
        for line in child.stdout:
            told = json.loads(line).get("progress", {})
            if told.get("phase") == "photos":
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
