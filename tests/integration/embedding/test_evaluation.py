"""``colonnade eval embedding``: 30 photos drawn here, two tiny models made here, twice the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cli.main import app
from libs.images import ImageLimits
from services.embedding.labelled import read_labelled
from services.embedding.measuring import measure
from services.embedding.repository import ModelRepository, StoredModel
from tests.support.labelled import LABELS, write_model, write_photos


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled set: five labels with six photos each."""
    return write_photos(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    models = tmp_path_factory.mktemp("models")
    return write_model(models, "mean-colour", 1), write_model(models, "sixteen-parts", 4)


def evaluate(tmp_path: Path, *arguments: object) -> Result:
    return CliRunner().invoke(
        app, ["eval", "embedding", *map(str, arguments), "--data", str(tmp_path / "data")]
    )


def without_cost(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in measured.items() if name != "cost"}


def scores(model: StoredModel, folder: Path) -> dict[str, Any]:
    photos = read_labelled(folder)
    found = measure(model, photos, ImageLimits(), lambda done, total: None).as_dict()
    return json.loads(json.dumps(without_cost(found)))  # type: ignore[no-any-return]


def test_two_models_are_compared_and_the_numbers_are_the_same_each_time(
    folder: Path, cards: tuple[Path, Path], tmp_path: Path
) -> None:
    file, picture = tmp_path / "numbers.json", tmp_path / "numbers.png"
    chosen = [part for card in cards for part in ("--card", card)]
    ran = evaluate(tmp_path, folder, *chosen, "--json", file, "--plot", picture)
    assert ran.exit_code == 0, ran.output
    assert "30 photos, 5 labels" in ran.output
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["labels"] == dict.fromkeys(sorted(LABELS), 6)
    assert report["failed"] == []
    mean, parts = report["models"]
    assert [(each["model"], each["dimension"]) for each in (mean, parts)] == [
        ("mean-colour", 3),
        ("sixteen-parts", 48),
    ]
    for name in ("recall1", "mean_average_precision", "knn5"):
        assert mean["retrieval"][name] < parts["retrieval"][name], name
    assert parts["retrieval"]["recall5"] == 1.0
    assert mean["grouping"]["purity"] < parts["grouping"]["purity"]
    for each in (mean, parts):
        assert each["cost"]["decode_ms"] > 0 < each["cost"]["inference_ms"]
        assert each["cost"]["file_bytes"] > 0
    with Image.open(picture) as plot:
        assert plot.format == "PNG"
        assert plot.width > 1000
    stored = [ModelRepository.in_data(tmp_path).at(card) for card in cards]
    for model, told in zip(stored, report["models"], strict=True):
        first, second = scores(model, folder), scores(model, folder)
        assert first == second == without_cost(told)


def test_what_cannot_be_read_is_left_out_and_said(
    folder: Path, cards: tuple[Path, Path], tmp_path: Path
) -> None:
    copies = tmp_path / "copies"
    for photo in folder.glob("*/*.png"):
        (copies / photo.parent.name).mkdir(parents=True, exist_ok=True)
        (copies / photo.parent.name / photo.name).write_bytes(photo.read_bytes())
    (copies / "sky" / "notes.txt").write_text("no picture")
    (copies / "sky" / "0.png").write_bytes((folder / "sky" / "0.png").read_bytes()[:500])
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    ran = evaluate(tmp_path, copies, "--card", cards[0], "--card", broken, "--json", "-")
    assert ran.exit_code == 1
    report = json.loads(ran.stdout)
    (measured,) = report["models"]
    assert measured["photos"] == 29
    assert measured["unreadable"] == {
        "sky/0.png": "DAMAGED_IMAGE",
        "sky/notes.txt": "UNSUPPORTED_IMAGE",
    }
    assert [(each["model"], each["reason"]) for each in report["failed"]] == [
        ("broken", "INVALID_MODEL_CARD")
    ]
    assert "broken" in ran.stderr


def test_too_few_labels_are_refused_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    ran = evaluate(tmp_path, folder / "sky", "--card", "never-read.json")
    assert ran.exit_code == 2
    assert "too few labels" in ran.output
    assert "subfolders" in ran.output


def test_a_model_that_is_not_there_is_refused_with_those_that_are(
    folder: Path, tmp_path: Path, descriptor: StoredModel
) -> None:
    models = tmp_path / "data" / "models" / "added"
    models.mkdir(parents=True)
    for suffix in (".json", ".onnx"):
        (models / f"brought{suffix}").write_bytes(descriptor.path.with_suffix(suffix).read_bytes())
    card = json.loads((models / "brought.json").read_text())
    (models / "brought.json").write_text(
        json.dumps({**card, "id": "brought", "file": "brought.onnx"})
    )
    ran = evaluate(tmp_path, folder, "--model", "models/absent")
    assert ran.exit_code == 2
    assert "there is no model models/absent" in ran.output
    assert "brought" in ran.output
    ran = evaluate(tmp_path, folder, "--model", "brought", "--json", "-")
    assert [each["model"] for each in json.loads(ran.stdout)["models"]] == ["brought"]
