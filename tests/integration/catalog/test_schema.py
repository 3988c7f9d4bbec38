"""The schema: models and migrations agree, it can be undone, and it guards itself."""

import uuid
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from libs.db.errors import violated
from libs.db.migrate import VERSION_TABLE, current, downgrade, require_current, upgrade
from services.catalog.deps import MIGRATIONS
from services.catalog.tables import METADATA, SCHEMA
from tests.integration.catalog.library import Library


def differences(url: str) -> list[Any]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        options = {
            "include_schemas": True,
            "include_name": lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
            "include_object": lambda _item, name, *_rest: name != VERSION_TABLE,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, METADATA))


def check_constraints(url: str) -> set[str]:
    """What the comparison leaves out."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE contype = 'c' AND connamespace = 'catalog'::regnamespace"
            )
        )
        return set(rows.scalars())


def test_models_and_migrations_agree(catalog_url: str, databases: Any) -> None:
    assert differences(catalog_url) == []
    from_models = databases.fresh()
    engine = create_engine(from_models, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        METADATA.create_all(connection)
    assert check_constraints(catalog_url) == check_constraints(from_models)
    assert check_constraints(from_models), "there are some to compare"


def test_migrations_can_be_undone_and_repeated(database_url: str) -> None:
    upgrade(database_url, SCHEMA, MIGRATIONS)
    downgrade(database_url, SCHEMA, MIGRATIONS)
    assert current(database_url, SCHEMA) is None
    upgrade(database_url, SCHEMA, MIGRATIONS)
    require_current(database_url, SCHEMA, MIGRATIONS)


def test_photos_that_are_there_get_their_quality_and_are_measured_again(databases: Any) -> None:
    database_url = databases.fresh()
    assert upgrade(database_url, SCHEMA, MIGRATIONS, "0001")
    assert current(database_url, SCHEMA) == "0001"
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(_OLD_ROWS))
    upgrade(database_url, SCHEMA, MIGRATIONS)
    with engine.begin() as connection:
        found = connection.execute(
            text("SELECT file_name, quality, state, measure_due FROM catalog.photos ORDER BY 1")
        ).all()
    assert [(row.file_name, row.quality, row.state) for row in found] == [
        ("measured", pytest.approx(0.4), "ACTIVE"),
        ("not measured", None, "ACTIVE"),
    ]
    assert all(row.measure_due for row in found)
    downgrade(database_url, SCHEMA, MIGRATIONS, "0001")
    upgrade(database_url, SCHEMA, MIGRATIONS)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM catalog.photos")).scalar_one() == 2


_OLD_ROWS = """
INSERT INTO catalog.personas (id, display_name, display_key, time_zone, state, create_time,
    update_time, version) VALUES ('nora', 'Nora', 'nora', 'UTC', 'ACTIVE', now(), now(), 1);
INSERT INTO catalog.pillars (persona_id, id, display_name, display_key, weight, priority, state,
    create_time, update_time, version)
    VALUES ('nora', 'sea', 'Sea', 'sea', 10, 3, 'ACTIVE', now(), now(), 1);
INSERT INTO catalog.photos (id, persona_id, pillar_id, file_name, sha256, mime_type, size_bytes,
    width, height, thumbnail_sha256, measures, tags, scene, create_time, update_time, version)
    SELECT gen_random_uuid(), 'nora', 'sea', name, name, 'image/jpeg', 1, 1, 1, name,
        measures::jsonb, '{}', gen_random_uuid(), now(), now(), 1
    FROM (VALUES ('measured', '[{"id": "a", "value": 0.2}, {"id": "b", "value": 0.6}]'),
        ('not measured', '[]')) AS given(name, measures);
"""


async def test_a_photo_cannot_be_filed_under_a_pillar_of_somebody_else(lib: Library) -> None:
    persona, _ = await lib.place()
    _, foreign = await lib.place()
    photo = await lib.photo(persona)
    with pytest.raises(IntegrityError) as raised:
        await lib.rows(
            "UPDATE catalog.photos SET pillar_id = :pillar WHERE id = :id",
            pillar=foreign.rpartition("/")[2],
            id=uuid.UUID(photo.name.rpartition("/")[2]),
        )
    assert violated(raised.value) == "photos_pillar_fkey"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("photos SET state = 'LOST'", "photos_state_check"),
        ("photos SET usage = 'LOST'", "photos_usage_check"),
        ("photos SET usage = 'POSTED'", "photos_posted_time_check"),
        ("photos SET embedding_state = 'DONE'", "photos_embedding_state_check"),
        ("pillars SET weight = 101", "pillars_weight_check"),
        ("pillars SET priority = 0", "pillars_priority_check"),
        ("pillars SET start_time = now(), end_time = now()", "pillars_time_check"),
        ("personas SET state = 'SLEEPY'", "personas_state_check"),
    ],
)
async def test_states_are_guarded_by_the_database(
    lib: Library, change: str, constraint: str
) -> None:
    persona, _ = await lib.place()
    await lib.photo(persona)
    with pytest.raises(IntegrityError) as raised:
        await lib.rows(f"UPDATE catalog.{change}")
    assert violated(raised.value) == constraint
