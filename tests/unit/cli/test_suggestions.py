"""Suggestions as they are watched and printed, at 80 columns."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.run_pb2 import Run
from colonnade.catalog.v1.suggestion_pb2 import Suggestion, SuggestionBatch
from colonnade.type.v1.job_pb2 import JobState
from google.rpc import code_pb2, status_pb2

from cli.output import out
from cli.runs import show_run
from cli.suggestions import show_end, show_suggestion, watch_suggestions
from libs.errors import DeadlineExceeded

WIDTH = 80
ID = "01a1fed0-e5eb-76ab-980a-a75a19e5035a"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "_width", WIDTH)


def suggestion(rank: int = 1, **fields: Any) -> Suggestion:
    return Suggestion(
        name=f"personas/nora/suggestions/{ID[:-1]}{rank}",
        pillar="personas/nora/pillars/slow-mornings",
        title="Coffee [by] lamplight",
        description="Close-up of coffee on a worn wooden table, steam still rising. " * 3,
        reason="Slow mornings has 4 photos to use and needs 18; 14 are missing. " * 2,
        rank=rank,
        source="template",
        state=Suggestion.STATE_PENDING,
        **fields,
    )


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= WIDTH for line in lines), lines
    return lines


def test_a_card_fits_eighty_columns_and_tells_why(capsys: pytest.CaptureFixture[str]) -> None:
    photos = [f"personas/nora/photos/{ID}"] * 3
    show_suggestion(suggestion(nearest_photos=photos, reject_reason="Too dark [really]."))
    lines = printed(capsys)
    assert lines[1] == "1. Coffee [by] lamplight (slow-mornings, pending)"
    assert all(line.startswith("    ") for line in lines[2:])
    text = " ".join(line.strip() for line in lines)
    assert "Why: Slow mornings has 4 photos to use" in text
    assert f"Nearest photo: {ID} and 2 more" in text
    assert "Turned down: Too dark [really]." in text
    assert lines[-1].strip() == suggestion().name


def test_who_wrote_it_is_told_unless_templates_did(capsys: pytest.CaptureFixture[str]) -> None:
    written = suggestion()
    written.source = "llama-[3]"
    show_suggestion(written)
    assert "by llama-[3])" in printed(capsys)[1]


def test_the_end_tells_of_fewer_and_of_troubles(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="the model did not answer")
    show_end(SuggestionBatch(count=5, written=3, exhausted=True, error=trouble))
    assert printed(capsys)[1:] == [
        "3 of 5 written",
        "fewer than asked for: every further idea was a repetition",
        "the model did not answer",
    ]


def test_a_run_is_a_card_too(capsys: pytest.CaptureFixture[str]) -> None:
    show_run(Run(name=f"personas/nora/runs/{ID}", prompt="A door. " * 30, state=Run.STATE_RUNNING))
    lines = printed(capsys)
    assert lines[0] == "run (no pillar, running)"
    assert lines[1].strip() == f"personas/nora/runs/{ID}"


class Watched:
    """A suite whose watching breaks off twice, and begins with what is there each time."""

    def __init__(self) -> None:
        self.calls = 0

    async def WatchSuggestionBatch(self, _request: Any) -> AsyncIterator[Any]:
        self.calls += 1
        for rank in range(1, self.calls + 1):
            batch = SuggestionBatch(name="b", state=JobState.JOB_STATE_RUNNING, written=rank)
            yield planning.WatchSuggestionBatchResponse(
                suggestion_batch=batch, suggestion=suggestion(rank)
            )
        if self.calls == 1:
            raise DeadlineExceeded("ten minutes are over")
        if self.calls == 3:
            done = SuggestionBatch(name="b", state=JobState.JOB_STATE_SUCCEEDED, written=3)
            yield planning.WatchSuggestionBatchResponse(suggestion_batch=done)


async def test_watching_goes_on_until_the_batch_ends_and_shows_each_once() -> None:
    watched, shown = Watched(), []
    suite: Any = SimpleNamespace(planning=watched)
    batch, written = await watch_suggestions(
        suite, SuggestionBatch(name="b"), lambda _batch, new: shown.append(new)
    )
    assert watched.calls == 3
    assert batch.state == JobState.JOB_STATE_SUCCEEDED
    assert [s.rank for s in written] == [1, 2, 3]
    assert [s.rank for s in shown if s] == [1, 2, 3]
