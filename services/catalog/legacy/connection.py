"""Reads an older library from its database: one snapshot, read only."""

import psycopg
from psycopg import sql

from libs.errors import InvalidArgument, Unavailable
from services.catalog.legacy.rows import TABLES, Row, Source, Table, is_vector

_CONNECT_TIMEOUT = 10
_STATEMENT_TIMEOUT = "60s"
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
    WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


def read_database(url: str) -> Source:
    """The library at ``postgresql://…``, as it is at one moment. Blocks.

    The tables are looked up on the search path of the role. Raises Unavailable if the database
    does not answer, InvalidArgument if it may not be read or the URL is not usable.
    """
    try:
        with psycopg.connect(_plain(url), connect_timeout=_CONNECT_TIMEOUT) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            return _read(connection)
    except psycopg.OperationalError as error:
        raise Unavailable(f"cannot read the older library: {error}") from error
    except (psycopg.ProgrammingError, ValueError) as error:
        raise InvalidArgument.of("source", str(error)) from error


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _read(connection: psycopg.Connection) -> Source:
    settings = {"statement_timeout": _STATEMENT_TIMEOUT, "timezone": "UTC", "datestyle": "ISO"}
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])
    tables: dict[str, Table] = {}
    left_out: list[str] = []
    for name in TABLES:
        kinds: dict[str, str] = dict(connection.execute(_COLUMNS, [name]).fetchall())
        vectors = [column for column, kind in kinds.items() if is_vector(column, kind)]
        left_out += [f"{name}.{column}" for column in vectors]
        if kinds:
            tables[name] = _table(connection, name, [c for c in kinds if c not in vectors])
    info = connection.info
    label = f"postgresql://{info.host}:{info.port}/{info.dbname}"
    if not tables:
        raise InvalidArgument.of("source", f"{label} holds no table of an older library")
    return Source(label, tables, sorted(left_out))


def _table(connection: psycopg.Connection, name: str, columns: list[str]) -> Table:
    texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in columns)
    query = sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier(name))
    with connection.cursor() as cursor:
        rows: list[Row] = [
            dict(zip(columns, values, strict=True)) for values in cursor.execute(query)
        ]
    return Table(tuple(columns), rows)
