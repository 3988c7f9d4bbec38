"""GPUs: demanded, missing, and in agreement with the processor where there is one."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from libs.errors import FailedPrecondition
from libs.images import ImageLimits
from libs.settings import UnusableSettings
from services.__main__ import main
from services.embedding.gpu import check_gpu
from services.embedding.preprocess import tensor_of
from services.embedding.repository import StoredModel
from services.embedding.session import CPU, CUDA, OnnxSession
from tests.support.pictures import checkers, encoded, speckles, waves

HAS_GPU = CUDA in onnxruntime.get_available_providers()
PICTURES = 20


@pytest.mark.skipif(HAS_GPU, reason="this runtime has CUDA")
def test_a_gpu_that_is_demanded_and_missing_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("services.__main__.set_up_logging", lambda *_: None)
    monkeypatch.setenv("COLONNADE_EMBEDDING__REQUIRE_GPU", "true")
    monkeypatch.setenv("COLONNADE_BLOBS__URL", f"file://{tmp_path}/blobs")
    monkeypatch.setenv("COLONNADE_GRPC__PORT", "0")
    assert main(["--target=embedding", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "embedding.require_gpu is set, but there is no GPU that works" in said
    assert "install onnxruntime-gpu" in said


@pytest.mark.skipif(HAS_GPU, reason="this runtime has CUDA")
@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_gpu_that_does_not_work_leaves_the_work_to_the_processor(
    descriptor: StoredModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # What a runtime built for CUDA says on a machine without its libraries.
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    assert OnnxSession(descriptor.path, descriptor.card).provider == CPU
    assert "the processor computes" in caplog.text
    with pytest.raises(FailedPrecondition) as raised:
        OnnxSession(descriptor.path, descriptor.card, require_gpu=True)
    assert raised.value.reason == "GPU_REQUIRED"
    with pytest.raises(UnusableSettings, match="no GPU that works"):
        check_gpu()


@pytest.mark.skipif(not HAS_GPU, reason="this runtime has no CUDA")
@pytest.mark.parametrize("name", ["lite0", "descriptor"])
def test_gpu_and_processor_agree(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: StoredModel = request.getfixturevalue(name)
    made = [waves(), checkers(), speckles()]
    pictures = [encoded(made[place % 3].rotate(7 * place)) for place in range(PICTURES)]
    rules = model.card.preprocessing
    batch = np.stack([tensor_of(picture, rules, ImageLimits()) for picture in pictures])
    on_gpu = OnnxSession(model.path, model.card, require_gpu=True)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    on_processor = OnnxSession(model.path, model.card)
    assert (on_gpu.provider, on_processor.provider) == (CUDA, CPU)
    for one, other in zip(on_gpu.run(batch), on_processor.run(batch), strict=True):
        cosine = float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other))
        assert cosine >= 0.999
