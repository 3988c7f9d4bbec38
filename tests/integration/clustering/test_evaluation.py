"""``colonnade eval clustering``: 30 photos drawn here, a tiny model made here, twice the same."""

import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cli.main import app
from services.clustering import evaluation
from services.clustering.domain.run import Algorithm, RunParams
from services.embedding import evaluation as embedding
from tests.support.labelled import LABELS, write_model, write_photos


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models"), "sixteen-parts", 4)


def evaluate(folder: Path, tmp_path: Path, *arguments: object) -> Result:
    given = ["eval", "clustering", "--dataset", folder, "--data", tmp_path / "data", *arguments]
    return CliRunner().invoke(app, [str(part) for part in given])


def evaluated(folder: Path, card: Path, tmp_path: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """What the two children answer, here in this process."""
    file = tmp_path / "vectors.npz"
    assert embedding.main(["vectors", str(folder), "--card", str(card), "--to", str(file)]) == 0
    told = StringIO()
    with redirect_stdout(told):
        assert evaluation.main([str(file), *arguments]) == 0
    return json.loads(told.getvalue().splitlines()[-1])["result"]  # type: ignore[no-any-return]


def without_seconds(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "seconds"}


def test_a_grid_is_compared_and_the_numbers_are_the_same_each_time(
    folder: Path, card: Path, tmp_path: Path
) -> None:
    file, picture = tmp_path / "numbers.json", tmp_path / "numbers.png"
    # Drawn photos of one label are copies of each other for so small a model.
    config = tmp_path / "suite.toml"
    config.write_text("[clustering]\nduplicate_floor = 1.0\n")
    axes = ("granularity=0.3,0.5", "threshold=0.2")
    grid = [part for axis in axes for part in ("--params-grid", axis)]
    some = [
        part for name in ("mixture", "agglomerative", "k-means") for part in ("--algorithm", name)
    ]
    given = ("--card", card, "--config", config, *grid, *some)
    ran = evaluate(folder, tmp_path, *given, "--json", file, "--plot", picture)
    assert ran.exit_code == 0, ran.output
    assert "30 photos, 5 labels" in ran.output
    assert "by sixteen-parts" in ran.output
    assert "agglomerative 0.20" in ran.output
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["labels"] == dict.fromkeys(sorted(LABELS), 6)
    assert [(row["algorithm"], row["params"]) for row in report["rows"]] == [
        ("mixture", {"granularity": 0.3}),
        ("mixture", {"granularity": 0.5}),
        ("agglomerative", {"threshold": 0.2}),
        ("k_means", {"cluster_count": 5}),
    ]
    for row in report["rows"]:
        assert row["groups"] >= 3
        assert all(0 < row[name] <= 1 for name in ("bcubed", "f1", "ari", "nmi", "purity"))
        assert 0 <= row["unclustered"] < 1
        assert row["seconds"] > 0
    with Image.open(picture) as plot:
        assert plot.format == "PNG"
        assert plot.width > 1000
    again = evaluated(
        folder,
        card,
        tmp_path,
        ["--config", str(config), *some, *(f"--grid={axis}" for axis in axes)],
    )
    assert list(map(without_seconds, again["rows"])) == list(map(without_seconds, report["rows"]))


def test_what_reads_no_value_of_the_grid_runs_once() -> None:
    grid = evaluation.read_grid(["threshold=0.2,0.3", "min_size=3,5"])
    settings = {a: list(evaluation.settings_of(a, grid, labels=7)) for a in Algorithm}
    assert {a: len(found) for a, found in settings.items()} == {
        Algorithm.MIXTURE: 6,
        Algorithm.NEAREST: 4,
        Algorithm.HDBSCAN: 2,
        Algorithm.DBSCAN: 4,
        Algorithm.AGGLOMERATIVE: 4,
        Algorithm.K_MEANS: 1,
    }
    assert settings[Algorithm.K_MEANS] == [RunParams(cluster_count=7)]
    assert RunParams(granularity=0.4, min_size=3) in settings[Algorithm.MIXTURE]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--grid", "size=3"), "there is no parameter 'size'"),
        (("--grid", "threshold=high"), "values from 0.0 to 1.0"),
        (("--grid", "min_size=2.5"), "values from 2 to 1000"),
        (("--grid", "granularity=2"), "values from 0.05 to 0.95"),
        (("--algorithm", "magic"), "there is none named magic"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert evaluation.main(arguments) == evaluation.Exit.USAGE
    assert told in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_grid_that_makes_no_sense_is_refused_before_anything_is_embedded(
    folder: Path, tmp_path: Path
) -> None:
    ran = evaluate(folder, tmp_path, "--card", "never-read.json", "--params-grid", "size=3")
    assert ran.exit_code == 2
    assert "there is no parameter 'size'" in " ".join(ran.output.split())


def test_what_is_not_installed_is_said_and_the_rest_is_measured(
    folder: Path, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    chosen = ("--algorithm", "mixture", "--algorithm", "hdbscan", "--grid", "granularity=0.4")
    result = evaluated(folder, card, tmp_path, chosen)
    assert [row["algorithm"] for row in result["rows"]] == ["mixture"]
    (failed,) = result["failed"]
    assert (failed["algorithm"], failed["reason"]) == ("hdbscan", "ALGORITHM_NOT_INSTALLED")
