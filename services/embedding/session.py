"""The seam between a model and what computes it."""

from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from libs.errors import FailedPrecondition
from services.embedding.card import ModelCard

_PREFERRED = ("CUDAExecutionProvider", "CPUExecutionProvider")

Floats = NDArray[np.float32]


class Session(Protocol):
    """A loaded model. ``run`` blocks and may be called from several threads at once."""

    @property
    def provider(self) -> str:
        """What it runs on, such as ``CPUExecutionProvider``."""
        ...

    def run(self, batch: Floats) -> Floats:
        """[n, 3, height, width] to [n, dimension], not normalised."""
        ...


class OnnxSession:
    """A model in ONNX Runtime: on CUDA where the installed build and the machine allow it."""

    def __init__(
        self, path: Path, card: ModelCard, *, threads: int = 1, require_gpu: bool = False
    ) -> None:
        """Loads ``path`` and checks its input and output against ``card``.

        ``threads`` compute one batch. Raises ``FailedPrecondition`` with reason GPU_REQUIRED or
        MODEL_NOT_READY.
        """
        self._card = card
        self._session = _load(path, threads, require_gpu)
        self._check_signature()

    @property
    def provider(self) -> str:
        """The first execution provider, which computes whatever it can."""
        return str(self._session.get_providers()[0])

    def run(self, batch: Floats) -> Floats:
        """See ``Session.run``."""
        outputs = self._session.run([self._card.output_name], {self._card.input_name: batch})
        return cast(Floats, outputs[0])

    def _check_signature(self) -> None:
        width, height = self._card.preprocessing.size
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        _check(inputs, self._card.input_name, [3, height, width], self._card)
        _check(outputs, self._card.output_name, [self._card.dimension], self._card)


def _load(path: Path, threads: int, require_gpu: bool) -> Any:
    import onnxruntime

    available = onnxruntime.get_available_providers()
    providers = [provider for provider in _PREFERRED if provider in available]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads steal the cores from decoding and from every other process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # the runtime's exceptions have no common public base
        raise FailedPrecondition(
            f"the model file {path.name} cannot be loaded: {error}", reason="MODEL_NOT_READY"
        ) from error
    if require_gpu and session.get_providers()[0] != _PREFERRED[0]:
        raise FailedPrecondition(
            "a GPU is required but the runtime has none: install onnxruntime-gpu and its CUDA "
            "libraries, or set require_gpu to false",
            reason="GPU_REQUIRED",
        )
    return session


def _check(values: dict[str, Any], name: str, shape: list[int], card: ModelCard) -> None:
    value = values.get(name)
    if value is None:
        raise _mismatch(card, f"it has no {name!r} but {sorted(values)}")
    if value.type != "tensor(float)" or isinstance(value.shape[0], int):
        raise _mismatch(card, f"{name!r} must be float32 with a free batch dimension")
    if value.shape[1:] != shape:
        raise _mismatch(card, f"{name!r} has shape {value.shape}, the card says {['N', *shape]}")


def _mismatch(card: ModelCard, text: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the model file {card.file} does not fit its card: {text}", reason="MODEL_NOT_READY"
    )
