"""ONNX Runtime behind the session: signatures, providers, batches."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from libs.errors import FailedPrecondition
from services.embedding.model import EmbedderOptions, open_embedder
from services.embedding.repository import ModelRepository, StoredModel
from services.embedding.session import OnnxSession
from tests.support.pictures import encoded, waves
from tests.support.shared import SHARED, needs_shared

HAS_GPU = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def test_a_batch_gives_what_its_images_give_alone(descriptor: StoredModel) -> None:
    session = OnnxSession(descriptor.path, descriptor.card)
    batch = np.random.default_rng(3).random((5, 3, 128, 128), dtype=np.float32)
    together = session.run(batch)
    assert (together.shape, together.dtype) == ((5, 714), np.dtype("float32"))
    for position in range(5):
        alone = session.run(batch[position : position + 1])[0]
        assert alone == pytest.approx(together[position], abs=1e-5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"input_name": "pixels"}, "has no 'pixels'"),
        ({"output_name": "features"}, "has no 'features'"),
        ({"dimension": 715}, "the card says"),
    ],
)
def test_a_file_that_does_not_fit_its_card_is_refused(
    descriptor: StoredModel, change: dict[str, Any], text: str
) -> None:
    card = dataclasses.replace(descriptor.card, **change)
    with pytest.raises(FailedPrecondition, match=text) as raised:
        OnnxSession(descriptor.path, card)
    assert raised.value.reason == "MODEL_NOT_READY"


def test_a_file_that_is_no_model_is_refused(descriptor: StoredModel, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(FailedPrecondition, match="cannot be loaded"):
        OnnxSession(path, descriptor.card)


@pytest.mark.skipif(HAS_GPU, reason="this runtime has CUDA")
def test_without_a_gpu_the_processor_computes_unless_a_gpu_is_required(
    descriptor: StoredModel,
) -> None:
    assert OnnxSession(descriptor.path, descriptor.card).provider == "CPUExecutionProvider"
    with pytest.raises(FailedPrecondition) as raised:
        OnnxSession(descriptor.path, descriptor.card, require_gpu=True)
    assert raised.value.reason == "GPU_REQUIRED"


async def test_an_open_embedder_has_proven_itself(
    descriptor: StoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.embedding.model._PROOF_SECONDS", 3600.0)
    sizes: list[int] = []
    async with open_embedder(
        descriptor, EmbedderOptions(threads=1), lambda report: sizes.append(report.size)
    ) as embedder:
        assert sum(sizes) == 1 + 8
        assert embedder.provider in ("CPUExecutionProvider", "CUDAExecutionProvider")
        await embedder.probe(timeout=60)
        assert sum(sizes) == 9


@needs_shared
@pytest.mark.parametrize("name", ["mobilenet-v2-1.0-224", "squeezenet-1.1-224"])
async def test_models_of_other_kinds_run_from_their_cards(name: str) -> None:
    model = ModelRepository(Path("unused"), None).at(SHARED / "models" / f"{name}.json")
    async with open_embedder(model) as embedder:
        result = await embedder.embed_image(encoded(waves()))
    assert (result.model, result.vector.shape) == (name, (model.card.dimension,))
