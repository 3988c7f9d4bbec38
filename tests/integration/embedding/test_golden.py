"""The vectors of the built-in models, against those of independent implementations.

``golden.json`` holds, for the network, what PyTorch made of the same weights, and for the
descriptor what the shared reference graph makes of the same pixels: the length before
normalisation, the first 16 numbers after it, and the product with cos(0), cos(1), ….
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from libs.images import ImageLimits
from services.embedding.card import read_card
from services.embedding.model import Embedding, open_embedder
from services.embedding.preprocess import tensor_of
from services.embedding.repository import StoredModel
from services.embedding.session import OnnxSession
from tests.support.pictures import checkers, encoded, speckles, waves
from tests.support.shared import SHARED, needs_shared

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("golden.json").read_text(encoding="utf-8")
)
MADE = {"waves": waves, "checkers": checkers, "speckles": speckles}


@pytest.fixture(params=["lite0", "descriptor"])
def model(request: pytest.FixtureRequest) -> StoredModel:
    stored: StoredModel = request.getfixturevalue(request.param)
    return stored


def content(name: str) -> bytes:
    return encoded(MADE[name]()) if name in MADE else (SHARED / "photos" / name).read_bytes()


def check(model: StoredModel, names: list[str]) -> None:
    session = OnnxSession(model.path, model.card)
    rules = model.card.preprocessing
    batch = np.stack([tensor_of(content(name), rules, ImageLimits()) for name in names])
    for name, row in zip(names, session.run(batch), strict=True):
        expected = GOLDEN[model.card.id][name]
        length = float(np.linalg.norm(row))
        unit = row / length
        assert length == pytest.approx(expected["length"], rel=5e-3), name
        assert unit[:16] == pytest.approx(expected["first16"], abs=2e-3), name
        projection = float(unit @ np.cos(np.arange(len(unit))))
        assert projection == pytest.approx(expected["projection"], abs=5e-3), name


def test_made_pictures_have_their_golden_vectors(model: StoredModel) -> None:
    check(model, list(MADE))


@needs_shared
def test_shared_photos_have_their_golden_vectors(model: StoredModel) -> None:
    check(model, [name for name in GOLDEN[model.card.id] if name not in MADE])


def test_the_built_in_files_are_the_same_everywhere(
    lite0: StoredModel, descriptor: StoredModel
) -> None:
    # The revision is part of every stored vector: another one means embedding everything again.
    assert (lite0.card.revision, descriptor.card.revision) == ("b972e5d55cd6", "56b5c31ea858")


@needs_shared
def test_the_descriptor_agrees_with_the_reference_graph(descriptor: StoredModel) -> None:
    reference = ModelPair(descriptor)
    for name in ("travel/house.jpg", "awkward/black.png", "awkward/single-colour.jpg"):
        ours, theirs = reference.vectors(content(name))
        assert float(ours @ theirs) == pytest.approx(1.0, abs=1e-5)


class ModelPair:
    """The descriptor made here and the shared one."""

    def __init__(self, descriptor: StoredModel) -> None:
        shared = read_card(SHARED / "models" / "handcrafted714.json")
        self._rules = descriptor.card.preprocessing
        self._ours = OnnxSession(descriptor.path, descriptor.card)
        self._theirs = OnnxSession(SHARED / "models" / shared.file, shared)
        assert shared.preprocessing == self._rules

    def vectors(self, data: bytes) -> tuple[Any, Any]:
        batch = tensor_of(data, self._rules, ImageLimits())[None]
        return self._ours.run(batch)[0], self._theirs.run(batch)[0]


async def test_flat_and_tiny_pictures_have_finite_vectors(model: StoredModel) -> None:
    sizes = [(1, 1), (1, 3000), (640, 480)]
    images = [encoded(Image.new("RGB", size, "black")) for size in sizes]
    async with open_embedder(model) as embedder:
        for result in await embedder.embed_images(images):
            assert isinstance(result, Embedding)
            assert float(np.linalg.norm(result.vector)) == pytest.approx(1.0, abs=1e-5)


async def test_the_whole_way_gives_the_golden_vector_alone_and_in_company(
    model: StoredModel,
) -> None:
    images = [content(name) for name in MADE] * 5
    async with open_embedder(model) as embedder:
        results = await embedder.embed_images(images)
        alone = await embedder.embed_image(images[1])
    vectors = [each.vector for each in results if isinstance(each, Embedding)]
    for position, name in enumerate(list(MADE) * 5):
        expected = GOLDEN[model.card.id][name]["first16"]
        assert vectors[position][:16] == pytest.approx(expected, abs=2e-3)
    assert float(alone.vector @ vectors[1]) == pytest.approx(1.0, abs=1e-5)
