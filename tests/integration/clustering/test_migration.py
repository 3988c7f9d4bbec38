"""What was there before generations becomes the first one."""

from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from libs.db.migrate import downgrade, upgrade
from services.clustering.deps import MIGRATIONS
from tests.support.engines import Databases

_BEFORE = """
INSERT INTO collections (name, model, revision, fingerprint, dimension, scene_threshold,
                         duplicate_threshold, create_time)
VALUES ('old', 'models/m', 'r1', 'f1', 4, 0.5, 0.9, now() - interval '1 day'),
       ('new', 'models/m', 'r2', 'f2', 4, 0.5, 0.9, now());
INSERT INTO items (name, point_id, scope, blob_key, words, words_time, pixels, create_time, state,
                   collection, scene, error_reason)
VALUES ('a', gen_random_uuid(), 's', 'k', '{tag:sun}', now(), 1, now(), 'ready', 'old', 'a', ''),
       ('b', gen_random_uuid(), 's', 'k', '{}', now(), 1, now(), 'ready', 'old', 'a', ''),
       ('c', gen_random_uuid(), 's', 'k', '{}', now(), 1, now(), 'ready', 'new', 'c', ''),
       ('d', gen_random_uuid(), 's', 'k', '{}', now(), 1, now(), 'pending', '', '', ''),
       ('e', gen_random_uuid(), 's', 'k', '{}', now(), 1, now(), 'quarantined', '', '', 'BAD'),
       ('f', gen_random_uuid(), 's', '', '{}', now(), 0, now(), 'deleted', '', '', '');
INSERT INTO near_pairs (first, second, scope, score) VALUES ('a', 'b', 's', 0.95);
"""

# Statements over all items may take longer than others are allowed to.
_WATCH = """
CREATE FUNCTION check_time() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('statement_timeout') <> '0' THEN RAISE 'not enough time'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON items EXECUTE FUNCTION check_time();
"""


@pytest.fixture
def engine(databases: Databases) -> Any:
    engine = create_engine(databases.fresh())
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def said(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path = clustering"))
        return [tuple(row) for row in connection.execute(text(query))]


def test_what_is_there_becomes_the_active_generation_and_back(engine: Engine) -> None:
    upgrade(url_of(engine), "clustering", MIGRATIONS, "0002")
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path = clustering"))
        for statement in _BEFORE.split(";\n"):
            connection.execute(text(statement))
        connection.exec_driver_sql(_WATCH)
    upgrade(url_of(engine), "clustering", MIGRATIONS)
    assert said(engine, "SELECT name, state FROM collections ORDER BY name") == [
        ("new", "retired"),
        ("old", "active"),
    ]
    query = "SELECT collection, item, state, scene, error_reason FROM item_vectors ORDER BY 1, 2"
    assert said(engine, query) == [
        ("new", "c", "ready", "c", ""),
        ("old", "a", "ready", "a", ""),
        ("old", "b", "ready", "a", ""),
        ("old", "c", "pending", "", ""),
        ("old", "d", "pending", "", ""),
        ("old", "e", "quarantined", "", "BAD"),
    ]
    assert said(engine, "SELECT collection, first, second FROM near_pairs") == [("old", "a", "b")]
    assert said(engine, "SELECT DISTINCT described, synced FROM items WHERE state = 'live'") == [
        (False, 0)
    ]
    downgrade(url_of(engine), "clustering", MIGRATIONS, "0002")
    query = "SELECT name, state, collection, scene FROM items ORDER BY name"
    assert said(engine, query) == [
        ("a", "ready", "old", "a"),
        ("b", "ready", "old", "a"),
        ("c", "pending", "", ""),
        ("d", "pending", "", ""),
        ("e", "quarantined", "", ""),
        ("f", "deleted", "", ""),
    ]
    assert said(engine, "SELECT first, second FROM near_pairs") == [("a", "b")]
