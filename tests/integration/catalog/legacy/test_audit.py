"""The audit of the sample equals what was counted by hand, and planning changes nothing."""

import json
from pathlib import Path

import pytest

from services.catalog.legacy.migrating import audit_of, planned
from services.catalog.legacy.source import read_source
from tests.support.clock import FakeClock
from tests.support.engines import Databases
from tests.support.legacy.database import LegacyDatabase
from tests.support.legacy.sample import EXPECTED, EXPECTED_RUNS
from tests.support.wait import eventually

GOLDEN = Path(__file__).parent / "audit.json"


@pytest.fixture(scope="module")
def legacy(databases: Databases) -> LegacyDatabase:
    return LegacyDatabase(databases.fresh())


def test_the_audit_equals_the_hand_count(legacy: LegacyDatabase, tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text())
    for place in (legacy.url, str(legacy.dump(tmp_path / "library.sql"))):
        report = json.loads(json.dumps(audit_of(read_source(place), FakeClock())))
        assert report.pop("source").rpartition("/")[2]
        assert report == golden


async def test_the_audit_reads_only(legacy: LegacyDatabase) -> None:
    async def alone() -> bool:
        """Whether every other connection has ended at the server, and told what it changed."""
        return not legacy.run(
            "SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    counters = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
    await eventually(alone)
    before = legacy.run(counters)
    audit_of(read_source(legacy.url), FakeClock())
    await eventually(alone)
    assert legacy.run(counters) == before


def test_the_plan_names_rule_and_pillar_of_each_photo(legacy: LegacyDatabase) -> None:
    plan = planned(read_source(legacy.url), FakeClock())
    pillars = plan["pillars"]
    assert pillars["10"] == "personas/nora/pillars/coffee"
    assert plan["personas"] == {"1": "personas/nora", "2": "personas/otto", "3": "personas/nora-2"}
    assert {p["photo"]: (p["rule"], p["pillar"], tuple(p["doubts"])) for p in plan["photos"]} == {
        id: (rule, pillars.get(to, ""), doubts) for id, (rule, to, doubts) in EXPECTED.items()
    }
    assert {r["run"]: (r["rule"], r["pillar"], tuple(r["doubts"])) for r in plan["runs"]} == {
        id: (rule, pillars.get(to, ""), doubts) for id, (rule, to, doubts) in EXPECTED_RUNS.items()
    }


def test_an_older_version_is_audited_too(databases: Databases) -> None:
    older = LegacyDatabase(databases.fresh(), older=True)
    report = audit_of(read_source(older.url), FakeClock())
    assert report["counts"] == json.loads(GOLDEN.read_text())["counts"]
    assert report["clusters"]["with_several_primaries"] == []
    assert report["photos"]["rules"]["FIRST_PILLAR"] > 0
    assert "PRIMARY_PILLAR" not in report["photos"]["rules"]
