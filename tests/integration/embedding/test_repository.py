"""Models on disk: made at first use, checked at each load, repaired or refused."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.embedding.recipes import WEIGHTS_PACKAGE
from services.embedding.repository import ModelRepository, StoredModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def copied(model: StoredModel, folder: Path) -> Path:
    """The model in ``folder``; answers the path of its card."""
    folder.mkdir(parents=True)
    for suffix in (".onnx", ".json"):
        shutil.copy(model.path.with_suffix(suffix), folder)
    return folder / f"{model.card.id}.json"


def test_the_network_is_made_at_first_use_and_then_only_read(weights: Path, folder: Path) -> None:
    repository = ModelRepository(folder, weights)
    first = repository.built_in()
    assert (first.card.id, first.card.dimension) == ("efficientnet-lite0-224", 1280)
    assert first.notice == ""
    assert sorted(path.name for path in folder.iterdir()) == [
        "efficientnet-lite0-224.json",
        "efficientnet-lite0-224.onnx",
    ]
    made = first.path.stat().st_mtime_ns
    assert repository.built_in() == first
    assert first.path.stat().st_mtime_ns == made


def test_its_card_is_one_like_any_other(lite0: StoredModel) -> None:
    card_path = lite0.path.with_suffix(".json")
    written = json.loads(card_path.read_text(encoding="utf-8"))
    assert written["bytes"] == lite0.path.stat().st_size
    assert ModelRepository(Path("unused"), None).at(card_path).card == lite0.card


def test_without_the_package_the_descriptor_steps_in_and_says_so(folder: Path) -> None:
    model = ModelRepository(folder, None).built_in()
    assert (model.card.id, model.card.dimension) == ("descriptor-714", 714)
    assert WEIGHTS_PACKAGE in model.notice


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove", "bad card", "no card", "old card"])
def test_a_damaged_built_in_model_is_made_again(
    descriptor: StoredModel, folder: Path, harm: str
) -> None:
    card_path = copied(descriptor, folder)
    path = folder / descriptor.card.file
    content = path.read_bytes()
    if harm == "flip":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif harm == "truncate":
        path.write_bytes(content[:1000])
    elif harm == "remove":
        path.unlink()
    elif harm == "bad card":
        card_path.write_text("{ not json")
    elif harm == "no card":
        card_path.unlink()
    else:
        old = json.loads(card_path.read_text(encoding="utf-8"))
        card_path.write_text(json.dumps({**old, "same_scene_cosine": 0.1}))
    again = ModelRepository(folder, None).built_in()
    assert again.card == descriptor.card
    assert again.path.read_bytes() == content


def test_many_may_make_it_at_once(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: ModelRepository(folder, None).built_in(), range(8)))
    assert len({model.card.sha256 for model in models}) == 1
    assert len(list(folder.iterdir())) == 2


def test_changed_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"something else")
    with pytest.raises(FailedPrecondition, match="not the published ones") as raised:
        ModelRepository(folder, weights).built_in()
    assert raised.value.reason == "MODEL_NOT_READY"
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FailedPrecondition, match="cannot be written"):
        ModelRepository(tmp_path / "file" / "models", None).built_in()


def test_a_brought_model_is_never_replaced(descriptor: StoredModel, folder: Path) -> None:
    card_path = copied(descriptor, folder)
    path = folder / descriptor.card.file
    path.write_bytes(b"damaged")
    with pytest.raises(FailedPrecondition, match="damaged") as raised:
        ModelRepository(folder, None).at(card_path)
    assert raised.value.reason == "MODEL_NOT_READY"
    assert path.read_bytes() == b"damaged"


def test_a_brought_model_without_its_file_is_named(descriptor: StoredModel, folder: Path) -> None:
    card_path = copied(descriptor, folder)
    (folder / descriptor.card.file).unlink()
    with pytest.raises(FailedPrecondition, match=r"descriptor-714\.onnx cannot be read"):
        ModelRepository(folder, None).at(card_path)


def test_a_wrong_card_is_refused(descriptor: StoredModel, folder: Path) -> None:
    card_path = copied(descriptor, folder)
    card_path.write_text('{"id": "x"}')
    with pytest.raises(InvalidArgument):
        ModelRepository(folder, None).at(card_path)
