"""What a command ends with when the suite refuses, or is not there."""

from collections.abc import Awaitable, Callable

import pytest
import typer
from typer.testing import CliRunner

from cli.connection import Suite, Target
from cli.main import app
from cli.run import with_suite
from libs.errors import (
    AlreadyExists,
    ColonnadeError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
    Violation,
)
from tests.support.ports import free_port


def raising(error: BaseException) -> Callable[[Suite], Awaitable[None]]:
    async def work(_: Suite) -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InvalidArgument.of("pillar.weight", "is at most 100"), 2, "pillar.weight: is at most 100"),
        (InvalidArgument("cannot be read"), 2, "error: cannot be read"),
        (NotFound("persona", "personas/x"), 1, "not found: there is no persona named personas/x"),
        (AlreadyExists("persona", "personas/x"), 1, "already exists: the persona personas/x"),
        (FailedPrecondition("no", reason="NO_CHANNEL"), 1, "no channel: no"),
        (Unavailable("gone"), 3, "the suite does not answer"),
        (DeadlineExceeded("too slow"), 3, "the suite does not answer"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_become_exit_codes_and_a_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        with_suite(raising(error))
    assert ended.value.exit_code == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_every_wrong_field_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    violations = [Violation("name", "is empty"), Violation("weight", "is negative")]
    with pytest.raises(typer.Exit):
        with_suite(raising(InvalidArgument("both", violations)))
    assert capsys.readouterr().err.splitlines() == ["name: is empty", "weight: is negative"]


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument.of("name", "must fit ^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"),
        NotFound("file", "quote's [x] [/bold] (1).jpg"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_brackets_in_messages_are_printed_as_they_are(
    error: ColonnadeError, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        with_suite(raising(error))
    text = error.message.removeprefix("name: ")
    assert text in capsys.readouterr().err.replace("\n", "")


def test_an_error_of_our_own_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        with_suite(raising(ZeroDivisionError()))


def test_without_a_suite_a_command_says_how_to_start_one() -> None:
    address = f"127.0.0.1:{free_port()}"
    environment = {"COLONNADE_ADDRESS": address, "COLUMNS": "200"}
    ran = CliRunner().invoke(app, ["personas", "list"], env=environment)
    assert ran.exit_code == 3
    assert address in ran.stderr
    assert "colonnade up" in ran.stderr
    assert ran.stdout == ""


def test_status_without_a_suite_tells_of_every_service() -> None:
    environment = {"COLONNADE_ADDRESS": f"127.0.0.1:{free_port()}", "COLUMNS": "200"}
    ran = CliRunner().invoke(app, ["status"], env=environment)
    assert ran.exit_code == 3
    assert ran.stdout.count("not running") == 4
    assert "colonnade up" in ran.stdout


def test_a_target_is_one_address_or_one_for_each_service() -> None:
    environment = {
        "COLONNADE_ADDRESS": "suite:1",
        "COLONNADE_PEERS__SCHEDULER": "scheduler:2",
        "COLONNADE_API_KEY": "cln_key",
    }
    found: list[Target] = []
    probe = typer.Typer()
    probe.command()(lambda: found.append(Target.from_environment()))
    CliRunner().invoke(probe, env=environment)
    assert found == [
        Target(
            {
                "catalog": "suite:1",
                "embedding": "suite:1",
                "clustering": "suite:1",
                "scheduler": "scheduler:2",
            },
            "cln_key",
        )
    ]
