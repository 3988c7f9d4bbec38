"""Texts: towers with CLIP's signature, kinds of pooling, n-grams, and the network for sentences."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from PIL import Image

from libs.errors import FailedPrecondition
from services.embedding import minilm
from services.embedding.cache import ResultCache
from services.embedding.card_file import read_card
from services.embedding.fairness import Lane, Turn
from services.embedding.model import EmbedderOptions, Workshop
from services.embedding.opened import OpenedModel, open_model
from services.embedding.registry import NGRAMS, Listed
from services.embedding.repository import ModelRepository
from services.embedding.text import TextEmbedder, TextEmbedding
from tests.integration.embedding.towers import (
    VOCABULARY,
    word_vectors,
    write_dual_model,
    write_text_model,
)
from tests.support.pictures import encoded

Floats = NDArray[np.float32]
# Of the first text below, by the rules for n-grams.
GOLDEN_PLACES = [303, 963, 2434, 2635, 2937, 3032]
GOLDEN_VALUE = -0.2357023


@asynccontextmanager
async def opened(card_path: Path) -> AsyncIterator[OpenedModel]:
    card = read_card(card_path)
    async with opened_as(Listed(card.id, card, card_path.parent)) as model:
        yield model


@asynccontextmanager
async def opened_as(listed: Listed) -> AsyncIterator[OpenedModel]:
    with closing(Workshop(1)) as workshop:
        async with open_model(listed, EmbedderOptions(threads=1), workshop) as model:
            yield model


async def vectors(embedder: TextEmbedder | None, texts: list[str]) -> list[Floats]:
    assert embedder is not None
    results = await embedder.embed_texts(texts)
    found = [each for each in results if isinstance(each, TextEmbedding)]
    assert len(found) == len(texts)
    return [each.embedding.vector for each in found]


def expected(*words: str) -> Floats:
    """The unit sum of the vectors of words."""
    total = sum(word_vectors()[VOCABULARY.index(word)] for word in words)
    return np.asarray(total / np.linalg.norm(total), np.float32)


async def test_texts_and_images_of_a_dual_model_share_a_space(tmp_path: Path) -> None:
    async with opened(write_dual_model(tmp_path)) as model:
        assert model.images is not None
        pictures = [
            await model.images.embed_image(encoded(Image.new("RGB", (40, 30), colour)))
            for colour in ("red", "lime", "blue")
        ]
        found = await vectors(model.texts, ["red", "a green photo", "Blue!"])
        assert model.texts is not None
        text = (await model.texts.embed_text("red")).embedding
    closeness = np.array([each.vector for each in pictures]) @ np.array(found).T
    assert closeness.argmax(axis=0).tolist() == [0, 1, 2]
    image = pictures[0]
    assert (text.model, text.revision, text.fingerprint, text.dimension) == (
        image.model,
        image.revision,
        image.fingerprint,
        image.dimension,
    )


async def test_what_another_part_for_texts_gave_is_not_taken_for_its_own(tmp_path: Path) -> None:
    found: list[list[float]] = []
    with closing(Workshop(1, ResultCache(1 << 20))) as workshop:
        for max_tokens in (6, 3):
            path = write_dual_model(tmp_path, text__max_tokens=max_tokens)
            card = read_card(path)
            listed = Listed(card.id, card, tmp_path)
            async with open_model(listed, EmbedderOptions(threads=1), workshop) as model:
                found += [vector.tolist() for vector in await vectors(model.texts, ["red green"])]
    assert found[0] == pytest.approx(expected("red", "green").tolist())
    assert found[1] == pytest.approx(expected("red").tolist())


async def test_a_text_is_known_under_the_part_for_images_that_its_vector_names(
    tmp_path: Path,
) -> None:
    with closing(Workshop(1, ResultCache(1 << 20))) as workshop:
        for mean in (127.5, 120.0):
            card = read_card(write_dual_model(tmp_path, input__mean=[mean] * 3))
            listed = Listed(card.id, card, tmp_path)
            async with open_model(listed, EmbedderOptions(threads=1), workshop) as model:
                assert model.texts is not None
                result = await model.texts.embed_text("red")
            assert result.embedding.fingerprint == card.fingerprint


@pytest.mark.parametrize("pooling", ["output", "mean"])
async def test_texts_of_any_length_share_a_batch_and_padding_counts_for_nothing(
    tmp_path: Path, pooling: str
) -> None:
    async with opened(write_text_model(tmp_path, pooling=pooling)) as model:
        texts = ["red", "red green blue", "photo reds", "blue photo"] * 5
        together = await vectors(model.texts, texts)
        alone = [(await vectors(model.texts, [text]))[0] for text in texts[:4]]
    words = [("red",), ("red", "green", "blue"), ("photo", "red"), ("blue", "photo")] * 5
    for place, vector in enumerate(together):
        assert vector == pytest.approx(expected(*words[place]), abs=1e-6)
        assert vector == pytest.approx(alone[place % 4], abs=1e-6)


async def test_the_first_token_may_stand_for_the_text(tmp_path: Path) -> None:
    # The vector of [CLS] is zero in this model: nothing that can be compared.
    async with opened(write_text_model(tmp_path, pooling="cls")) as model:
        assert model.texts is not None
        (result,) = await model.texts.embed_texts(["red"])
    assert isinstance(result, FailedPrecondition)
    assert result.reason == "UNUSABLE_VECTOR"


async def test_a_model_may_want_small_integers_and_one_length(tmp_path: Path) -> None:
    path = write_text_model(
        tmp_path, integers=TensorProto.INT32, length=6, text__padding="max", text__max_tokens=6
    )
    async with opened(path) as model:
        (vector,) = await vectors(model.texts, ["green"])
    assert vector == pytest.approx(expected("green"), abs=1e-6)


async def test_what_is_longer_than_the_model_reads_is_cut_and_told(tmp_path: Path) -> None:
    async with opened(write_text_model(tmp_path)) as model:
        assert model.texts is not None
        results = await model.texts.embed_texts(["red " * 4, "red " * 4 + "green " * 40])
    found = [each for each in results if isinstance(each, TextEmbedding)]
    assert [each.truncated for each in found] == [False, True]
    assert found[0].embedding.vector == pytest.approx(found[1].embedding.vector)


async def test_one_bad_text_does_not_fail_the_others(tmp_path: Path) -> None:
    async with opened(write_text_model(tmp_path)) as model:
        assert model.texts is not None
        first, second, third = await model.texts.embed_texts(["red", "nothing known", "blue"])
    assert isinstance(second, FailedPrecondition)
    assert (second.reason, second.metadata) == ("UNUSABLE_VECTOR", {"model": "tiny-text"})
    assert isinstance(first, TextEmbedding)
    assert isinstance(third, TextEmbedding)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"text__inputs": {"ids": "tokens", "mask": "attention_mask"}}, "has no 'tokens'"),
        ({"text__inputs": {"ids": "input_ids"}}, "does not run"),
        ({"text__output": "embeddings"}, "has no 'embeddings'"),
        ({"text__dim": 5}, "the card says"),
        ({"text__pooling": "mean"}, "the card says"),
    ],
)
async def test_a_tower_that_does_not_fit_its_card_is_refused(
    tmp_path: Path, changes: dict[str, Any], text: str
) -> None:
    path = write_text_model(tmp_path, **changes)
    with pytest.raises(FailedPrecondition, match=text) as raised:
        async with opened(path):
            pass
    assert raised.value.reason == "MODEL_NOT_READY"


async def test_without_a_network_the_same_words_are_near_each_other() -> None:
    texts = ["A dog on the beach", "dogs at the beach", "quarterly tax report"]
    async with opened_as(Listed(NGRAMS.id, NGRAMS)) as model:
        assert model.images is None
        dog, dogs, tax = await vectors(model.texts, texts)
        assert model.texts is not None
        (nothing,) = await model.texts.embed_texts(["the"])
        result = await model.texts.embed_text("a dog " * 5000)
    assert float(dog @ dogs) > 0.5 > float(dog @ tax)
    assert isinstance(nothing, FailedPrecondition)
    assert (result.truncated, result.embedding.dimension) == (False, NGRAMS.dimension)
    # Vectors may be kept: whoever changes the rules has to raise NGRAMS' version.
    assert np.flatnonzero(dog)[:6].tolist() == GOLDEN_PLACES
    assert dog[GOLDEN_PLACES[0]] == pytest.approx(GOLDEN_VALUE, abs=1e-6)


def random_weights() -> dict[str, Floats]:
    """Weights of the network's shape, but with few words."""
    numbers = np.random.default_rng(7)

    def made(*shape: int) -> Floats:
        return (numbers.standard_normal(shape) * 0.05).astype(np.float32)

    width, inner = minilm.DIMENSION, 1536
    weights = {
        "embeddings.word_embeddings.weight": made(20, width),
        "embeddings.position_embeddings.weight": made(512, width),
        "embeddings.token_type_embeddings.weight": made(2, width),
    }
    shapes = {
        "attention.self.query": (width, width),
        "attention.self.key": (width, width),
        "attention.self.value": (width, width),
        "attention.output.dense": (width, width),
        "intermediate.dense": (inner, width),
        "output.dense": (width, inner),
    }
    norms = ["embeddings"]
    for layer in range(6):
        prefix = f"encoder.layer.{layer}"
        norms += [f"{prefix}.attention.output", f"{prefix}.output"]
        for name, shape in shapes.items():
            weights[f"{prefix}.{name}.weight"] = made(*shape)
            weights[f"{prefix}.{name}.bias"] = made(shape[0])
    for name in norms:
        weights[f"{name}.LayerNorm.weight"] = 1 + made(width)
        weights[f"{name}.LayerNorm.bias"] = made(width)
    return weights


def reference(weights: dict[str, Floats], ids: list[int]) -> Floats:
    """BERT as its paper has it, for one text without padding."""

    def linear(value: Floats, name: str) -> Floats:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(value: Floats, name: str) -> Floats:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]

    table = weights["embeddings.word_embeddings.weight"]
    places = weights["embeddings.position_embeddings.weight"][: len(ids)]
    kind = weights["embeddings.token_type_embeddings.weight"][0]
    value = norm(table[ids] + places + kind, "embeddings")
    for layer in range(6):
        prefix = f"encoder.layer.{layer}"
        parts = [linear(value, f"{prefix}.attention.self.{n}") for n in ("query", "key", "value")]
        heads = []
        for head in range(12):
            query, key, content = (part[:, head * 32 : head * 32 + 32] for part in parts)
            scores = query @ key.T / math.sqrt(32)
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(shares / shares.sum(-1, keepdims=True) @ content)
        mixed = linear(np.concatenate(heads, axis=1), f"{prefix}.attention.output.dense")
        value = norm(mixed + value, f"{prefix}.attention.output")
        wide = linear(value, f"{prefix}.intermediate.dense")
        risen = np.vectorize(math.erf, otypes=[np.float32])(wide / math.sqrt(2))
        narrow = linear(0.5 * wide * (1 + risen), f"{prefix}.output.dense")
        value = norm(narrow + value, f"{prefix}.output")
    return value


def test_the_network_for_sentences_computes_what_its_paper_says() -> None:
    weights = random_weights()
    session = onnxruntime.InferenceSession(
        minilm.build_minilm(weights), providers=["CPUExecutionProvider"]
    )
    texts = [[2, 5, 9, 3], [2, 7, 3]]
    ids = np.array([texts[0], [*texts[1], 11]])
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    (found,) = session.run(None, {minilm.IDS: ids, minilm.MASK: mask})
    for row, text in zip(found, texts, strict=True):
        assert row[: len(text)] == pytest.approx(reference(weights, text), abs=2e-5)


async def test_the_installed_network_gives_its_published_vectors(tmp_path: Path) -> None:
    package = minilm.find_minilm()
    if package is None:
        pytest.skip("the package of the network for texts is not installed")
    repository = ModelRepository(tmp_path, None, package)
    card = repository.built_in_text()
    assert card is not None
    texts = ["This is an example sentence", "Each sentence is converted", "sentence " * 400]
    async with opened_as(Listed(card.id, card, tmp_path)) as model:
        assert model.texts is not None
        results = await model.texts.embed_texts(texts)
    found = [each for each in results if isinstance(each, TextEmbedding)]
    assert [each.truncated for each in found] == [False, False, True]
    # The model card on the hub prints these.
    assert found[0].embedding.vector[:4] == pytest.approx(
        [0.0676569, 0.0634959, 0.0487131, 0.0793050], abs=1e-6
    )
    assert found[1].embedding.vector[:3] == pytest.approx(
        [0.0864386, 0.1027627, 0.0053946], abs=1e-6
    )


async def test_a_short_text_of_a_person_has_the_vector_that_it_has_in_bulk() -> None:
    listed, text = Listed(NGRAMS.id, NGRAMS), "a quiet street in the evening"
    found = []
    for lane in Lane:
        with closing(Workshop(1, ResultCache(0))) as workshop:
            async with open_model(listed, EmbedderOptions(threads=1), workshop) as model:
                assert model.texts is not None
                found.append(await model.texts.embed_text(text, Turn(lane)))
    one, other = (each.embedding.vector for each in found)
    assert np.array_equal(one, other)
