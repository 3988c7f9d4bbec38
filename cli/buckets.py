"""The files below a prefix of a bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from libs.errors import InvalidArgument

SCHEME = "s3://"
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a bucket."""

    bucket: Any
    key: str
    fingerprint: str
    skipped: str = ""

    @property
    def relative(self) -> str:
        """Its path below the prefix."""
        return self.key

    def open(self) -> BinaryIO:
        """Its bytes, fetched as they are read."""
        try:
            stream = obstore.get(self.bucket, self.key).stream(min_chunk_size=_PIECE)
        except (BaseError, OSError) as error:
            raise OSError(f"the bucket does not give it: {_first_line(error)}") from error
        return cast(BinaryIO, _Fetched(iter(stream)))


def open_bucket(url: str) -> Any:
    """The bucket and prefix of an ``s3://`` URL, with the keys that the environment holds
    (``AWS_ACCESS_KEY_ID`` and so on). Raises InvalidArgument on ``source``."""
    try:
        return from_url(
            url, retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)}
        )
    except (BaseError, ValueError) as error:
        raise InvalidArgument.of("source", f"{url} is no bucket: {_first_line(error)}") from error


def stored_objects(bucket: Any, *, recursive: bool = True) -> Iterator[StoredObject]:
    """The objects below the prefix of ``bucket``, in the order of their keys where it keeps one.

    Raises InvalidArgument on ``source`` if it does not answer.
    """
    try:
        for batch in obstore.list(bucket):
            for item in batch:
                if recursive or "/" not in item["path"]:
                    yield _stored(bucket, item)
    except (BaseError, OSError) as error:
        told = f"the bucket does not answer: {_first_line(error)}"
        raise InvalidArgument.of("source", told) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _stored(bucket: Any, item: Any) -> StoredObject:
    mark = item["e_tag"] or item["last_modified"].isoformat()
    return StoredObject(bucket, item["path"], f"{item['size']}-{mark}"[:200])


class _Fetched:
    """A stream of pieces as a file."""

    def __init__(self, pieces: Iterator[Any]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes, none only at the end."""
        try:
            while len(self._rest) < count and (piece := next(self._pieces, None)) is not None:
                self._rest += bytes(piece)
        except (BaseError, OSError) as error:
            raise OSError(f"the bucket does not give it: {_first_line(error)}") from error
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def seekable(self) -> bool:
        """It would be fetched again."""
        return False

    def close(self) -> None:
        """Lets go of what was fetched."""
        self._rest = b""
