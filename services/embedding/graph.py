"""Writing a small ONNX graph by hand: constants, nodes, its inputs, one output."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Fixed, so that the same graph has the same bytes, and thus the same revision, everywhere.
_OPSET = 13
_IR_VERSION = 8


class Graph:
    """A graph under construction. Values are known by name; each ``add`` returns a new one."""

    INPUT = "input"
    OUTPUT = "embedding"

    def __init__(self, name: str, opset: int = _OPSET) -> None:
        self._name = name
        self._opset = opset
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._scalars: dict[float, str] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Appends a node of the ONNX ``operator``; returns the name of its output."""
        from onnx import helper

        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """A named constant with the shape and type of ``values``."""
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def scalar(self, value: float) -> str:
        """A float32 constant without dimensions; equal ones are stored once."""
        if value not in self._scalars:
            self._scalars[value] = self.constant(np.array(value, dtype=np.float32))
        return self._scalars[value]

    def serialised(self, result: str, input_size: tuple[int, int], dimension: int) -> bytes:
        """The model file: float32 [N, 3, height, width] in, ``result`` as float32 [N, dimension]
        out. ``input_size`` is (width, height)."""
        from onnx import TensorProto, helper

        width, height = input_size
        floats = TensorProto.FLOAT
        pixels = helper.make_tensor_value_info(self.INPUT, floats, ["N", 3, height, width])
        return self._serialised(result, [pixels], self.OUTPUT, ["N", dimension])

    def serialised_texts(
        self, result: str, inputs: Sequence[str], output: str, dimension: int
    ) -> bytes:
        """The model file: ``inputs`` as int64 [N, T] in, ``result`` as float32 [N, T, dimension]
        by the name of ``output`` out."""
        from onnx import TensorProto, helper

        tokens = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "T"]) for name in inputs
        ]
        return self._serialised(result, tokens, output, ["N", "T", dimension])

    def _serialised(
        self, result: str, inputs: list[Any], output: str, shape: list[int | str]
    ) -> bytes:
        from onnx import TensorProto, checker, helper

        self._nodes.append(helper.make_node("Identity", [result], [output], output))
        graph = helper.make_graph(
            self._nodes,
            self._name,
            inputs,
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
            self._constants,
        )
        opset = helper.make_opsetid("", self._opset)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="colonnade")
        model.ir_version = _IR_VERSION
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
