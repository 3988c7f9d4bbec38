"""Clusters are written in one place, so that no change of them is missing from their history."""

import re
from pathlib import Path

import services.clustering

ROOT = Path(services.clustering.__file__).parent
_TABLES = "clusters|cluster_versions|members|versions|scopes"
_IN_SQL = re.compile(
    rf"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:clustering\.|\{{SCHEMA\}}\.)?(?:{_TABLES})\b"
)
_IN_PYTHON = re.compile(rf"\b(?:insert|update|delete)\(\s*(?:{_TABLES})\s*\)")
_STATEMENTS = {"repository/version_statements.py", "repository/erasing_statements.py"}
_WRITERS = {"repository/versions.py", *_STATEMENTS}


def places(pattern: re.Pattern[str]) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if "migrations" not in path.parts and pattern.search(path.read_text())
    }


def test_one_module_writes_clusters() -> None:
    assert places(_IN_SQL) | places(_IN_PYTHON) <= _WRITERS
    assert places(_IN_SQL) == _STATEMENTS, "the check finds what it should"


def test_one_use_case_makes_versions() -> None:
    assert places(re.compile(r"\bversions\.write\(")) == {"usecases/history.py"}
    # What else changes versions that there are: deletions, which leave no version behind.
    assert places(re.compile(r"\bversions\.(?:drop|set_hero)\(")) == {"usecases/membership.py"}
