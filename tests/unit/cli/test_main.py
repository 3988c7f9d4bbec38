"""What the command ends with when something outside of the suite is wrong."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.cluster_members import item_name
from cli.main import app, main


def test_a_file_that_cannot_be_written_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a file" / "keys.toml"
    file.parent.touch()
    command = ["colonnade", "keys", "create", "me", "--file", str(file), "--scope", "catalog.read"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().err.replace("\n", "")
    assert told.startswith("file: ")
    assert "Not a directory" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "change",
    [[], ["--posts-per-week", "often"], ["--posts-per-week", "-1"], ["--weight", "much"]],
    ids=" ".join,
)
def test_a_change_of_a_pillar_that_says_nothing_usable_is_refused(change: list[str]) -> None:
    ended = CliRunner().invoke(app, ["pillars", "update", "nora", "city", *change])
    assert ended.exit_code == 2, ended.output


@pytest.mark.parametrize(
    ("cluster", "item", "name"),
    [
        ("personas/nora/clusters/c", "a", "personas/nora/photos/a"),
        ("projects/lumen/clusters/c", "a", "projects/lumen/items/a"),
        ("personas/nora/clusters/c", "personas/mila/photos/a", "personas/mila/photos/a"),
        ("c", "a", "c/photos/a"),
    ],
)
def test_an_item_is_named_within_the_scope_of_its_cluster(
    cluster: str, item: str, name: str
) -> None:
    """Also where the cluster is no name at all: the suite says so."""
    assert item_name(cluster, item) == name
