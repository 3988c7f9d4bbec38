"""The safetensors format: what is read, what is left out, what is refused."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.embedding.safetensors import SafetensorsError, read_safetensors


def written(folder: Path, header: dict[str, Any], body: bytes) -> Path:
    path = folder / "model.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_numbers_are_read_by_name_and_shape(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    header = {
        "__metadata__": {"format": "pt"},
        "positions": entry("I64", [1], 24, 32),
        "weight": entry("F32", [2, 3], 0, 24),
    }
    found = read_safetensors(written(tmp_path, header, numbers.tobytes() + bytes(8)))
    assert list(found) == ["weight"]
    assert found["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    "header",
    [
        {"weight": entry("F32", [2, 3], 0, 12)},
        {"weight": entry("F32", [2, 3], 0, 4000)},
        {"weight": {"dtype": "F32"}},
        {"weight": 5},
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    with pytest.raises(SafetensorsError, match="is not a safetensors file"):
        read_safetensors(written(tmp_path, header, bytes(24)))


@pytest.mark.parametrize("content", [b"", b"abc", struct.pack("<Q", 1 << 60), bytes(8) + b"{"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(SafetensorsError):
        read_safetensors(path)
