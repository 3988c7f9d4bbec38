"""The labelled shared photos as vectors of a shared network, made as its card says."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image, ImageOps

THEMES = frozenset({"clothing", "food", "plants", "objects"})


@dataclass(frozen=True)
class LabelledPhotos:
    ids: list[str]
    labels: list[str]
    vectors: npt.NDArray[np.float32]

    def take(self, chosen: npt.NDArray[np.intp]) -> "LabelledPhotos":
        return LabelledPhotos(
            [self.ids[i] for i in chosen], [self.labels[i] for i in chosen], self.vectors[chosen]
        )


def load(shared: Path, model: str = "mobilenet-v2-1.0-224") -> LabelledPhotos:
    """The 442 photos of the themes with enough photos a label."""
    with (shared / "photos" / "labels.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["theme"] in THEMES]
    card = json.loads((shared / "models" / f"{model}.json").read_text(encoding="utf-8"))
    session = _session(shared / "models" / card["file"])
    vectors = [_embed(session, card, shared / "photos" / row["file"]) for row in rows]
    return LabelledPhotos(
        [row["file"] for row in rows], [row["label"] for row in rows], np.array(vectors)
    )


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _embed(
    session: onnxruntime.InferenceSession, card: dict, photo: Path
) -> npt.NDArray[np.float32]:
    scheme = card["input"]
    mean, std = np.float32(scheme["mean"]), np.float32(scheme["std"])
    with Image.open(photo) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    size = tuple(scheme["resize"]["size"])
    pixels = np.asarray(upright.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    batch = ((pixels - mean) / std).transpose(2, 0, 1)[None]
    return session.run(None, {scheme["name"]: batch})[0][0]
