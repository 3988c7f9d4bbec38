"""What ``--help`` looks like in a terminal of 80 columns."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from cli.main import app

# What a frame of 80 columns leaves.
_WIDTH = 78


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[Any]:
    yield pytest.param(command, id=" ".join(path) or "colonnade")
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("command", ALL)
def test_only_the_first_paragraph_is_wrapped_so_the_others_fit(command: Any) -> None:
    first, *others = inspect.cleandoc(command.help or "").split("\n\n")
    assert first
    assert "\n" not in first, "lists of commands show it with the break"
    assert [row for text in others for row in text.splitlines() if len(row) > _WIDTH] == []


@pytest.mark.parametrize("command", ALL)
def test_what_is_off_unless_asked_for_has_no_second_name(command: Any) -> None:
    """``--dry-run/--no-dry-run`` takes the room that its explanation needs."""
    off = [option for option in command.params if option.default is False]
    assert [option.name for option in off if option.secondary_opts] == []
