"""Files from other people's servers: bounded, checked, and kept whole or not at all."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli.output import err

_CONNECT_SECONDS = 15.0
_SILENT_SECONDS = 60.0
_PIECE = 1024 * 1024


class DownloadFailed(Exception):
    """No file came of it; the text says why."""


@dataclass(frozen=True, slots=True)
class Download:
    """``max_bytes`` and ``seconds`` bound one file. ``quiet`` shows no progress."""

    max_bytes: int
    seconds: float
    quiet: bool = False


def download(address: str, path: Path, limits: Download, *, sha256: str = "") -> None:
    """Puts what is at ``address`` at ``path``, if it has the checksum ``sha256``, when given.

    Raises ``DownloadFailed`` and ``OSError``.
    """
    partial = path.with_name(f".{path.name}.partial")
    timeout = httpx.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS)
    try:
        with httpx.stream("GET", address, timeout=timeout, follow_redirects=True) as answer:
            if not answer.is_success:
                raise DownloadFailed(f"{address} answers {answer.status_code}")
            found = _write(answer, partial, limits, path.name)
        if sha256 and found != sha256:
            raise DownloadFailed(
                f"{address} has the SHA-256 {found[:12]}…, not {sha256[:12]}…; nothing is kept"
            )
        partial.replace(path)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadFailed(f"{address}: {error or type(error).__name__}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write(answer: httpx.Response, partial: Path, limits: Download, name: str) -> str:
    """Writes the body; answers its checksum."""
    digest, size, until = hashlib.sha256(), 0, time.monotonic() + limits.seconds
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with (
        Progress(*columns, TransferSpeedColumn(), console=err, disable=limits.quiet) as bar,
        partial.open("wb") as file,
    ):
        stated = answer.headers.get("content-length", "")
        task = bar.add_task(name, total=int(stated) if stated.isdigit() else None)
        for piece in answer.iter_bytes(_PIECE):
            size += len(piece)
            if size > limits.max_bytes:
                raise DownloadFailed(f"{name} has more than {limits.max_bytes} bytes")
            if time.monotonic() > until:
                raise DownloadFailed(f"{name} did not come within {limits.seconds:.0f} s")
            digest.update(piece)
            file.write(piece)
            bar.update(task, completed=size)
    return digest.hexdigest()
