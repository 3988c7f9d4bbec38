"""Reading the safetensors format: the length of a JSON header, the header, raw numbers.

https://github.com/huggingface/safetensors; only float32 is read, and
what is of another type left out. Nothing in such a file is code.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_HEADER = 100 * 1024 * 1024


class SafetensorsError(ValueError):
    """The file is not one, or is damaged."""


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of the file by name. Raises ``SafetensorsError`` and ``OSError``."""
    content = path.read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", content)
        if length > min(_MAX_HEADER, len(content) - 8):
            raise SafetensorsError(f"{path.name} ends within its header")
        header = json.loads(content[8 : 8 + length])
        body = memoryview(content)[8 + length :]
        return {
            name: _tensor(entry, body)
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] == "F32"
        }
    except (struct.error, KeyError, TypeError, AttributeError, ValueError) as error:
        raise SafetensorsError(f"{path.name} is not a safetensors file: {error}") from error


def _tensor(entry: dict[str, Any], body: memoryview) -> NDArray[np.float32]:
    start, end = entry["data_offsets"]
    if not 0 <= start <= end <= len(body):
        raise SafetensorsError("it ends within a tensor")
    return np.frombuffer(body[start:end], dtype="<f4").reshape(entry["shape"])
