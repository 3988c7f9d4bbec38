"""Small models with the signatures of real ones, made by hand: what they give can be told."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.unit.embedding.cards import changed, document, dual, text_only

VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "photo", "##s")
WIDTH, HEIGHT = 32, 24


def write_image_model(
    folder: Path,
    id: str = "test-model",
    *,
    dimension: int = 4,
    said: int | None = None,
    layout: str = "NCHW",
    open_shape: bool = False,
    **changes: Any,
) -> Path:
    """A model that gives the mean of red, green and blue, and then ones; answers its card.

    ``said`` is what the card says of the dimension instead of the truth. ``open_shape`` leaves
    every dimension of the file open, as exporters do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = _image_tower(dimension, layout, open_shape)
    (folder / f"{id}.onnx").write_bytes(content)
    said = said or dimension
    card = document(
        id=id,
        file=f"{id}.onnx",
        sha256=_digest(content),
        input__layout=layout,
        input__shape=["N", 3, HEIGHT, WIDTH] if layout == "NCHW" else ["N", HEIGHT, WIDTH, 3],
        output={"name": "embedding", "dtype": "float32", "shape": ["N", said], "dim": said},
        **changes,
    )
    return _write_card(folder, card)


def write_dual_model(folder: Path, id: str = "tiny-clip", **changes: Any) -> Path:
    """A model whose texts and images share a space: "red" is near red pictures, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    image, (text, tokenizer) = _image_tower(4, "NCHW", True), _text_files(folder, id)
    (folder / f"{id}.onnx").write_bytes(image)
    card = dual(id=id, file=f"{id}.onnx", sha256=_digest(image), text__file=f"{id}-text.onnx")
    card = changed(
        card,
        text__sha256=text,
        text__tokenizer={"file": f"{id}-tokenizer.json", "sha256": tokenizer},
        **{"text__max_tokens": 6, **changes},
    )
    return _write_card(folder, card)


def write_text_model(
    folder: Path,
    id: str = "tiny-text",
    *,
    pooling: str = "output",
    integers: int = TensorProto.INT64,
    length: int | str = "T",
    **changes: Any,
) -> Path:
    """A model for texts only, with one of the three kinds of pooling; answers its card."""
    folder.mkdir(parents=True, exist_ok=True)
    text, tokenizer = _text_files(folder, id, pooling, integers, length)
    card = text_only(
        id=id,
        text__file=f"{id}-text.onnx",
        text__sha256=text,
        text__tokenizer={"file": f"{id}-tokenizer.json", "sha256": tokenizer},
        **{"text__max_tokens": 6, "text__pooling": pooling, **changes},
    )
    return _write_card(folder, card)


def tokenizer_rules() -> dict[str, Any]:
    """A tokenizer.json with a few words."""
    ids = {token: number for number, token in enumerate(VOCABULARY)}
    frame = [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}]
    return {
        "added_tokens": [{"id": 0, "content": "[PAD]"}],
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*frame, {"SpecialToken": {"id": "[SEP]"}}],
            "special_tokens": {
                name: {"id": name, "ids": [ids[name]]} for name in ("[CLS]", "[SEP]")
            },
        },
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


def word_vectors() -> np.ndarray[Any, Any]:
    """[tokens, 4]: colours lie where the mean of such a picture lies, other tokens nowhere."""
    table = np.zeros((len(VOCABULARY), 4), np.float32)
    for channel, word in enumerate(("red", "green", "blue")):
        table[VOCABULARY.index(word), channel] = 1.0
    table[VOCABULARY.index("photo"), 3] = 1.0
    return table


def _image_tower(dimension: int, layout: str, open_shape: bool) -> bytes:
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    ones = np.ones((1, dimension - 3), np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Shape", ["mean"], ["count"], start=0, end=1),
        helper.make_node("Concat", ["count", "one"], ["target"], axis=0),
        helper.make_node("Expand", ["ones", "target"], ["rest"]),
        helper.make_node("Concat", ["mean", "rest"], ["embedding"], axis=1),
    ]
    shape = [3, HEIGHT, WIDTH] if layout == "NCHW" else [HEIGHT, WIDTH, 3]
    sides = ["channels", "height", "width"] if open_shape else shape
    floats = TensorProto.FLOAT
    return _model(
        nodes,
        [helper.make_tensor_value_info("input", floats, ["N", *sides])],
        helper.make_tensor_value_info("embedding", floats, ["N", dimension]),
        {"ones": ones, "one": np.array([1], np.int64)},
    )


def _text_tower(pooling: str, integers: int, length: int | str) -> bytes:
    """CLIP's signature: ids and mask in, ``text_embeds`` out; or the vectors of all tokens."""
    words = helper.make_node("Gather", ["table", "input_ids"], ["words"])
    mask = [
        helper.make_node("Cast", ["attention_mask"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "last"], ["column"]),
        helper.make_node("Mul", ["words", "column"], ["own"]),
        helper.make_node("ReduceSum", ["own", "middle"], ["text_embeds"], keepdims=0),
    ]
    # What stands beyond the mask must not matter: it is 9 wherever there is padding.
    noise = [
        mask[0],
        mask[1],
        helper.make_node("Sub", ["one", "column"], ["padding"]),
        helper.make_node("Mul", ["padding", "nine"], ["noise"]),
        helper.make_node("Add", ["words", "noise"], ["text_embeds"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, integers, ["N", length])
        for name in ("input_ids", "attention_mask")
    ]
    shape = ["N", 4] if pooling == "output" else ["N", length, 4]
    return _model(
        [words, *(mask if pooling == "output" else noise)],
        inputs,
        helper.make_tensor_value_info("text_embeds", TensorProto.FLOAT, shape),
        {
            "table": word_vectors(),
            "last": np.array([2], np.int64),
            "middle": np.array([1], np.int64),
            "one": np.array(1, np.float32),
            "nine": np.array(9, np.float32),
        },
    )


def _text_files(
    folder: Path,
    id: str,
    pooling: str = "output",
    integers: int = TensorProto.INT64,
    length: int | str = "T",
) -> tuple[str, str]:
    text = _text_tower(pooling, integers, length)
    tokenizer = json.dumps(tokenizer_rules()).encode()
    (folder / f"{id}-text.onnx").write_bytes(text)
    (folder / f"{id}-tokenizer.json").write_bytes(tokenizer)
    return _digest(text), _digest(tokenizer)


def _model(nodes: list[Any], inputs: list[Any], output: Any, constants: dict[str, Any]) -> bytes:
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    used = {name for node in nodes for name in node.input}
    kept = [each for each in stored if each.name in used]
    graph = helper.make_graph(nodes, "tower", inputs, [output], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def _write_card(folder: Path, card: dict[str, Any]) -> Path:
    path = folder / f"{card['id']}.json"
    path.write_text(json.dumps(card))
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
