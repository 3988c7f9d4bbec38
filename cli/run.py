"""Runs a command's coroutine and turns what goes wrong into a message and an exit code."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer
from rich.markup import escape

from cli.connection import Suite, Target, connect
from cli.output import err
from libs.errors import ColonnadeError, DeadlineExceeded, InvalidArgument, Unavailable

T = TypeVar("T")

FAILED = 1
USAGE = 2
NOT_RUNNING = 3
INTERRUPTED = 130


def with_suite(work: Callable[[Suite], Awaitable[T]]) -> T:
    """The answer of ``work(suite)``.

    Exits with 1 when the suite refuses, 2 when a value is wrong, 3 when the suite does not answer,
    130 on Ctrl-C.
    """
    target = Target.from_environment()

    async def run() -> T:
        async with connect(target) as suite:
            return await work(suite)

    try:
        return asyncio.run(run())
    except InvalidArgument as error:
        for violation in error.violations or ():
            err.print(f"[red]{escape(violation.field)}[/red]: {escape(violation.description)}")
        if not error.violations:
            err.print(f"[red]error[/red]: {escape(error.message)}")
        raise typer.Exit(USAGE) from None
    except (Unavailable, DeadlineExceeded) as error:
        _explain_absence(target, error)
        raise typer.Exit(NOT_RUNNING) from None
    except ColonnadeError as error:
        reason = error.reason.lower().replace("_", " ")
        err.print(f"[red]{reason}[/red]: {escape(error.message)}")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        err.print("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def _explain_absence(target: Target, error: ColonnadeError) -> None:
    addresses = ", ".join(sorted(set(target.addresses.values())))
    err.print(f"[red]the suite does not answer[/red] at {addresses}: {escape(error.message)}")
    err.print("Start it with [bold]colonnade up[/bold], or set COLONNADE_ADDRESS to where it runs.")
