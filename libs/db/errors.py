"""From what the database driver raises to ``libs.errors``."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from sqlalchemy import exc as sa

from libs.errors import Conflict, Unavailable

LOST_RACE = "LOST_RACE"
_LOST_RACES = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)
_BROKEN_RULES = (
    pg.UniqueViolation,
    pg.ForeignKeyViolation,
    pg.CheckViolation,
    pg.ExclusionViolation,
)


def violated(error: BaseException) -> str | None:
    """The name of the unique, foreign-key, check or exclusion constraint that ``error`` is about.

    None where ``error`` is something else, so that a repository can write
    ``if violated(error) == "photos_pkey": raise AlreadyExists(...) from error``.
    """
    cause = _driver_error(error)
    return cause.diag.constraint_name if isinstance(cause, _BROKEN_RULES) else None


@contextmanager
def database_errors() -> Iterator[None]:
    """Lost races leave as Conflict, a lost or overloaded database as Unavailable.

    Everything else (a broken constraint, a mistake in a statement) passes as it is.
    """
    try:
        yield
    except (sa.DBAPIError, sa.TimeoutError, psycopg.Error) as error:
        meant = meaning(error)
        if meant is None:
            raise
        raise meant from error


def meaning(error: BaseException | None) -> Conflict | Unavailable | None:
    """What ``database_errors`` would raise in place of ``error``; None where it lets it pass."""
    if isinstance(error, sa.TimeoutError):
        return Unavailable("every database connection is in use; try again shortly")
    if not isinstance(error, (sa.DBAPIError, psycopg.Error)):
        return None
    cause = _driver_error(error)
    if isinstance(cause, _LOST_RACES):
        return Conflict(
            "another change to the same data was first; read again and retry", reason=LOST_RACE
        )
    if isinstance(cause, pg.QueryCanceled):
        return Unavailable("the database took too long to answer; try again shortly")
    if _is_lost(error, cause):
        return Unavailable("the database does not answer; try again shortly")
    return None


def _driver_error(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, sa.DBAPIError) and error.orig else error


def _is_lost(error: BaseException, cause: BaseException) -> bool:
    if isinstance(error, sa.DBAPIError) and error.connection_invalidated:
        return True
    # Connection trouble is an OperationalError without an SQLSTATE, or with one of class 08 or 57P.
    state = getattr(cause, "sqlstate", None)
    if not isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError)):
        return False
    return state is None or state.startswith(("08", "57P", "53"))
