"""Writing a small ONNX graph by hand: constants, nodes, one input, one output."""

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

    def __init__(self, name: str) -> None:
        self._name = name
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
        from onnx import TensorProto, checker, helper

        width, height = input_size
        self._nodes.append(helper.make_node("Identity", [result], [self.OUTPUT], self.OUTPUT))
        floats = TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [helper.make_tensor_value_info(self.INPUT, floats, ["N", 3, height, width])],
            [helper.make_tensor_value_info(self.OUTPUT, floats, ["N", dimension])],
            self._constants,
        )
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="colonnade")
        model.ir_version = _IR_VERSION
        checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
