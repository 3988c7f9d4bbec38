"""What holds for the code that migrates older libraries, whatever it does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import services.catalog.legacy

ROOT = Path(services.catalog.legacy.__path__[0])
SOURCES = sorted(ROOT.rglob("*.py"))
DELETES = re.compile(r"delete\s+from|truncate|drop\s+table", re.I)
# The tables that a migration may delete from: its own account, and its own notes of posts.
OWN = {"LEGACY_ROWS", "POST_USES"}


def deletions() -> Iterator[tuple[str, str]]:
    """Each call of a ``delete``: the file, and what it is called on."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr == "delete":
                yield source.name, ast.unparse(called.value)


def test_no_photo_is_deleted_but_by_the_door_that_people_use() -> None:
    """Only a rollback deletes, and only with the rules of DeletePhoto: never in SQL."""
    found = set(deletions())
    assert found, "there are some"
    for file, on in found - {(file, table) for file, table in found if table in OWN}:
        assert file == "rollback.py", (file, on)
        assert on in ("self._photos", "self._pillars", "self._personas"), on


def test_no_sql_deletes() -> None:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not DELETES.search(node.value), (source.name, node.value)


def test_the_table_of_photos_is_not_written_directly() -> None:
    for source in SOURCES:
        imports = re.findall(r"from services\.catalog\.tables import (.*)", source.read_text())
        assert not any("PHOTOS" in line for line in imports), source.name
