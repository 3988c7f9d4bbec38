"""One child process: started, watched, waited on, and never left behind.

On Linux the child gets a signal from the kernel when its parent dies, however it dies. The kernel
ties that signal to the *thread* that started the child, not to the process. So ``start`` is for the
main thread only: a helper thread that ends would take its children with it.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from libs.embedded.errors import EngineError

PR_SET_PDEATHSIG = 1
TAIL_BYTES = 2000
LARGEST_LOG = 4 << 20


def _die_with_parent(signal_number: int) -> Callable[[], None] | None:
    """What a new child runs before its program, so that the parent's death reaches it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_for_the_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal_number)
        # The parent may have died before the call above: then nobody would ever send the signal.
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_the_signal


def _open_log(path: Path) -> int:
    """Appends to the log; one that grew large is kept once, as ``.1``."""
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


class ChildProcess:
    """A program run as our child, in a session of its own, with its output in ``log``.

    Args:
        name: What to call it in messages ("PostgreSQL").
        command: Program and arguments. No secrets: every local user can read them.
        log: File that its output is appended to.
        stop_signal: What makes it stop in good order; also sent if this process dies.
        keep_open: File descriptors that it inherits (the lock of its data folder).
        uid: User and group to run as; None for the same as ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        keep_open: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        uid: int | None = None,
        gid: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._cwd = cwd
        self._stop_signal = stop_signal
        self._keep_open = tuple(keep_open)
        self._environment = {**os.environ, **(environment or {})}
        self._uid = uid
        self._gid = gid
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Starts the program. Raises ``EngineError`` if it cannot be run at all."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"{self.name} must be started from the main thread")
        log = _open_log(self.log)
        try:
            self._log_start = os.fstat(log).st_size
            self._process = self._spawn(log)
        except OSError as error:
            raise EngineError(f"{self.name} could not be started: {error}") from error
        finally:
            os.close(log)

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self._cwd,
            env=self._environment,
            start_new_session=True,
            pass_fds=self._keep_open,
            user=self._uid,
            group=self._gid,
            extra_groups=None if self._uid is None else [],
            preexec_fn=_die_with_parent(self._stop_signal),
        )

    @property
    def pid(self) -> int | None:
        """The process id while it runs, or None."""
        running = self._process is not None and self.exit_code is None
        return self._process.pid if self._process and running else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs (or before ``start``); minus the signal if one ended it."""
        return self._process.poll() if self._process else None

    def output(self) -> str:
        """What it has written since ``start``."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait_ready(self, probe: Callable[[], bool], timeout: float) -> None:
        """Returns once ``probe`` says yes; blocks the calling thread until then.

        Raises ``EngineError`` with the end of the log if the child dies or ``timeout`` seconds
        pass; in both cases it no longer runs afterwards.
        """
        deadline = time.monotonic() + timeout
        while not probe():
            if self.exit_code is not None:
                raise EngineError(self._failure(f"stopped with code {self.exit_code}"))
            if time.monotonic() > deadline:
                self.stop()
                raise EngineError(self._failure(f"was not ready within {timeout:g} s"))
            time.sleep(0.005)

    def _failure(self, what: str) -> str:
        tail = self.output()[-TAIL_BYTES:].strip() or "(it wrote nothing)"
        return f"{self.name} {what}. The end of its log, {self.log}:\n{tail}"

    def stop(self, bound: float = 60.0) -> None:
        """Asks it to stop, kills it after ``bound`` seconds, and waits for its end."""
        if self._process is None:
            return
        if self.exit_code is None:
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(bound)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def exited(self) -> int:
        """Returns its exit code once it has ended, for a supervisor that waits for trouble."""
        # Asked again and again: waiting on the process itself would take the code from ``poll``.
        while (code := self.exit_code) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return code
