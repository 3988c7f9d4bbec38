"""What happens when something that the suite needs is away: readiness says so within seconds,
nothing is lost, and what waited is done once it is back."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog

from cli.connection import Suite as Api
from cli.connection import connect
from cli.importer import Result
from libs.errors import DeadlineExceeded, Unavailable
from tests.e2e import work
from tests.e2e.conftest import Suites
from tests.support.harness import Suite, SuiteInOne
from tests.support.pictures import encoded, waves
from tests.support.wait import eventually

# Far longer than the time between two probes plus the longest that one probe may take.
NOTICED_WITHIN = 300.0
# The relay and the worker need Redis, clustering needs the vectors.
UNREADY = {"relay", "worker", "colonnade.clustering.v1.ClusteringService"}
PENDING = work.STATE.STATE_PENDING


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that is there but does nothing, as on a machine that is stuck."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def becomes(probe: Callable[[], bool], *, within: float = NOTICED_WITHIN) -> None:
    """Waits until ``probe``, which blocks for a moment, says yes."""

    async def asked() -> bool:
        return await asyncio.to_thread(probe)

    await eventually(asked, within=within, every=0.2)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures that no other test has."""
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(waves(shift=number / 7)))
    return tmp_path


async def imported(api: Api, folder: Path) -> str:
    """The name of a new persona to which the three pictures went."""
    persona = await work.new_persona(api, f"d {uuid.uuid4().hex[:8]}")
    report = await work.import_folder(api, persona, folder)
    assert report.count(Result.IMPORTED) == 3
    return persona


async def answers(api: Api) -> bool:
    """Whether the catalog has its database."""
    try:
        await api.catalog.ListPersonas(catalog.ListPersonasRequest())
    except (Unavailable, DeadlineExceeded):
        return False
    return True


async def assert_waiting(api: Api, persona: str) -> None:
    photos = await work.photos_of(api, persona)
    assert [photo.embedding.state for photo in photos] == [PENDING] * 3


async def test_engines_that_are_stuck_are_noticed_and_photos_wait_for_them(
    suite_in_one: SuiteInOne, api: Api, pictures: Path
) -> None:
    pids = suite_in_one.engine_pids()
    with frozen(pids["redis"]), frozen(pids["vectors"]):
        persona = await imported(api, pictures)
        await becomes(lambda: suite_in_one.failures().keys() >= UNREADY)
        await becomes(lambda: suite_in_one.health("clustering") == "NOT_SERVING")
        # What works goes on, although a busy machine may hold its probe up for once.
        await becomes(lambda: suite_in_one.health("catalog") == "SERVING")
        await assert_waiting(api, persona)
    await becomes(lambda: not suite_in_one.failures())
    assert len(await work.embedded(api, persona)) == 3


@pytest.mark.parametrize("engine", ["redis", "vectors", "postgres"])
async def test_an_engine_that_dies_is_started_again(
    suite_in_one: SuiteInOne, api: Api, pictures: Path, engine: str
) -> None:
    before = suite_in_one.engine_pids()
    persona = await imported(api, pictures)
    os.kill(before[engine], signal.SIGKILL)
    await becomes(lambda: suite_in_one.engine_pids().get(engine) not in (None, before[engine]))
    # It is started when nothing is left of the old one, so whoever answers now is the new one.
    await eventually(lambda: answers(api), within=NOTICED_WITHIN)
    later = await imported(api, pictures)
    for each in (persona, later):
        assert len(await work.embedded(api, each)) == 3


@pytest.fixture
async def split(suites: Suites) -> AsyncIterator[tuple[Suite, Api]]:
    suite = suites.of("split")
    async with connect(suite.target) as api:
        yield suite, api


async def test_photos_wait_for_the_embedding_service(
    split: tuple[Suite, Api], pictures: Path
) -> None:
    suite, api = split
    suite.parts["embedding"].kill()
    try:
        assert suite.health("embedding") == "UNREACHABLE"
        persona = await imported(api, pictures)
        await assert_waiting(api, persona)
        async with httpx.AsyncClient(base_url=suite.http, headers=suite.headers, timeout=60) as web:
            answer = await web.get("/v1/models")
        assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
    finally:
        suite.parts["embedding"].start()
    suite.wait_ready()
    assert len(await work.embedded(api, persona)) == 3


async def test_the_catalog_may_be_away_while_others_work(
    split: tuple[Suite, Api], pictures: Path
) -> None:
    suite, api = split
    persona = await imported(api, pictures)
    suite.restart("catalog")
    assert len(await work.embedded(api, persona)) == 3
