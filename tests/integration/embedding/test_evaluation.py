"""``colonnade eval embedding``: 30 photos drawn here, two tiny models made here, twice the same."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance
from typer.testing import CliRunner, Result

from cli.main import app
from libs.images import ImageLimits
from services.embedding.graph import Graph
from services.embedding.labelled import read_labelled
from services.embedding.measuring import measure
from services.embedding.repository import ModelRepository, StoredModel
from tests.support.pictures import encoded, meadow
from tests.unit.embedding.cards import document

SIDE = 32
SIZE = (96, 80)
# Two of them differ only in where they are bright, which a mean colour cannot tell.
LABELS = ("sky", "grass", "sunset", "left", "right")


def drawn(label: str, number: int) -> Image.Image:
    """One of six pictures of a label; they differ in texture, brightness and size."""
    texture = meadow(*SIZE).transpose(Image.Transpose(number % 6))
    texture = texture.resize((SIZE[0] + 7 * number, SIZE[1]))
    colours = {"sky": (70, 130, 230), "grass": (60, 160, 50), "sunset": (230, 110, 50)}
    flat = Image.new("RGB", texture.size, colours.get(label, (30, 30, 30)))
    if label in ("left", "right"):
        half = texture.width // 2
        flat.paste(
            "white",
            (
                0 if label == "left" else half,
                0,
                half if label == "left" else texture.width,
                texture.height,
            ),
        )
    mixed = Image.blend(flat, texture, 0.35)
    return ImageEnhance.Brightness(mixed).enhance(0.8 + 0.08 * number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled set: five labels with six photos each."""
    root = tmp_path_factory.mktemp("labelled")
    for label in LABELS:
        (root / label).mkdir()
        for number in range(6):
            (root / label / f"{number}.png").write_bytes(encoded(drawn(label, number)))
    return root


def write_model(folder: Path, id: str, cells: int) -> Path:
    """A model that answers the mean colours of ``cells`` x ``cells`` parts; its card."""
    graph = Graph(id)
    centred = graph.add("Sub", Graph.INPUT, graph.scalar(0.4))
    side = SIDE // cells
    pooled = graph.add("AveragePool", centred, kernel_shape=[side, side], strides=[side, side])
    dimension = 3 * cells * cells
    content = graph.serialised(graph.add("Flatten", pooled, axis=1), (SIDE, SIDE), dimension)
    (folder / f"{id}.onnx").write_bytes(content)
    card = document(
        id=id,
        file=f"{id}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        input__name=Graph.INPUT,
        input__shape=["N", 3, SIDE, SIDE],
        input__mean=[0.0] * 3,
        input__std=[255.0] * 3,
        input__resize__size=[SIDE, SIDE],
        output={
            "name": Graph.OUTPUT,
            "dtype": "float32",
            "shape": ["N", dimension],
            "dim": dimension,
        },
    )
    path = folder / f"{id}.json"
    path.write_text(json.dumps(card))
    return path


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
