"""What the three engines have in common: a locked folder, one child, a port, start and stop."""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from libs.embedded.child import ChildProcess
from libs.embedded.errors import EngineError
from libs.embedded.folder import FolderLock, make_folder

Address = TypeVar("Address")

LOOPBACK = "127.0.0.1"
# A busy machine that reads a large log again takes its time; one that fails says so at once.
START_TIMEOUT = 180.0


def free_port() -> int:
    """A TCP port on the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


class Engine(ABC, Generic[Address]):
    """One engine over one data folder.

    ``start`` and ``stop`` block for a fraction of a second and belong to the main thread (see
    ``libs.embedded.child``), best before the event loop and any gRPC channel exist: starting a
    process forks this one. A second ``start`` of the same object uses the same port again, so that
    addresses handed out before stay right.
    """

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.port: int | None = None
        self.child: ChildProcess | None = None
        self._lock = FolderLock(self.data)
        self._spawn: Callable[[ChildProcess], None] = ChildProcess.start

    @abstractmethod
    def _open(self) -> Address:
        """Starts the child on the locked folder and gives its address."""

    def start(self) -> Address:
        """Starts the engine and waits until it answers.

        Raises ``FolderInUse`` if another process has the folder, and ``EngineError`` with the end
        of the engine's log if it does not come up.
        """
        make_folder(self.data)
        self._lock.acquire()
        try:
            return self._open()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stops the engine in good order; does nothing if it is not running."""
        if self.child is not None:
            self.child.stop()
        self._lock.release()

    async def restart(self) -> Address:
        """Stops and starts it without holding up the main thread's event loop, on which it is run.

        Only the fork happens there, the waiting in a helper thread. Raises as ``start`` does.
        """
        loop = asyncio.get_running_loop()

        async def fork(child: ChildProcess) -> None:
            child.start()

        def spawn(child: ChildProcess) -> None:
            asyncio.run_coroutine_threadsafe(fork(child), loop).result()

        def again() -> Address:
            self.stop()
            return self.start()

        self._spawn = spawn
        try:
            return await asyncio.to_thread(again)
        finally:
            self._spawn = ChildProcess.start

    async def exited(self) -> int:
        """Returns the exit code once the engine has ended, asked to or not."""
        if self.child is None:
            raise RuntimeError(f"{type(self).__name__} was not started")
        return await self.child.exited()

    def _launch(
        self, make: Callable[[int], ChildProcess], ready: Callable[[ChildProcess], bool]
    ) -> int:
        """Starts the child that ``make`` describes for a port, and gives the port."""
        attempts = 3 if self.port is None else 1
        for attempt in range(1, attempts + 1):
            port = self.port or free_port()
            child = self.child = make(port)
            self._spawn(child)
            try:
                child.wait_ready(lambda: ready(child), START_TIMEOUT)  # noqa: B023
            except EngineError:
                # Somebody else may take the port between our look and the engine's bind.
                if attempt == attempts or "already in use" not in child.output().lower():
                    raise
            else:
                self.port = port
                return port
        raise AssertionError("unreachable")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
