"""The vectors of the built-in models, against those of independent implementations.

``golden.json`` is made by ``tests/support/golden_oracle.py`` (which see for how to make it again):
from pixels that are known without a decoder, resampled in numpy, through the same weights in
PyTorch, and for the descriptor through the graph of another hand. Here the same pictures come as
files of every kind and go the whole way through our decoder, our resampling and our graph. A lossy
file is compared with what its codec left of the picture, resampled in numpy: what it lost is lost.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from libs.images import ImageLimits
from services.embedding.card_file import read_card
from services.embedding.model import Embedding, open_embedder
from services.embedding.preprocess import tensor_of
from services.embedding.repository import StoredModel
from services.embedding.session import OnnxSession
from tests.support.golden_files import FILES, PICTURES, is_lossy, picture_in, pixels_of, seen_in
from tests.support.pictures import encoded
from tests.support.reference_pixels import resized
from tests.support.shared import SHARED, needs_shared

Vector = NDArray[np.float32]

GOLDEN: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("golden.json").read_text(encoding="utf-8")
)
PHOTOS = [name for name in GOLDEN["descriptor-714"] if name not in PICTURES]
COSINE = 0.999


@pytest.fixture(params=["lite0", "descriptor"])
def model(request: pytest.FixtureRequest) -> StoredModel:
    stored: StoredModel = request.getfixturevalue(request.param)
    return stored


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: draw() for name, draw in FILES.items()}


def golden(model: StoredModel, name: str) -> Vector:
    """The reference's answer, not normalised."""
    data = base64.b64decode(GOLDEN[model.card.id][name])
    return np.frombuffer(data, dtype="<f2").astype(np.float32)


def answers(model: StoredModel, files: list[bytes]) -> Any:
    """What the model makes of files, not normalised."""
    session = OnnxSession(model.path, model.card)
    rules = model.card.preprocessing
    tensors = (tensor_of(data, rules, ImageLimits()) for data in files)
    return [session.run(tensor[None])[0] for tensor in tensors]


def cosine(one: Vector, other: Vector) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def reference(model: StoredModel, pixels: Any) -> Any:
    """What the model makes of pixels that were resampled in numpy, not normalised."""
    rules = model.card.preprocessing
    values = (resized(pixels, rules.size, rules.filter) - rules.mean) / rules.std
    session = OnnxSession(model.path, model.card)
    return session.run(values.transpose(2, 0, 1)[None].astype(np.float32))[0]


def check(rows: dict[str, Vector], expected: dict[str, Vector]) -> None:
    """Fails with the cosine and the ratio of lengths of each that is not as ``expected``."""
    found = {
        name: (cosine(row, expected[name]), np.linalg.norm(row) / np.linalg.norm(expected[name]))
        for name, row in rows.items()
    }
    assert {
        name: (alike, longer)
        for name, (alike, longer) in found.items()
        if alike < COSINE or abs(longer - 1) > 0.01
    } == {}


def test_files_of_every_kind_have_the_vector_of_what_they_show(
    model: StoredModel, files: dict[str, bytes]
) -> None:
    exact = [name for name in files if not is_lossy(name)]
    rows = answers(model, [files[name] for name in exact])
    expected = {name: golden(model, picture_in(name)) for name in exact}
    check(dict(zip(exact, rows, strict=True)), expected)


def test_lossy_files_have_the_vector_of_what_is_left(
    model: StoredModel, files: dict[str, bytes]
) -> None:
    lossy = [name for name in files if is_lossy(name)]
    rows = answers(model, [files[name] for name in lossy])
    expected = {name: reference(model, seen_in(name, files[name])) for name in lossy}
    check(dict(zip(lossy, rows, strict=True)), expected)


@needs_shared
def test_photos_have_the_vector_of_the_reference(model: StoredModel) -> None:
    rows = answers(model, [(SHARED / "photos" / name).read_bytes() for name in PHOTOS])
    found = {name: cosine(row, golden(model, name)) for name, row in zip(PHOTOS, rows, strict=True)}
    assert min(found.values()) >= COSINE, found


def mistaken(name: str) -> Image.Image:
    """What a careless reader makes of a file."""
    meadow = Image.fromarray(pixels_of("meadow"))
    if name == "sideways":
        return meadow.transpose(Image.Transpose.ROTATE_90)
    if name == "mirrored":
        return meadow.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if name == "blue for red":
        return Image.fromarray(pixels_of("meadow")[:, :, ::-1])
    if name == "cropped":
        return meadow.crop((40, 0, 280, 240))
    return Image.eval(meadow, lambda value: 255 - value)


@pytest.mark.parametrize("mistake", ["sideways", "mirrored", "blue for red", "cropped", "negative"])
def test_the_cosine_asked_for_tells_a_mistake(model: StoredModel, mistake: str) -> None:
    row, *_ = answers(model, [encoded(mistaken(mistake))])
    assert cosine(row, golden(model, "meadow")) < COSINE


def test_the_built_in_files_are_the_same_everywhere(
    lite0: StoredModel, descriptor: StoredModel
) -> None:
    # The revision is part of every stored vector: another one means embedding everything again.
    assert (lite0.card.revision, descriptor.card.revision) == ("b972e5d55cd6", "56b5c31ea858")


@needs_shared
def test_the_descriptor_reads_pictures_as_the_reference_graph_s_card_says(
    descriptor: StoredModel,
) -> None:
    reference = read_card(SHARED / "models" / "handcrafted714.json").image
    assert reference is not None
    assert descriptor.card.preprocessing == reference.preprocessing


async def test_flat_and_tiny_pictures_have_finite_vectors(model: StoredModel) -> None:
    sizes = [(1, 1), (1, 3000), (640, 480)]
    images = [encoded(Image.new("RGB", size, "black")) for size in sizes]
    async with open_embedder(model) as embedder:
        for result in await embedder.embed_images(images):
            assert isinstance(result, Embedding)
            assert float(np.linalg.norm(result.vector)) == pytest.approx(1.0, abs=1e-5)


async def test_the_whole_way_gives_the_golden_vector_alone_and_in_company(
    model: StoredModel, files: dict[str, bytes]
) -> None:
    names = ["meadow.png", "checkers.animated.gif", "faded.png"]
    images = [files[name] for name in names] * 5
    async with open_embedder(model) as embedder:
        results = await embedder.embed_images(images)
        alone = await embedder.embed_image(images[1])
    vectors = [each.vector for each in results if isinstance(each, Embedding)]
    for name, vector in zip(names * 5, vectors, strict=True):
        assert cosine(vector, golden(model, picture_in(name))) > COSINE
    assert cosine(alone.vector, vectors[1]) == pytest.approx(1.0, abs=1e-5)
