"""Whether there is a GPU that computes."""

import numpy as np

from libs.settings import UnusableSettings
from services.embedding.graph import Graph
from services.embedding.session import CUDA


def check_gpu() -> None:
    """A real inference on the GPU; seconds where there is one. Blocks.

    Raises ``UnusableSettings`` if there is none, or none that works.
    """
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        raise _required("this build of onnxruntime has no CUDA: install onnxruntime-gpu")
    graph = Graph("trial")
    pixel = graph.add("Flatten", graph.add("Neg", graph.INPUT), axis=1)
    try:
        session = onnxruntime.InferenceSession(graph.serialised(pixel, (1, 1), 3), providers=[CUDA])
        session.run(None, {graph.INPUT: np.zeros((1, 3, 1, 1), np.float32)})
    except Exception as error:  # the runtime's exceptions have no common public base
        raise _required(f"a trial failed: {error}") from error
    if session.get_providers()[0] != CUDA:
        raise _required("CUDA or its libraries cannot be loaded, see the log of onnxruntime")


def _required(why: str) -> UnusableSettings:
    return UnusableSettings(
        f"embedding.require_gpu is set, but there is no GPU that works: {why}; or unset it"
    )
