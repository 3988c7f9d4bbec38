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


_CLUSTERS = """
INSERT INTO collections (name, model, revision, fingerprint, dimension, scene_threshold,
                         duplicate_threshold, create_time, id, state)
VALUES ('c', 'models/m', 'r1', 'f1', 4, 0.5, 0.9, now(), gen_random_uuid(), 'active');
INSERT INTO items (name, point_id, scope, blob_key, words, words_time, pixels, create_time)
SELECT name, gen_random_uuid(), 's', 'k', '{}', now(), 1, now()
FROM unnest(ARRAY['w', 'x', 'y', 'z']) AS name;
INSERT INTO item_vectors (collection, item, state, scene)
SELECT 'c', name, 'ready', name FROM items;
INSERT INTO scopes (scope, version, state_key, next_key, collection)
VALUES ('s', 5, 'memory', 4, 'c'), ('empty', 3, '', 1, '');
INSERT INTO runs (id, scope, mode, state, version, stats, create_time, end_time)
VALUES ('00000000-0000-0000-0000-000000000004', 's', 'auto', 'succeeded', 4,
        '{"items": 4, "duplicates": 1}', '2026-01-04', '2026-01-04');
INSERT INTO clusters (id, scope, key, title, state, origin, merged_into, merge_pinned, create_time,
                      update_time)
VALUES ('00000000-0000-0000-0000-00000000000a', 's', 'a', 'A', 'active', 'found', '', false,
        now(), now()),
       ('00000000-0000-0000-0000-00000000000b', 's', 'b', 'B', 'retired', 'found', '', false,
        now(), now()),
       ('00000000-0000-0000-0000-00000000000d', 's', 'd', 'D', 'retired', 'found', 'x', true,
        now(), now()),
       ('00000000-0000-0000-0000-00000000000e', 'new', 'e', 'E', 'active', 'curated', '', false,
        now(), now());
INSERT INTO cluster_versions (cluster_id, version, scope, member_count, cohesion, hero_item)
VALUES ('00000000-0000-0000-0000-00000000000a', 3, 's', 2, 0.5, 'w'),
       ('00000000-0000-0000-0000-00000000000a', 4, 's', 2, 0.5, 'w'),
       ('00000000-0000-0000-0000-00000000000a', 5, 's', 3, 0.5, 'w'),
       ('00000000-0000-0000-0000-00000000000b', 3, 's', 1, 0.9, 'y'),
       ('00000000-0000-0000-0000-00000000000d', 4, 's', 1, 0.9, 'y'),
       ('00000000-0000-0000-0000-00000000000d', 5, 's', 0, 0, ''),
       ('00000000-0000-0000-0000-00000000000e', 0, 'new', 1, 0, '');
INSERT INTO members (scope, version, item, cluster_id, similarity, position, duplicate_of, locked)
VALUES ('s', 3, 'w', '00000000-0000-0000-0000-00000000000a', 0.9, 1, '', false),
       ('s', 4, 'w', '00000000-0000-0000-0000-00000000000a', 0.9, 1, '', false),
       ('s', 5, 'w', '00000000-0000-0000-0000-00000000000a', 0.9, 1, '', false),
       ('s', 3, 'x', '00000000-0000-0000-0000-00000000000a', 0.8, 2, '', false),
       ('s', 4, 'x', '00000000-0000-0000-0000-00000000000a', 0.8, 2, '', false),
       ('s', 5, 'x', '00000000-0000-0000-0000-00000000000a', 0.8, 2, '', true),
       ('s', 3, 'y', '00000000-0000-0000-0000-00000000000b', 0.9, 1, '', false),
       ('s', 4, 'y', '00000000-0000-0000-0000-00000000000d', 0.9, 1, 'w', false),
       ('s', 5, 'y', '00000000-0000-0000-0000-00000000000a', NULL, 3, 'w', false),
       ('new', 0, 'z', '00000000-0000-0000-0000-00000000000e', NULL, 1, '', true);
"""
_MEMBERS = """
SELECT scope, version, item, right(cluster_id::text, 1), similarity, position, duplicate_of, locked
FROM members ORDER BY scope, version, item
"""
_VERSIONS = """
SELECT scope, version, right(cluster_id::text, 1), member_count, cohesion, hero_item
FROM cluster_versions ORDER BY scope, version, cluster_id
"""


def test_what_is_equal_in_versions_becomes_one_row_and_back(engine: Engine) -> None:
    upgrade(url_of(engine), "clustering", MIGRATIONS, "0005")
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path = clustering"))
        for statement in _CLUSTERS.split(";\n"):
            connection.exec_driver_sql(statement)
    before = said(engine, _MEMBERS), said(engine, _VERSIONS)
    upgrade(url_of(engine), "clustering", MIGRATIONS, "0006")
    shown = "SELECT item, since, until, right(cluster_id::text, 1), similarity, locked FROM members"
    assert said(engine, f"{shown} WHERE scope = 's' ORDER BY 1, 2") == [
        ("w", 3, None, "a", 0.9, False),
        ("x", 3, 5, "a", 0.8, False),
        ("x", 5, None, "a", 0.8, True),
        ("y", 3, 4, "b", 0.9, False),
        ("y", 4, 5, "d", 0.9, False),
        ("y", 5, None, "a", None, False),
    ]
    assert said(engine, f"{shown} WHERE scope = 'new'") == [("z", 0, None, "e", None, True)]
    heads = """
        SELECT right(cluster_id::text, 1), since, until, title, state, merge_pinned, member_count
        FROM cluster_versions ORDER BY 1, 2
    """
    assert said(engine, heads) == [
        ("a", 3, 5, "A", "active", False, 2),
        ("a", 5, None, "A", "active", False, 3),
        ("b", 3, 4, "B", "active", False, 1),
        ("d", 4, 5, "D", "active", False, 1),
        ("d", 5, None, "D", "retired", True, 0),
        ("e", 0, None, "E", "active", False, 1),
    ]
    log = "SELECT scope, version, kind, items, duplicates, clustered, state_key FROM versions"
    assert said(engine, f"{log} ORDER BY 1, 2") == [
        ("empty", 3, "edit", 0, 0, 0, ""),
        ("new", 0, "edit", 0, 0, 1, ""),
        ("s", 3, "edit", 0, 0, 3, ""),
        ("s", 4, "run", 4, 1, 3, ""),
        ("s", 5, "edit", 0, 0, 3, "memory"),
    ]
    grouped = "SELECT item FROM item_vectors WHERE grouped ORDER BY 1"
    assert said(engine, grouped) == [("w",), ("y",)], "who is held may have been seen by no run"
    downgrade(url_of(engine), "clustering", MIGRATIONS, "0005")
    assert (said(engine, _MEMBERS), said(engine, _VERSIONS)) == before
    upgrade(url_of(engine), "clustering", MIGRATIONS)


def test_statistics_are_left_as_the_older_program_reads_them(engine: Engine) -> None:
    upgrade(url_of(engine), "clustering", MIGRATIONS)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            """
            INSERT INTO clustering.runs (id, scope, mode, state, stats, create_time)
            VALUES (gen_random_uuid(), 's', 'auto', 'succeeded',
                    '{"missing": 3, "failed_embeddings": 1}', now()),
                   (gen_random_uuid(), 's', 'auto', 'queued', '{}', now())
            """
        )
    downgrade(url_of(engine), "clustering", MIGRATIONS, "0013")
    assert said(engine, "SELECT stats FROM runs ORDER BY state") == [({},), ({"missing": 3},)]
    guard = "SELECT tgenabled FROM pg_trigger WHERE tgname = 'check_move'"
    assert said(engine, guard) == [("O",)]
