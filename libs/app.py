"""One process: its modules opened in order, its servers, its loops, its readiness, its end."""

import asyncio
import contextlib
import importlib
import logging
import signal
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from time import monotonic
from typing import Any, Generic, TypeVar

from libs.cancellation import cancel_and_wait
from libs.clock import Clock
from libs.rpc.server import RpcServer
from libs.telemetry import Metrics

log = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S")
Probe = Callable[[], Awaitable[None]]
Loop = Callable[[], Coroutine[Any, Any, None]]

_PROBE_EVERY = 5.0
_PROBE_TIMEOUT = 4.0


@dataclass(frozen=True, slots=True)
class Module:
    """A part of a process: where to open it (``package.module:function``) and what it needs.

    A module without ``open`` only stands for its needs, as ``all`` does.
    """

    name: str
    open: str | None = None
    needs: tuple[str, ...] = ()
    hidden: bool = False


Opener = Callable[["App[S]"], AbstractAsyncContextManager[None]]


def closure(modules: Mapping[str, Module], target: str) -> list[Module]:
    """The modules that ``target`` needs, itself included, each after what it needs."""
    graph: dict[str, tuple[str, ...]] = {}
    waiting = [target]
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = modules[name].needs
            waiting.extend(modules[name].needs)
    return [modules[name] for name in TopologicalSorter(graph).static_order()]


def resolve(dotted: str) -> Callable[..., AbstractAsyncContextManager[None]]:
    """The function that ``package.module:function`` names; imports the module."""
    module, _, attribute = dotted.partition(":")
    opener: Callable[..., AbstractAsyncContextManager[None]] = getattr(
        importlib.import_module(module), attribute
    )
    return opener


class App(Generic[S]):
    """What modules register with, and what runs them.

    Modules are opened in order of their needs; while opening they add services, loops and probes.
    Then the servers start, then readiness follows the probes. The first loop that fails ends the
    process. At the end: not ready, a delay, servers drained, loops cancelled, modules closed in
    reverse.
    """

    def __init__(self, settings: S, data: Path, clock: Clock, rpc: RpcServer, metrics: Metrics):
        self.settings = settings
        self.data = data
        self.clock = clock
        self.rpc = rpc
        self.metrics = metrics
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()
        self._shared: dict[type[object], object] = {}
        self._loops: list[tuple[str, Loop]] = []
        self._probes: dict[str, Probe] = {}
        self._started: list[Loop] = []
        self._drained: list[Loop] = []
        self._failures: dict[str, str] = {}
        self._warnings: list[Callable[[], Mapping[str, str]]] = []

    def share(self, value: object) -> None:
        """Lets later modules ``need`` this value by its type."""
        self._shared[type(value)] = value

    def need(self, kind: type[T]) -> T:
        """The value of this type that an earlier module shared."""
        value = self._shared.get(kind)
        if not isinstance(value, kind):
            raise LookupError(f"no module opened before shares a {kind.__name__}")
        return value

    def loop(self, name: str, run: Loop) -> None:
        """Runs ``run()`` in the background from start to end; it must not return early."""
        self._loops.append((name, run))

    def on_start(self, run: Loop) -> None:
        """Runs ``run()`` once when all modules are open and the gRPC server listens."""
        self._started.append(run)

    def on_stop(self, run: Loop) -> None:
        """Runs ``run()`` once at the end, before the gRPC server drains: callers go first."""
        self._drained.append(run)

    def probe(self, name: str, check: Probe) -> None:
        """Readiness of ``name`` (a service's full name, or a part's) needs ``check()`` to pass."""
        self._probes[name] = check

    def warn(self, tell: Callable[[], Mapping[str, str]]) -> None:
        """``tell()`` names what does not work as it should, while the process as such is ready."""
        self._warnings.append(tell)

    @property
    def warnings(self) -> Mapping[str, str]:
        """What does not work as it should, and why; empty when all does."""
        return {name: why for tell in self._warnings for name, why in tell().items()}

    @property
    def failures(self) -> Mapping[str, str]:
        """The parts that are not ready and why; empty when all are."""
        return self._failures

    @property
    def working(self) -> list[str]:
        """The parts whose latest probe passed."""
        return [name for name in self._probes if name not in self._failures]

    async def run(
        self,
        modules: Sequence[Module],
        addresses: Sequence[str],
        *,
        grace: float,
        delay: float = 0.0,
    ) -> None:
        """Runs until ``stopping`` is set or a loop fails. Re-raises what failed.

        ``delay`` seconds lie between being not ready and taking no new calls, for load balancers
        to notice; ``grace`` seconds are given to the calls that run then.
        """
        self._catch_signals()
        loops: list[asyncio.Task[None]] = []
        async with AsyncExitStack() as stack:
            await self._open(stack, modules)
            stack.push_async_callback(cancel_and_wait, loops)
            if addresses:
                await self.rpc.start(addresses)
            stack.push_async_callback(self.rpc.stop, grace)
            for stop in self._drained:
                stack.push_async_callback(stop)
            for start in self._started:
                await start()
            loops += [asyncio.create_task(run(), name=name) for name, run in self._loops]
            await self._watch(loops)
            log.info("stopping: no new calls, up to %.0f s for those that run", grace)
            await asyncio.sleep(delay)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError, RuntimeError):  # not in a main thread
                loop.add_signal_handler(number, self.stopping.set)

    async def _open(self, stack: AsyncExitStack, modules: Iterable[Module]) -> None:
        for module in modules:
            if module.open is None or self.stopping.is_set():
                continue
            started = monotonic()
            opener = await asyncio.to_thread(resolve, module.open)
            await stack.enter_async_context(opener(self))
            log.debug("opened %s in %.3f s", module.name, monotonic() - started)

    async def _watch(self, loops: Sequence[asyncio.Task[None]]) -> None:
        """Keeps readiness up to date until the process shall stop; not ready afterwards."""
        stop = asyncio.create_task(self.stopping.wait(), name="stop")
        readiness = asyncio.create_task(self._watch_readiness(), name="readiness")
        lag = asyncio.create_task(self._watch_lag(), name="loop-lag")
        running = [*loops, readiness, lag]
        try:
            await asyncio.wait([stop, *running], return_when=asyncio.FIRST_COMPLETED)
            _raise_first(running)
        finally:
            await cancel_and_wait([stop, readiness, lag])
            await self._not_ready()

    async def _watch_readiness(self) -> None:
        while True:
            await self.check_readiness()
            await asyncio.sleep(_PROBE_EVERY if self.ready.is_set() else 0.2)

    async def check_readiness(self) -> None:
        """Runs every probe now and tells the health service, the metrics and ``ready``."""
        results = await asyncio.gather(*(self._passes(name) for name in self._probes))
        for name, passed in zip(self._probes, results, strict=True):
            self.metrics.ready.labels(name).set(passed)
            if any(service.full_name == name for service in self.rpc.services):
                await self.rpc.set_ready(name, passed)
        await self.rpc.set_ready("", all(results))
        if all(results):
            if not self.ready.is_set():
                log.info("ready")
            self.ready.set()
        else:
            self.ready.clear()

    async def _passes(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await self._probes[name]()
        except Exception as error:
            reason = str(error) or type(error).__name__
            if self._failures.get(name) != reason:
                log.warning("%s is not ready: %s", name, reason)
            self._failures[name] = reason
            return False
        self._failures.pop(name, None)
        return True

    async def _not_ready(self) -> None:
        self.ready.clear()
        for service in ("", *(s.full_name for s in self.rpc.services)):
            await self.rpc.set_ready(service, False)

    async def _watch_lag(self) -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(0.5)
            self.metrics.loop_lag.set(max(0.0, monotonic() - before - 0.5))


def _raise_first(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled():
            if error := task.exception():
                log.error("%s failed: %s", task.get_name(), error)
                raise error
            raise RuntimeError(f"the background loop {task.get_name()} ended by itself")


@contextlib.asynccontextmanager
async def closing(close: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Awaits ``close()`` at the end."""
    try:
        yield
    finally:
        await close()
