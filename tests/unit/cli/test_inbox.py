"""The inbox on the command line: which photos people mean, and what they are shown."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1.photo_pb2 import Filing, Photo, PhotoResult, PillarProposal
from google.rpc import code_pb2, status_pb2
from typer.testing import CliRunner, Result

from cli import inbox
from cli.connection import Suite
from cli.main import app
from libs.errors import ColonnadeError

REVIEW = Filing.STATE_REVIEW


def photo(number: int, path: str, confidence: float, *others: tuple[str, float]) -> Photo:
    filing = Filing(
        state=REVIEW,
        confidence=confidence,
        reason=f"reason {number}",
        alternatives=[
            PillarProposal(pillar=f"personas/nora/pillars/{pillar}", confidence=value)
            for pillar, value in others
        ],
    )
    return Photo(
        name=f"personas/nora/photos/{number}",
        pillar="personas/nora/pillars/food",
        source_path=path,
        file_name=path.rpartition("/")[2],
        filing=filing,
    )


WAITING = [
    photo(1, "beach/1.jpg", 0.2),
    photo(2, "beach/2.jpg", 0.6, ("out", 0.3)),
    photo(3, "soup.jpg", 0.0),
]


class FakeSuite:
    """An inbox, and what was asked of it. The photo that ends in 3 is refused."""

    def __init__(self) -> None:
        self.catalog = self.imports = self
        self.asked: list[Any] = []

    async def ListPhotos(self, request: catalog.ListPhotosRequest) -> catalog.ListPhotosResponse:
        assert request.parent == "personas/nora"
        assert request.filter == 'filing.state = "REVIEW"'
        return catalog.ListPhotosResponse(photos=WAITING)

    async def BatchMovePhotos(
        self, request: catalog.BatchMovePhotosRequest
    ) -> catalog.BatchMovePhotosResponse:
        self.asked.append(request)
        return catalog.BatchMovePhotosResponse(results=map(self._result, request.names))

    async def AcceptProposals(
        self, request: imports.AcceptProposalsRequest
    ) -> imports.AcceptProposalsResponse:
        self.asked.append(request)
        results = list(map(self._result, request.photos))
        filed = sum(not result.status.code for result in results)
        return imports.AcceptProposalsResponse(filed=filed or 7, results=results)

    async def ProposePillars(
        self, request: imports.ProposePillarsRequest
    ) -> imports.ProposePillarsResponse:
        return imports.ProposePillarsResponse(filed=5, waiting=4)

    def _result(self, name: str) -> PhotoResult:
        code = code_pb2.FAILED_PRECONDITION if name.endswith("3") else code_pb2.OK
        return PhotoResult(name=name, status=status_pb2.Status(code=code, message="no"))


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> FakeSuite:
    fake = FakeSuite()

    def with_suite(work: Callable[[Suite], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            return await work(cast(Suite, fake))

        return asyncio.run(run())

    monkeypatch.setattr(inbox, "with_suite", with_suite)
    return fake


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["inbox", *arguments])


@pytest.mark.parametrize("arguments", [("nora",), ("list", "nora"), ("personas/nora",)])
def test_the_surest_come_first_with_what_else_comes_into_question(
    suite: FakeSuite, arguments: tuple[str, ...]
) -> None:
    shown = typed(*arguments).stdout
    assert shown.index("beach/2.jpg") < shown.index("beach/1.jpg") < shown.index("soup.jpg")


def test_proposals_are_shown_with_their_pillars() -> None:
    assert inbox._proposal(WAITING[1]) == ("60%\n30%", "food\nout")
    assert inbox._proposal(WAITING[2]) == ("-", "-")


@pytest.mark.parametrize(
    ("patterns", "numbers"),
    [
        (["beach/*"], "12"),
        (["2.jpg"], "2"),
        (["soup.jpg", "beach/1.jpg"], "31"),
        (["3"], "3"),
        (["personas/nora/photos/9", "*"], "9213"),
    ],
)
def test_photos_are_meant_by_name_path_or_pattern(
    suite: FakeSuite, patterns: list[str], numbers: str
) -> None:
    typed("accept", "nora", *patterns)
    (request,) = suite.asked
    assert sorted(request.photos) == sorted(f"personas/nora/photos/{n}" for n in numbers)


def test_what_fits_nothing_is_named(suite: FakeSuite) -> None:
    result = typed("move", "nora", "food", "hills/*")
    assert isinstance(result.exception, ColonnadeError)
    assert "hills/*" in result.exception.message
    assert suite.asked == []


def test_moving_tells_of_each_that_was_refused(suite: FakeSuite) -> None:
    assert typed("move", "nora", "food", "*").exit_code == 1
    (request,) = suite.asked
    assert request.pillar == "personas/nora/pillars/food"
    assert typed("move", "nora", "food", "beach/*").exit_code == 0


def test_without_photos_all_that_is_sure_enough_is_accepted(suite: FakeSuite) -> None:
    assert typed("accept", "nora", "--min-confidence", "0.25").exit_code == 0
    (request,) = suite.asked
    assert (list(request.photos), request.min_confidence) == ([], 0.25)
    assert typed("accept", "nora", "--min-confidence", "2").exit_code == 2


def test_many_photos_go_in_batches() -> None:
    assert [len(batch) for batch in inbox._batches(["x"] * 450)] == [200, 200, 50]
