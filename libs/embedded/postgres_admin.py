"""What the owner of the embedded PostgreSQL does: databases, and one role and schema a service."""

import json
import secrets
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from libs.embedded.folder import write_private

OWNER = "colonnade"
_PATIENCE = 11


class Passwords:
    """The generated passwords by role, in one file that only we may read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, role: str) -> str:
        """The role's password, made at the first call. Safe to use in a URL."""
        known: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            write_private(self._file, json.dumps(known, indent=2))
        return known[role]


class PostgresAdmin:
    """The owner's view of one server. Every method opens and closes its own connection."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self._host = host
        self._port = port
        self._password = password

    def _connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=self._host,
            port=self._port,
            user=OWNER,
            password=self._password,
            dbname=database,
            autocommit=True,
        )

    def ensure_database(self, name: str) -> None:
        """Makes the database if it is missing."""
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if found.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def create_database(self, name: str, template: str) -> None:
        """Copies a database, with its schemas and rights. Nobody may be connected to it.

        Connections that are ending are waited for, for up to a minute.
        """
        names = (sql.Identifier(name), sql.Identifier(template))
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names)
        with self._connect() as connection:
            for _ in range(_PATIENCE):
                # The server itself waits 5 s before it says so.
                with suppress(psycopg.errors.ObjectInUse):
                    connection.execute(statement)
                    return
            connection.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drops the database if it is there, and closes whatever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with self._connect() as connection:
            connection.execute(statement.format(sql.Identifier(name)))

    def ensure_service(self, name: str, password: str, database: str) -> None:
        """A role of that name with that password, and a schema of its own in the database."""
        role = sql.Identifier(name)
        with self._connect(database) as connection, connection.transaction():
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
            verb = "CREATE" if found.fetchone() is None else "ALTER"
            # Hashed here, so that the password itself is in no statement and no log.
            hashed = connection.pgconn.encrypt_password(
                password.encode(), name.encode(), b"scram-sha-256"
            )
            for statement in (
                f"{verb} ROLE {{role}} LOGIN PASSWORD {{hashed}}",
                "ALTER ROLE {role} SET search_path TO {role}",
                "CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role}",
                "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            ):
                literal = sql.Literal(hashed.decode())
                connection.execute(sql.SQL(statement).format(role=role, hashed=literal))
