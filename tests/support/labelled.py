"""A small labelled set of drawn photos, and tiny models to look at them with."""

import hashlib
import json
from pathlib import Path

from PIL import Image, ImageEnhance

from services.embedding.graph import Graph
from tests.support.pictures import encoded, meadow
from tests.unit.embedding.cards import document

SIDE = 32
SIZE = (96, 80)
# Two of them differ only in where they are bright, which a mean colour cannot tell.
LABELS = ("sky", "grass", "sunset", "left", "right")


def drawn(label: str, number: int) -> Image.Image:
    """One of six pictures of a label; they differ in texture, brightness and size."""
    texture = meadow(*SIZE).transpose(Image.Transpose(number % 6))
    texture = texture.resize((SIZE[0] + 7 * number, SIZE[1]))
    colours = {"sky": (70, 130, 230), "grass": (60, 160, 50), "sunset": (230, 110, 50)}
    flat = Image.new("RGB", texture.size, colours.get(label, (30, 30, 30)))
    if label in ("left", "right"):
        half = texture.width // 2
        flat.paste(
            "white",
            (
                0 if label == "left" else half,
                0,
                half if label == "left" else texture.width,
                texture.height,
            ),
        )
    mixed = Image.blend(flat, texture, 0.35)
    return ImageEnhance.Brightness(mixed).enhance(0.8 + 0.08 * number)


def write_photos(root: Path) -> Path:
    """The bundled set: five labels with six photos each, in subfolders of ``root``."""
    for label in LABELS:
        (root / label).mkdir()
        for number in range(6):
            (root / label / f"{number}.png").write_bytes(encoded(drawn(label, number)))
    return root


def write_model(folder: Path, id: str, cells: int) -> Path:
    """A model that answers the mean colours of ``cells`` x ``cells`` parts; its card."""
    graph = Graph(id)
    centred = graph.add("Sub", Graph.INPUT, graph.scalar(0.4))
    side = SIDE // cells
    pooled = graph.add("AveragePool", centred, kernel_shape=[side, side], strides=[side, side])
    dimension = 3 * cells * cells
    content = graph.serialised(graph.add("Flatten", pooled, axis=1), (SIDE, SIDE), dimension)
    (folder / f"{id}.onnx").write_bytes(content)
    card = document(
        id=id,
        file=f"{id}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        input__name=Graph.INPUT,
        input__shape=["N", 3, SIDE, SIDE],
        input__mean=[0.0] * 3,
        input__std=[255.0] * 3,
        input__resize__size=[SIDE, SIDE],
        output={
            "name": Graph.OUTPUT,
            "dtype": "float32",
            "shape": ["N", dimension],
            "dim": dimension,
        },
    )
    path = folder / f"{id}.json"
    path.write_text(json.dumps(card))
    return path
