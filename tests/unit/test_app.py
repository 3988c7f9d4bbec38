"""The life of a process: what is opened, run, drained and closed, and in which order."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from libs.app import App, Module, closing, closure
from libs.cancellation import cancel_and_wait
from libs.clock import SystemClock
from libs.errors import Unavailable
from libs.rpc.auth import Authenticator
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics
from tests.support.wait import eventually

Steps = list[str]
Opener = Callable[[App[str]], AbstractAsyncContextManager[None]]


class RecordingServer(RpcServer):
    """A server without a port that tells when it starts and stops."""

    def __init__(self, steps: Steps) -> None:
        super().__init__(Authenticator(), Metrics().rpc)
        self._steps = steps

    async def start(self, addresses: Sequence[str]) -> list[int]:
        self._steps.append(f"serve {', '.join(addresses)}")
        return []

    async def stop(self, grace: float) -> None:
        self._steps.append(f"drain {grace:g}")


@pytest.fixture
def steps() -> Steps:
    return []


@pytest.fixture
def app(steps: Steps, tmp_path: Path) -> App[str]:
    return App("settings", tmp_path, SystemClock(), RecordingServer(steps), Metrics())


class Modules:
    """Modules made of functions, for ``App.run`` to open by name."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.made: list[Module] = []

    def add(self, name: str, setup: Callable[[App[str]], None] = lambda app: None) -> None:
        """A module that calls ``setup`` and records when it is opened and closed."""

        @contextlib.asynccontextmanager
        async def open(app: App[str]) -> AsyncIterator[None]:
            self._steps.append(f"open {name}")
            setup(app)
            yield
            self._steps.append(f"close {name}")

        self.add_opener(name, open)

    def add_opener(self, name: str, opener: Opener) -> None:
        """A module that ``opener`` opens."""
        setattr(sys.modules[__name__], name, opener)
        self.made.append(Module(name, f"{__name__}:{name}"))


@pytest.fixture
def modules(steps: Steps) -> Modules:
    return Modules(steps)


async def forever() -> None:
    await asyncio.Event().wait()


async def run_until_ready(app: App[str], modules: Modules, **options: float) -> None:
    """Runs the process, and stops it as soon as it is ready."""
    settings = {"grace": 3.0, **options}
    running = asyncio.create_task(app.run(modules.made, ["here"], **settings))

    async def ready_or_over() -> bool:
        return app.ready.is_set() or running.done()

    await eventually(ready_or_over)
    app.stopping.set()
    await running


GRAPH = {
    module.name: module
    for module in (
        Module("database", "x:y"),
        Module("catalog", "x:y", ("database", "http")),
        Module("http", "x:y", hidden=True),
        Module("gateway", "x:y", ("http",)),
        Module("all", None, ("catalog", "gateway")),
    )
}


def test_a_target_comes_with_what_it_needs_and_after_it() -> None:
    names = [module.name for module in closure(GRAPH, "all")]
    assert sorted(names) == sorted(GRAPH)
    for name in names:
        assert all(names.index(need) < names.index(name) for need in GRAPH[name].needs)


def test_a_target_comes_without_what_it_does_not_need() -> None:
    assert {module.name for module in closure(GRAPH, "gateway")} == {"http", "gateway"}


def test_a_need_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        closure({"a": Module("a", "x:y", ("nowhere",))}, "a")


async def test_modules_are_opened_in_order_and_closed_in_reverse(
    app: App[str], modules: Modules, steps: Steps
) -> None:
    modules.add("first")
    modules.add("second")
    await run_until_ready(app, modules)
    assert steps == [
        "open first",
        "open second",
        "serve here",
        "drain 3",
        "close second",
        "close first",
    ]


async def test_what_was_shared_is_found_by_its_type(app: App[str], modules: Modules) -> None:
    found: list[int] = []
    modules.add("first", lambda app: app.share(42))
    modules.add("second", lambda app: found.append(app.need(int)))
    await run_until_ready(app, modules)
    assert found == [42]


async def test_what_nobody_shares_is_named(app: App[str]) -> None:
    with pytest.raises(LookupError, match="shares a float"):
        app.need(float)


async def test_at_the_end_callers_go_first_then_the_server_then_loops_then_modules(
    app: App[str], modules: Modules, steps: Steps
) -> None:
    async def loop() -> None:
        steps.append("loop begins")
        try:
            await forever()
        finally:
            steps.append("loop ends")

    async def start() -> None:
        steps.append("http listens")

    async def stop() -> None:
        assert not app.ready.is_set(), "it is not ready while it drains"
        steps.append("http ends")

    def setup(app: App[str]) -> None:
        app.loop("worker", loop)
        app.on_start(start)
        app.on_stop(stop)

    modules.add("service", setup)
    await run_until_ready(app, modules)
    assert steps == [
        "open service",
        "serve here",
        "http listens",
        "loop begins",
        "http ends",
        "drain 3",
        "loop ends",
        "close service",
    ]


async def test_the_drain_comes_after_the_delay(
    app: App[str], modules: Modules, steps: Steps
) -> None:
    modules.add("service")
    running = asyncio.create_task(app.run(modules.made, [], grace=0, delay=0.3))
    await app.ready.wait()
    began = asyncio.get_running_loop().time()
    app.stopping.set()
    await running
    assert asyncio.get_running_loop().time() - began >= 0.3
    assert "drain 0" in steps


async def test_during_the_delay_it_is_not_ready_and_not_drained(
    app: App[str], modules: Modules, steps: Steps
) -> None:
    modules.add("service")
    running = asyncio.create_task(app.run(modules.made, [], grace=0, delay=3600))
    await app.ready.wait()
    app.stopping.set()

    async def unready() -> bool:
        return not app.ready.is_set()

    await eventually(unready)
    for _ in range(10):
        await asyncio.sleep(0)
    assert "drain 0" not in steps
    await cancel_and_wait([running])


async def test_the_first_loop_that_fails_ends_the_process(
    app: App[str], modules: Modules, steps: Steps
) -> None:
    async def fails() -> None:
        raise Unavailable("the stream is gone")

    def setup(app: App[str]) -> None:
        app.loop("steady", forever)
        app.loop("consumer", fails)

    modules.add("service", setup)
    with pytest.raises(Unavailable, match="the stream is gone"):
        await app.run(modules.made, [], grace=1)
    assert steps == ["open service", "drain 1"], "the error runs through the module as it closes"


async def test_a_loop_that_ends_by_itself_is_an_error_with_its_name(
    app: App[str], modules: Modules
) -> None:
    async def returns() -> None:
        return None

    modules.add("service", lambda app: app.loop("relay of catalog", returns))
    with pytest.raises(RuntimeError, match="relay of catalog ended by itself"):
        await app.run(modules.made, [], grace=0)


async def test_a_module_that_cannot_be_opened_closes_those_before_it(
    app: App[str], modules: Modules
) -> None:
    closed = []

    async def close() -> None:
        closed.append("first")

    @contextlib.asynccontextmanager
    async def first(app: App[str]) -> AsyncIterator[None]:
        async with closing(close):
            yield

    modules.add_opener("first", first)
    modules.add("second", lambda app: app.share(app.need(float)))
    with pytest.raises(LookupError):
        await app.run(modules.made, [], grace=0)
    assert closed == ["first"]


async def test_readiness_follows_the_probes_and_says_why(app: App[str], modules: Modules) -> None:
    problems: list[str] = ["the database does not answer"]

    async def ping() -> None:
        if problems:
            raise Unavailable(problems[0])

    modules.add("service", lambda app: app.probe("catalog", ping))
    running = asyncio.create_task(app.run(modules.made, [], grace=0))

    async def noticed() -> bool:
        return bool(app.failures)

    async def told(value: str) -> bool:
        return f'colonnade_ready{{part="catalog"}} {value}'.encode() in app.metrics.render()

    await eventually(noticed)
    assert dict(app.failures) == {"catalog": "the database does not answer"}
    assert not app.ready.is_set()
    await eventually(lambda: told("0.0"))
    problems.clear()
    await asyncio.wait_for(app.ready.wait(), 60)
    assert dict(app.failures) == {}
    await eventually(lambda: told("1.0"))
    app.stopping.set()
    await running


async def test_one_failing_part_does_not_hide_another(app: App[str]) -> None:
    async def silent() -> None:
        raise TimeoutError

    async def loud() -> None:
        raise Unavailable("no route")

    app.probe("a", silent)
    app.probe("b", loud)
    await app.check_readiness()
    assert dict(app.failures) == {"a": "TimeoutError", "b": "no route"}
