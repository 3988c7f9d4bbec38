"""The seam between a model and what computes it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from libs.errors import FailedPrecondition
from services.embedding.card import ImageCard

log = logging.getLogger(__name__)

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
FLOATS = ("tensor(float)",)

Floats = NDArray[np.float32]
Feed = dict[str, NDArray[Any]]


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
    """A model for images in ONNX Runtime: on CUDA where that works, else on the processor."""

    def __init__(
        self, path: Path, card: ImageCard, *, threads: int = 1, require_gpu: bool = False
    ) -> None:
        """Loads ``path`` and checks its input and output against ``card``.

        ``threads`` compute one batch. Raises ``FailedPrecondition`` with reason GPU_REQUIRED or
        MODEL_NOT_READY.
        """
        self._card = card
        self._session = open_onnx(path, self._trial(), threads=threads, require_gpu=require_gpu)
        self._check_signature()
        check_result(card.file, self._session, card.output_name, self._trial(), [card.dimension])

    @property
    def provider(self) -> str:
        """The first execution provider, which computes whatever it can."""
        return provider_of(self._session)

    def run(self, batch: Floats) -> Floats:
        """See ``Session.run``."""
        if self._card.layout == "NHWC":
            batch = np.ascontiguousarray(batch.transpose(0, 2, 3, 1))
        outputs = self._session.run([self._card.output_name], {self._card.input_name: batch})
        return cast(Floats, outputs[0])

    def _trial(self) -> Feed:
        return {self._card.input_name: np.zeros((1, *self._shape()), np.float32)}

    def _shape(self) -> list[int]:
        width, height = self._card.preprocessing.size
        return [3, height, width] if self._card.layout == "NCHW" else [height, width, 3]

    def _check_signature(self) -> None:
        file, dimension = self._card.file, self._card.dimension
        check_value(file, self._session.get_inputs(), self._card.input_name, FLOATS, self._shape())
        check_value(file, self._session.get_outputs(), self._card.output_name, FLOATS, [dimension])


def open_onnx(path: Path, trial: Feed, *, threads: int, require_gpu: bool = False) -> Any:
    """The model file ``path`` in ONNX Runtime.

    CUDA is taken if the runtime offers it and ``trial`` passes there: libraries may be missing, or
    the memory of the GPU full. Raises ``FailedPrecondition`` (GPU_REQUIRED, MODEL_NOT_READY).
    """
    session = _on_gpu(path, trial, threads)
    if session is not None:
        return session
    if require_gpu:
        raise FailedPrecondition(
            "a GPU is required but there is none that works: install onnxruntime-gpu and its CUDA "
            "libraries, or set require_gpu to false",
            reason="GPU_REQUIRED",
        )
    return _load(path, [CPU], threads)


def provider_of(session: Any) -> str:
    """The first execution provider of an ONNX Runtime session."""
    return str(session.get_providers()[0])


def check_value(
    file: str, values: Any, name: str, types: tuple[str, ...], shape: Sequence[int | None]
) -> None:
    """Whether ``name`` is among the inputs or outputs ``values``, with one of ``types``, a free
    batch dimension and then ``shape``, where None is any number. What the file leaves open passes.

    Raises ``FailedPrecondition`` (MODEL_NOT_READY).
    """
    by_name = {value.name: value for value in values}
    value = by_name.get(name)
    if value is None:
        raise _mismatch(file, f"it has no {name!r} but {sorted(by_name)}")
    if value.type not in types or not value.shape or isinstance(value.shape[0], int):
        wanted = " or ".join(types)
        raise _mismatch(file, f"{name!r} must be {wanted} with a free batch dimension")
    found = value.shape[1:]
    if len(found) != len(shape) or any(
        wanted is not None and isinstance(side, int) and wanted != side
        for wanted, side in zip(shape, found, strict=True)
    ):
        said = ["N", *("any" if side is None else side for side in shape)]
        raise _mismatch(file, f"{name!r} has shape {value.shape}, the card says {said}")


def check_result(
    file: str, session: Any, name: str, trial: Feed, shape: Sequence[int | None]
) -> None:
    """Whether an inference on ``trial``, of one item, gives ``name`` with ``shape``.

    Raises ``FailedPrecondition`` (MODEL_NOT_READY).
    """
    try:
        (result,) = session.run([name], trial)
    except Exception as error:  # the runtime's exceptions have no common public base
        raise _mismatch(file, f"it does not run: {error}") from error
    found = list(result.shape[1:])
    if len(found) != len(shape) or any(
        wanted not in (None, side) for wanted, side in zip(shape, found, strict=True)
    ):
        raise _mismatch(file, f"{name!r} has shape {found} for one item, the card says {[*shape]}")


def _load(path: Path, providers: list[str], threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads steal the cores from decoding and from every other process.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # the runtime's exceptions have no common public base
        raise FailedPrecondition(
            f"the model file {path.name} cannot be loaded: {error}", reason="MODEL_NOT_READY"
        ) from error


def _on_gpu(path: Path, trial: Feed, threads: int) -> Any:
    """The model on the GPU; None if there is none that works."""
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        return None
    try:
        session = _load(path, [CUDA, CPU], threads)
        if provider_of(session) == CUDA:
            session.run(None, trial)
            return session
    except Exception as error:  # as above
        log.warning("%s does not run on the GPU: %s", path.name, error)
        return None
    log.warning("CUDA or its libraries cannot be loaded; the processor computes")
    return None


def _mismatch(file: str, text: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the model file {file} does not fit its card: {text}", reason="MODEL_NOT_READY"
    )
