"""``make seed-demo``: what it makes, and that a second time makes nothing more."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import run_service_pb2 as pb

from demo.pictures import draw_library
from demo.plan import sample_plan
from demo.seed import ASKED_FOR, CANDIDATES, seed
from demo.show import Show
from tests.integration.catalog.library import Library


async def test_seeding_twice_gives_the_same_counts(
    lib: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite: Any = SimpleNamespace(catalog=lib.stub, planning=lib.planning, runs=lib.runs)
    plan = sample_plan(tmp_path)
    draw_library(plan.folder, count=30, size=64)  # what is there is not drawn again
    tables = ("personas", "pillars", "runs", "candidates", "votes", "photos")

    async def counts() -> dict[str, int]:
        return {
            table: (await lib.rows(f"SELECT count(*) FROM catalog.{table}"))[0][0]
            for table in tables
        }

    before = await counts()
    await seed(suite, plan, Show())
    first = await counts()
    made = {table: first[table] - before[table] for table in tables}
    assert made["votes"] >= CANDIDATES - 1
    assert {table: made[table] for table in tables if table != "votes"} == {
        "personas": 1,
        "pillars": 3,
        "runs": 1,
        "candidates": CANDIDATES,
        "photos": 1,
    }
    await seed(suite, plan, Show())
    assert await counts() == first
    assert "there" in capsys.readouterr().out
    listed = await lib.stub.ListPhotos(catalog.ListPhotosRequest(parent="personas/mila"))
    (photo,) = listed.photos
    told = await lib.runs.GetLineage(pb.GetLineageRequest(name=photo.name))
    assert told.candidate_count == CANDIDATES
    assert told.run.photo == photo.name
    assert ASKED_FOR in photo.file_name, "a cup by a window, not a flower"
