"""Suites, pictures and a provider for end-to-end tests. Each is started once a run of the tests."""

import sys
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.connection import Suite as Api
from cli.connection import connect
from demo.pictures import SamplePicture, draw_library
from libs.embedded.child import ChildProcess
from libs.rpc.auth import new_key
from tests.support.buffer import DEFAULT_TOKEN, Admin
from tests.support.harness import ROOT, Shape, Suite, SuiteInOne, SuiteInParts
from tests.support.ports import free_port

# A small library still has groups, and a small limit can be broken quickly.
SETTINGS = {
    "COLONNADE_CLUSTERING__MIN_SIZE": "2",
    "COLONNADE_CATALOG__MAX_BYTES": str(3 * 1024 * 1024),
    "COLONNADE_GATEWAY__MAX_UPLOAD_BYTES": str(4 * 1024 * 1024),
    "COLONNADE_GATEWAY__MAX_BODY_BYTES": str(1024 * 1024),
}


# Seconds that a test may take whose processes have to share the machine with others.
LONGEST = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts processes."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.processes)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONGEST))


class Suites:
    """The suites that tests share, one of each shape, started when first asked for.

    The one in parts asks for API keys, the other does not. ``reader`` is a key that may only read
    the catalog.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[Shape, Suite] = {}
        self.reader, self._reader = new_key("reader", ["catalog.read"])
        self._owner_key, self._owner = new_key("owner", ["*"])
        self.internal_key = new_key("suite", ["*"])[0]

    def of(self, shape: Shape) -> Suite:
        """The suite of that shape, running."""
        if shape not in self._running:
            self._running[shape] = suite = self._made(shape)
            suite.start()
        return self._running[shape]

    def running(self) -> list[Suite]:
        """The suites that were started."""
        return list(self._running.values())

    def _made(self, shape: Shape) -> Suite:
        if shape == "all":
            return SuiteInOne(self._folder / shape, SETTINGS)
        settings = {**SETTINGS, **self._keys()}
        return SuiteInParts(self._folder / shape, settings, key=self._owner_key)

    def _keys(self) -> dict[str, str]:
        keys, internal = self._folder / "keys", self._folder / "internal-key"
        keys.write_text(f"{self._reader.line()}\n{self._owner.line()}\n")
        internal.write_text(self.internal_key)
        return {
            "COLONNADE_AUTH__KEYS_FILE": str(keys),
            "COLONNADE_AUTH__INTERNAL_KEY_FILE": str(internal),
            # Not told by itself where keys are needed.
            "COLONNADE_GRPC__REFLECTION": "true",
        }

    def stop(self) -> None:
        """Stops all that run."""
        for suite in self._running.values():
            suite.stop()


@pytest.fixture(scope="session")
def suites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suites]:
    shared = Suites(tmp_path_factory.mktemp("suites"))
    yield shared
    shared.stop()


@pytest.fixture(params=["all", "split"])
def suite(request: pytest.FixtureRequest, suites: Suites) -> Suite:
    """The same test in both shapes."""
    return suites.of(request.param)


@pytest.fixture
def suite_in_one(suites: Suites) -> SuiteInOne:
    """The shared suite of the shape ``all``."""
    suite = suites.of("all")
    assert isinstance(suite, SuiteInOne)
    return suite


@pytest.fixture
def own_suite(tmp_path: Path) -> Iterator[SuiteInOne]:
    """A suite for one test, which may kill it; not started yet. Nothing of it stays behind."""
    suite = SuiteInOne(tmp_path / "own", SETTINGS)
    yield suite
    suite.kill()


@pytest.fixture
async def api(suite_in_one: SuiteInOne) -> AsyncIterator[Api]:
    """The stubs of the shared suite of the shape ``all``."""
    async with connect(suite_in_one.target) as stubs:
        yield stubs


@pytest.fixture
async def web(suite_in_one: SuiteInOne) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the shared suite of the shape ``all``."""
    async with httpx.AsyncClient(base_url=suite_in_one.http, timeout=60) as client:
        yield client


@dataclass(frozen=True, slots=True)
class Library:
    """A folder of pictures and what is what in it."""

    folder: Path
    pictures: tuple[SamplePicture, ...]

    def of(self, kind: str) -> list[SamplePicture]:
        """The pictures of that kind."""
        return [picture for picture in self.pictures if picture.kind == kind]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """72 drawn pictures: enough of each theme to make groups."""
    folder = tmp_path_factory.mktemp("library")
    return Library(folder, tuple(draw_library(folder, count=72, size=256)))


@dataclass(frozen=True, slots=True)
class Provider:
    """A stand-in of Buffer in a process of its own."""

    url: str
    admin_url: str
    token: str = DEFAULT_TOKEN


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    port, admin_port = free_port(), free_port()
    command = [
        *(sys.executable, "-m", "tests.support.buffer"),
        *("--port", str(port), "--admin-port", str(admin_port)),
    ]
    log = tmp_path_factory.mktemp("buffer") / "buffer.log"
    process = ChildProcess("the stand-in of Buffer", command, log=log, cwd=ROOT)
    process.start()
    process.wait_ready(lambda: "admin on" in process.output(), 300)
    yield Provider(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}")
    process.stop()


@pytest.fixture
async def buffer(provider: Provider) -> AsyncIterator[Admin]:
    """The other side of the provider, as new."""
    async with Admin(provider.admin_url) as admin:
        await admin.reset()
        yield admin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, Any, Any]:
    """Attaches the end of the logs of the suites that a failed test used."""
    report = yield
    if report.failed:
        used = [value for value in item.funcargs.values() if isinstance(value, Suite)]
        report.sections += [(f"logs of the suite {suite.shape}", suite.logs()) for suite in used]
    return report
