"""What the documentation says is true of the code."""

import functools
import re
from pathlib import Path
from typing import Any

import protovalidate
import pytest
import typer
from google.protobuf import descriptor_pool, json_format, message_factory
from typer.core import TyperGroup

from cli.main import app
from tests.support import documented
from tests.support.documented import PAGES
from tools import settings_docs


def test_the_configuration_page_is_made_from_the_settings() -> None:
    page = settings_docs.FILE.read_text()
    assert page == settings_docs.render() + "\n", "run python -m tools.settings_docs"


def test_every_setting_says_what_it_means() -> None:
    empty = [line for line in settings_docs.render().splitlines() if line.endswith("|  |")]
    assert empty == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_are_as_it_shows_them(page: Path) -> None:
    wrong = [_complaint(words) for words in documented.shown(page, "colonnade")]
    # Within a sentence a command may stand without its arguments.
    named = [_complaint(words) for words in documented.named(page, "colonnade")]
    wrong += [told for told in named if "Missing" not in told and "requires an arg" not in told]
    assert [told for told in wrong if told] == []


def _complaint(words: list[str]) -> str:
    """What ``colonnade`` finds wrong with a command line; empty if nothing. It runs nothing."""
    command, rest = _command(), list(words)
    while isinstance(command, TyperGroup) and rest:
        if rest[0] not in command.commands:
            return f"there is no colonnade {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    if isinstance(command, TyperGroup):
        return ""
    try:
        command.make_context(str(command.name), rest)
    except typer.Exit:
        return ""  # it shows its help
    except typer.TyperException as error:
        # The files of an example are not here.
        told = "" if "does not exist" in str(error) else str(error)
        return f"colonnade {' '.join(words)}: {told}" if told else ""
    return ""


@functools.cache
def _command() -> Any:
    return typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_grpc_calls_of_a_page_are_ones_that_the_contracts_take(page: Path) -> None:
    pool, classes = descriptor_pool.Default(), message_factory
    for words in documented.shown(page, "grpcurl"):
        if "-d" not in words:
            continue
        body, path = words[words.index("-d") + 1], words[-1]
        service, _, method = path.partition("/")
        asked = pool.FindServiceByName(service).methods_by_name[method].input_type
        request = classes.GetMessageClass(asked)()
        json_format.Parse(body, request)
        protovalidate.validate(request)


def test_the_pages_show_commands_and_calls() -> None:
    assert sum(len(documented.shown(page, "colonnade")) for page in PAGES) > 50
    assert sum(len(documented.shown(page, "grpcurl")) for page in PAGES) >= 3
