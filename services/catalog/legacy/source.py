"""Where an older library is read from."""

from pathlib import Path

from libs.errors import InvalidArgument
from services.catalog.legacy.connection import read_database
from services.catalog.legacy.dump import read_dump
from services.catalog.legacy.rows import Source

_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")


def read_source(place: str) -> Source:
    """The library at ``postgresql://…`` or in a plain-text dump. Blocks.

    Raises InvalidArgument for what is neither, Unavailable for a database that does not answer.
    """
    if place.startswith(_SCHEMES):
        return read_database(place)
    path = Path(place)
    if not path.exists():
        raise InvalidArgument.of("source", f"there is no file {place}")
    try:
        return read_dump(path)
    except OSError as error:
        raise InvalidArgument.of("source", f"{place} cannot be read: {error.strerror}") from error
