"""The older schema in a real PostgreSQL, in two versions, and dumps of it by the real pg_dump."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from libs.embedded.postgres_binaries import find_postgres
from tests.support.legacy import sample

# What the newest version of the older program has.
NEWEST = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE personas (
    id bigserial PRIMARY KEY, name varchar NOT NULL, timezone varchar, voice text,
    caption_config jsonb DEFAULT '{}'::jsonb NOT NULL, hashtag_strategy jsonb,
    archived_at timestamp(6) without time zone, created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE content_pillars (
    id bigserial PRIMARY KEY, persona_id bigint NOT NULL, name varchar NOT NULL, description text,
    weight numeric(5,2) DEFAULT 0.0, priority integer DEFAULT 3,
    active boolean DEFAULT true NOT NULL,
    start_date date, end_date date, guidelines jsonb, target_posts_per_week integer,
    created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE clusters (
    id bigserial PRIMARY KEY, persona_id bigint, name varchar NOT NULL, ai_prompt text,
    status varchar DEFAULT 'active', created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE pillar_cluster_assignments (
    id bigserial PRIMARY KEY, pillar_id bigint NOT NULL, cluster_id bigint NOT NULL,
    "primary" boolean DEFAULT false NOT NULL, notes text,
    created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE photos (
    id bigserial PRIMARY KEY, persona_id bigint NOT NULL, path varchar, cluster_id bigint,
    caption text, detected_objects jsonb, embedding vector(3),
    created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE pipeline_runs (
    id bigserial PRIMARY KEY, persona_id bigint, cluster_id bigint, name varchar, prompt text,
    status varchar, created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE scheduling_posts (
    id bigserial PRIMARY KEY, photo_id bigint, persona_id bigint, caption text, status varchar,
    provider_post_id varchar, scheduled_at timestamp with time zone,
    posted_at timestamp with time zone, created_at timestamp(6) without time zone NOT NULL
);
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20250101000000');
"""

# What an older version lacked.
ABSENT = {
    "personas": ("voice", "caption_config", "hashtag_strategy", "archived_at"),
    "content_pillars": ("target_posts_per_week", "guidelines", "priority"),
    "pillar_cluster_assignments": ("primary", "notes", "created_at"),
    "photos": ("embedding", "caption", "detected_objects"),
    "pipeline_runs": ("persona_id", "prompt"),
    "scheduling_posts": ("persona_id", "scheduled_at"),
}


class LegacyDatabase:
    """The older library in the database at ``url`` (postgresql+psycopg://…), filled."""

    def __init__(self, url: str, *, older: bool = False) -> None:
        self.url = url.replace("+psycopg", "")
        with self._connect() as connection:
            connection.execute(NEWEST)  # type: ignore[call-overload]
            for table, columns in ABSENT.items() if older else ():
                for column in columns:
                    drop = sql.SQL("ALTER TABLE {} DROP COLUMN {}")
                    connection.execute(drop.format(sql.Identifier(table), sql.Identifier(column)))
            for table, rows in sample.ROWS.items():
                for row in rows:
                    self._insert(connection, table, _without(row, ABSENT.get(table, ()), older))

    def run(self, statement: str, *parameters: Any) -> list[Any]:
        """What plain SQL answers."""
        with self._connect() as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[call-overload]
            return list(cursor) if cursor.description else []

    def dump(self, file: Path, *options: str) -> Path:
        """The whole database, by pg_dump; plain SQL with COPY unless ``options`` say otherwise."""
        program = find_postgres(Path("/nonexistent")).folder / "pg_dump"
        command: Sequence[str | Path] = [program, "--no-owner", *options, "--file", file, self.url]
        subprocess.run(
            command, check=True, timeout=120, env={**os.environ, "PGCONNECT_TIMEOUT": "60"}
        )
        return file

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, connect_timeout=60)

    def _insert(self, connection: psycopg.Connection, table: str, row: dict[str, Any]) -> None:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        connection.execute(statement, list(row.values()))


def _without(row: dict[str, Any], absent: Sequence[str], older: bool) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not older or name not in absent}
