"""Models and migrations agree, and migrations go both ways, for every service."""

import importlib
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, text

import services
from libs.db.migrate import VERSION_TABLE, current, downgrade, head, upgrade
from services.engines import DATABASES
from tests.support.engines import Databases

ROOT = Path(services.__file__).parent


@pytest.mark.parametrize("service", DATABASES)
def test_models_and_migrations_agree(service: str, databases: Databases) -> None:
    url = databases.fresh()
    folder = ROOT / service / "migrations"
    assert upgrade(url, service, folder)
    tables = vars(importlib.import_module(f"services.{service}.tables"))
    (metadata,) = {id(v): v for v in tables.values() if isinstance(v, MetaData)}.values()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == service,
                "include_object": lambda _item, name, *_: name != VERSION_TABLE,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.parametrize("service", DATABASES)
def test_migrations_go_down_and_up_again(service: str, databases: Databases) -> None:
    url = databases.fresh()
    folder = ROOT / service / "migrations"
    upgrade(url, service, folder)
    downgrade(url, service, folder)
    engine = create_engine(url)
    with engine.connect() as connection:
        left = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = :name"),
            {"name": service},
        )
        assert {row.table_name for row in left} <= {VERSION_TABLE}
    engine.dispose()
    assert upgrade(url, service, folder)
    assert current(url, service) == head(folder)
    assert not upgrade(url, service, folder)
