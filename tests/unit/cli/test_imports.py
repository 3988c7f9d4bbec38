"""What ``colonnade imports`` and the end of an import show."""

import csv
import io
import json

import pytest
from colonnade.catalog.v1.photo_import_pb2 import PhotoImport, PhotoImportCounts, PhotoImportItem

from cli import imports
from cli.importing import Imported, show_imported
from libs.errors import FailedPrecondition
from libs.rpc.status import to_status

NAME = "personas/nora/photoImports/0197a5a0-0000-7000-8000-000000000001"


def failed(path: str) -> PhotoImportItem:
    why = to_status(FailedPrecondition("is damaged, sorry", reason="DAMAGED_IMAGE"))
    return PhotoImportItem(
        source_path=path, outcome=PhotoImportItem.OUTCOME_FAILED, error=why, fingerprint="1-2"
    )


def imported_item(path: str) -> PhotoImportItem:
    return PhotoImportItem(source_path=path, outcome=PhotoImportItem.OUTCOME_IMPORTED)


def imported(failures: int, shown: int, **fields: bool) -> Imported:
    counts = PhotoImportCounts(imported=7, duplicate=2, skipped=1, failed=failures)
    account = PhotoImport(name=NAME, source="/photos", counts=counts)
    return Imported(account, [failed(f"{n}.jpg") for n in range(shown)], **fields)


def test_the_first_failures_and_where_the_rest_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_imported(imported(25, 20, interrupted=False))
    shown = capsys.readouterr().out.replace("\n", " ")
    assert shown.count("is damaged") == 20
    assert "and 5 more" in shown
    assert f"colonnade imports report {NAME}" in shown
    assert "35 files: 7 imported, 2 duplicate, 1 skipped, 25 failed" in shown
    assert "run it again" not in shown


def test_an_interrupted_import_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    show_imported(imported(0, 0, interrupted=True))
    assert "run it again" in capsys.readouterr().out
    data = imported(1, 1, interrupted=True).as_dict()
    assert (data["interrupted"], data["imported"], data["failed"]) == (True, 7, 1)
    assert json.loads(json.dumps(data))["failures"][0]["sourcePath"] == "0.jpg"


def test_a_report_is_lines_or_json_or_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    items = [failed("a, b.jpg"), imported_item("c.jpg")]
    write = imports.csv_writer()
    for item in items:
        write(item)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["source_path"], row["outcome"], row["reason"]) for row in rows] == [
        ("a, b.jpg", "failed", "DAMAGED_IMAGE"),
        ("c.jpg", "imported", ""),
    ]
    for item in items:
        imports.write_json(item)
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["sourcePath"] for document in documents] == ["a, b.jpg", "c.jpg"]
    for item in items:
        imports.write_line(item)
    assert capsys.readouterr().out.splitlines() == [
        "failed: a, b.jpg: is damaged, sorry",
        "imported: c.jpg",
    ]
