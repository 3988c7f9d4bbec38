"""Detectors and classifiers made by hand: what they find can be told from the picture."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

_SIDE = 16


def write_classifier(folder: Path, id: str = "brightness", **changes: Any) -> Path:
    """Tells ``bright`` from ``dark`` pictures; answers its card."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["bright"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Neg", ["bright"], ["dark"]),
        helper.make_node("Unsqueeze", ["bright", "one"], ["a"]),
        helper.make_node("Unsqueeze", ["dark", "one"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["scores"], axis=1),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])]
    content = _model(nodes, outputs, {"one": np.array([1], np.int64)})
    card = {"kind": "classifier", "operation": "classification", "labels": ["bright", "dark"]}
    return _write(folder, id, content, {**card, "scores": "scores", **changes})


def write_frail_classifier(folder: Path, id: str = "frail") -> Path:
    """Tells black pictures, and the runtime raises on all that are bright; answers its card."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["bright"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Cast", ["bright"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["only_row", "row"], ["scores"], axis=0),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])]
    content = _model(nodes, outputs, {"only_row": np.array([[1.0, 0.0]], np.float32)})
    card = {"kind": "classifier", "operation": "classification", "labels": ["black", "other"]}
    return _write(folder, id, content, {**card, "scores": "scores"})


def write_listing_classifier(folder: Path, id: str = "listing") -> Path:
    """Its scores are in a list, as some tools that write models have it; answers its card."""
    node = helper.make_node("SequenceConstruct", ["input"], ["scores"])
    shape = ["N", 3, _SIDE, _SIDE]
    outputs = [helper.make_tensor_sequence_value_info("scores", TensorProto.FLOAT, shape)]
    card = {"kind": "classifier", "operation": "classification", "labels": ["a"]}
    return _write(folder, id, _model([node], outputs, {}), {**card, "scores": "scores"})


def write_detector(folder: Path, id: str = "faces", **changes: Any) -> Path:
    """Finds a ``face`` in the upper left quarter of bright pictures; answers its card."""
    boxes = np.array([[[0.0, 0.0, 0.5, 0.5], [0.01, 0.0, 0.5, 0.5]]], np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["bright"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["bright", "shape"], ["score"]),
        helper.make_node("Concat", ["score", "score"], ["twice"], axis=1),
        helper.make_node("Unsqueeze", ["twice", "two"], ["face"]),
        helper.make_node("Neg", ["face"], ["nothing"]),
        helper.make_node("Concat", ["nothing", "face"], ["scores"], axis=2),
        helper.make_node("Identity", ["fixed"], ["boxes"]),
    ]
    floats = TensorProto.FLOAT
    outputs = [
        helper.make_tensor_value_info("scores", floats, ["N", 2, 2]),
        helper.make_tensor_value_info("boxes", floats, [1, 2, 4]),
    ]
    constants = {
        "shape": np.array([-1, 1], np.int64),
        "two": np.array([2], np.int64),
        "fixed": boxes,
    }
    card = {"kind": "detector", "operation": "faces", "labels": ["", "face"], "boxes": "boxes"}
    content = _model(nodes, outputs, constants)
    return _write(folder, id, content, {**card, "scores": "scores", **changes})


def _model(nodes: list[Any], outputs: list[Any], constants: dict[str, Any]) -> bytes:
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, _SIDE, _SIDE])]
    graph = helper.make_graph(
        nodes,
        "test",
        inputs,
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def _write(folder: Path, id: str, content: bytes, card: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{id}.onnx").write_bytes(content)
    path = folder / f"{id}.json"
    common = {
        "id": id,
        "file": f"{id}.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "CC0-1.0",
        "source": "made by hand",
        "input": {
            "name": "input",
            "size": [_SIDE, _SIDE],
            "mean": [0.0, 0.0, 0.0],
            "std": [255.0, 255.0, 255.0],
        },
    }
    path.write_text(json.dumps({**common, **card}))
    return path
