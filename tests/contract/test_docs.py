"""What the documentation says is true of the code."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tools import settings_docs

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")])


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


def test_the_commands_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    commands = {
        tuple(found.split()) for found in re.findall(r"colonnade ((?:[a-z]+ ?){1,2})", text)
    }
    known = _commands()
    assert commands
    for words in commands:
        assert words in known or words[:1] in known, f"there is no colonnade {' '.join(words)}"


def _commands() -> set[tuple[str, ...]]:
    runner = CliRunner()
    names: set[tuple[str, ...]] = set()
    for command in app.registered_commands:
        names.add((str(command.name),))
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:  # type: ignore[union-attr]
            name = command.name or command.callback.__name__  # type: ignore[union-attr]
            names.add((str(group.name), name))
            assert runner.invoke(app, [str(group.name), name, "--help"]).exit_code == 0
    return names
