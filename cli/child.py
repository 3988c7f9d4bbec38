"""Work that is done in a process of its own, which tells of it in lines of JSON.

A line is ``progress`` (phase, done, total) while it works, then ``result`` or ``error`` (reason,
message).
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cli.output import err
from cli.run import INTERRUPTED


def run_child(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], *, quiet: bool
) -> tuple[int, dict[str, Any]]:
    """Runs ``python -m module``; its exit code and the last line that it said.

    A bar moves along with its progress unless ``quiet``.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        try:
            answer = _listen(child.stdout, quiet=quiet)
        except KeyboardInterrupt:
            child.wait()
            raise typer.Exit(INTERRUPTED) from None
    return child.returncode, answer


def result_of(code: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The result of ``run_child``; without one, says why and exits with the child's code."""
    if "result" in answer:
        result: dict[str, Any] = answer["result"]
        return result
    if error := answer.get("error"):
        reason = error["reason"].lower().replace("_", " ")
        err.print(f"[red]{escape(reason)}[/red]: {escape(error['message'])}")
    raise typer.Exit(code or 1)


def _listen(lines: Iterable[str], *, quiet: bool) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    answer: dict[str, Any] = {}
    with Progress(*columns, console=err, disable=quiet) as bar:
        tasks: dict[str, TaskID] = {}
        for text in lines:
            answer = json.loads(text)
            if told := answer.get("progress"):
                phase = told["phase"].replace("_", " ")
                if phase not in tasks:
                    tasks[phase] = bar.add_task(phase)
                bar.update(tasks[phase], completed=told["done"], total=told["total"])
    return answer
