"""``python -m services`` as a program: what it says, what it ends with, what it starts."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.__main__ import main
from tests.support.harness import ROOT, Part
from tests.support.ports import free_port

# As long as those in tests/e2e, whose processes also have to share the machine with others.
pytestmark = [pytest.mark.processes, pytest.mark.timeout(1800)]

SECRET = "correct-horse-battery-staple"
DATABASE = f"postgresql+psycopg://catalog:{SECRET}@127.0.0.1:1/colonnade"


def services(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end, with settings such as ``GRPC__PORT`` in the environment."""
    environment = {f"COLONNADE_{name}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def assert_refused(ran: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    assert ran.returncode == code, ran
    assert ran.stderr.startswith("colonnade: ")
    assert "Traceback" not in ran.stderr
    for text in texts:
        assert text in ran.stderr
    assert SECRET not in ran.stderr + ran.stdout


def test_the_environment_wins_over_the_file_and_secrets_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text("[catalog]\nmax_bytes = 1000\nmax_pixels = 2000\n")
    ran = services(
        *("--target=catalog", "--config", file, "--print-config"),
        CATALOG__MAX_BYTES="3000",
        DATABASE__URL=DATABASE,
    )
    shown = json.loads(ran.stdout)
    assert shown["catalog"] == {"max_bytes": 3000, "max_pixels": 2000}
    assert "url" in shown["database"]
    assert SECRET not in ran.stdout


def test_a_wrong_setting_of_the_environment_is_named_but_not_shown() -> None:
    ran = services("--check-config", CATALOG__MAX_BYTE=SECRET, DATABASE__POOL_SIZE=SECRET)
    assert_refused(ran, 2, "the settings are not usable", "catalog.max_byte", "database.pool_size")


def checked(folder: Path, text: str) -> int:
    """What checking a settings file with this text ends with, in this process."""
    file = folder / "suite.toml"
    file.write_text(text)
    return main(["--config", str(file), "--check-config"])


def test_settings_that_are_right_pass_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, "[catalog]\nmax_bytes = 1000\n") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f'[catalog]\nmax_bytes = "{SECRET}"\n', "catalog.max_bytes"),
        (f'[database]\npassword = "{SECRET}"\n', "database.password"),
        (f'[blobs]\noptions = "{SECRET}"\n', "blobs.options"),
        ("[catalog\n", "line 1"),
        ("max_bytes = \n", "line 1"),
    ],
)
def test_a_file_that_is_not_right_is_refused(
    tmp_path: Path, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, text) == 2
    said = capsys.readouterr().err
    assert said.startswith("colonnade: the settings are not usable")
    assert named in said
    assert SECRET not in said


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(tmp_path / "nowhere.toml")]) == 2
    assert str(tmp_path / "nowhere.toml") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "setting"),
    [("catalog", "BLOBS__URL"), ("relay", "REDIS__URL"), ("migrate", "DATABASE__URL")],
)
def test_a_part_alone_says_which_engine_it_misses(
    tmp_path: Path, target: str, setting: str
) -> None:
    ran = services(f"--target={target}", "--data", tmp_path)
    assert_refused(ran, 1, f"COLONNADE_{setting}")


def test_parts_with_keys_need_a_key_among_themselves(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"owner:*:{'0' * 64}\n")
    ran = services("--target=gateway", "--data", tmp_path, AUTH__KEYS_FILE=str(keys))
    assert_refused(ran, 1, "auth.internal_key_file")


def test_a_line_that_is_no_key_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("# who may call\n\nowner:*\n")
    ran = services("--target=gateway", "--data", tmp_path, AUTH__KEYS_FILE=str(keys))
    assert_refused(ran, 1, f"{keys}:3:")


def test_a_keys_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    ran = services("--target=gateway", "--data", tmp_path, AUTH__KEYS_FILE=str(keys))
    assert_refused(ran, 1, str(keys))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Part]:
    """A gateway alone; nothing that it leads to is there."""
    nowhere = f"127.0.0.1:{free_port()}"
    peers = {
        f"COLONNADE_PEERS__{name}": nowhere
        for name in ("CATALOG", "EMBEDDING", "CLUSTERING", "SCHEDULER")
    }
    part = Part("gateway", tmp_path, peers)
    yield part
    part.kill()


def get(part: Part, path: str) -> httpx.Response:
    return httpx.get(f"{part.http}{path}", timeout=60, verify=False)


def wait_listening(part: Part, within: float = 300.0) -> None:
    """Returns once the part answers at all. Fails if it has ended."""
    deadline = time.monotonic() + within
    while part.pid:
        try:
            get(part, "/healthz").raise_for_status()
        except httpx.TransportError:
            assert time.monotonic() < deadline, part.tail()
            time.sleep(0.05)
        else:
            return


def test_a_gateway_alone_lives_and_says_truthfully_that_it_is_not_ready(gateway: Part) -> None:
    gateway.start()
    wait_listening(gateway)
    answer = get(gateway, "/readyz")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["failures"]["gateway"]
    refused = get(gateway, "/v1/personas")
    assert (refused.status_code, refused.json()["error"]["status"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_well_when_it_is_told_to(gateway: Part, name: signal.Signals) -> None:
    gateway.start()
    wait_listening(gateway)
    os.kill(gateway.pid, name)
    assert gateway.wait() == 0


def test_a_process_that_ends_gives_balancers_time_to_notice(gateway: Part) -> None:
    gateway.environment["COLONNADE_SHUTDOWN_DELAY"] = "3600"
    gateway.start()
    wait_listening(gateway)
    gateway.ask_to_stop()
    deadline = time.monotonic() + 300
    while "stopping" not in gateway.output():
        assert time.monotonic() < deadline, gateway.tail()
        time.sleep(0.05)
    # It still answers, and says that it will not for long.
    assert get(gateway, "/healthz").status_code == 200
    assert get(gateway, "/readyz").status_code == 503


FORKS = """
import asyncio, services, subprocess
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

async def call_on(stub):
    while True:
        await stub.Check(health_pb2.HealthCheckRequest())

async def main():
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        calls = [asyncio.create_task(call_on(stub)) for _ in range(8)]
        died = 0
        for _ in range(100):
            await asyncio.sleep(0.002)
            died += subprocess.run(["true"], preexec_fn=lambda: None).returncode != 0
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    await server.stop(0)
    print(died)

asyncio.run(main())
"""


def test_engines_can_be_started_while_calls_are_served() -> None:
    """With gRPC's fork support one in ten such children dies before its program begins."""
    ran = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (ran.returncode, ran.stdout) == (0, "0\n"), ran
