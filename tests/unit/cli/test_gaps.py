"""The gap report and the preview as they are printed, at 80 columns."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.gap_report_pb2 import GapRecommendation, GapReport, PillarGap, Supply
from colonnade.catalog.v1.pillar_pb2 import Pillar

from cli.gaps import change_of, show_preview, show_report
from cli.output import out, timestamp
from libs.errors import InvalidArgument

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WIDTH = 80


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "width", WIDTH)


def gap(name: str, days: float | None = None, **fields: Any) -> PillarGap:
    found = PillarGap(pillar=f"personas/nora/pillars/{name}", display_name=name, planned=True)
    found.MergeFrom(PillarGap(**fields))
    if days is not None:
        found.days_of_stock = days
        found.run_out_time.CopyFrom(timestamp(NOW + timedelta(days=days)))
    return found


def report(*gaps: PillarGap, **fields: Any) -> GapReport:
    return GapReport(horizon_days=30, as_of_time=timestamp(NOW), pillars=gaps, **fields)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    printed = capsys.readouterr().out.splitlines()
    assert all(len(line) <= WIDTH for line in printed)
    return printed


def row(printed: list[str], name: str, place: int = 0) -> list[str]:
    """The cells of the row that starts with ``name``, in the table of that place."""
    rows = [line.strip("│ ").split("│") for line in printed if line.startswith(f"│ {name}")]
    return [cell.strip() for cell in rows[place]]


FULL = Supply(
    total=321, usable=123, effective=101.4, pending=45, unsorted=67, held=8, scheduled=12, spent=66
)


def test_a_full_report_fits(capsys: pytest.CaptureFixture[str]) -> None:
    mornings = gap(
        "Slow mornings",
        days=41,
        weight=40,
        needed=130,
        supply=FULL,
        gap=28.6,
        average_quality=0.734,
        status=PillarGap.STATUS_CRITICAL,
    )
    sea = gap("Sea", days=0, weight=20, needed=3, gap=3, status=PillarGap.STATUS_EXHAUSTED)
    home = gap("Home", days=900, supply=Supply(usable=9), status=PillarGap.STATUS_READY)
    advice = GapRecommendation(explanation="Sea has no photo yet [and] needs 3.")
    show_report(report(mornings, sea, home, recommendations=[advice]))
    printed = lines(capsys)
    assert row(printed, "Sea") == ["Sea", "20", "3", "0.0", "3.0", "empty", "exhausted"]
    assert row(printed, "Home")[5] == "Aug 2028"
    assert "12 Apr" in "".join(printed)
    assert row(printed, "Sea", 1) == ["Sea", "0", "0", "0", "0", "0", "0", "-"]
    assert "0.73" in "".join(printed)
    assert "  • Sea has no photo yet [and] needs 3." in printed


def test_states_without_a_photo_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(report(gap("Sea", supply=Supply(usable=4, spent=1))))
    printed = lines(capsys)
    assert row(printed, "Sea", 1) == ["Sea", "4", "1", "-"]
    assert "held" not in "".join(printed)
    assert "  every pillar is covered" in printed


def test_a_preview_shows_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    before = [
        gap("Slow mornings", days=18, weight=40, needed=6, gap=-2.5, supply=Supply(usable=9)),
        gap("City", days=9, weight=30, needed=4, gap=1, supply=Supply(usable=3)),
    ]
    after = [
        gap("City", days=9, weight=30, needed=4, gap=1, supply=Supply(usable=3)),
        gap("Slow mornings", days=7, weight=60, needed=13, gap=4.5, supply=Supply(usable=9)),
    ]
    preview = planning.PreviewGapsResponse(
        current=report(*before),
        preview=report(*after),
        current_cost=planning.PreviewCost(photos=1, cost=12.5),
        preview_cost=planning.PreviewCost(photos=6, cost=75),
    )
    show_preview(preview, 12.5)
    printed = lines(capsys)
    assert row(printed, "Slow mornings") == [
        "Slow mornings",
        "40 → 60",
        "6 → 13",
        "-2.5 → 4.5",
        "20 Mar → 9 Mar",
    ]
    assert row(printed, "City") == ["City", "30", "4", "1.0", "11 Mar"]
    assert printed[-1] == "  photos to make: 1 → 6, for 12.50 → 75.00"


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("city=20", {"weight": 20}),
        ("city=0", {"weight": 0}),
        ("city=2/week", {"posts_per_week": 2}),
        ("city=-/week", {"clear_posts_per_week": True}),
        ("city=off", {"state": Pillar.STATE_INACTIVE}),
        ("city=on", {"state": Pillar.STATE_ACTIVE}),
    ],
)
def test_changes_as_people_type_them(text: str, fields: dict[str, Any]) -> None:
    expected = planning.PillarChange(pillar="personas/nora/pillars/city", **fields)
    assert change_of("personas/nora", text) == expected


@pytest.mark.parametrize("text", ["city", "city=", "=20", "city=20%", "city=-1", "city=99999"])
def test_other_changes_are_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidArgument, match="city=2/week"):
        change_of("personas/nora", text)
