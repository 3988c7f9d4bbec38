"""Vectors between numpy and Qdrant's messages, and the checks on the way in."""

from collections.abc import Iterable

import numpy as np

from libs.errors import InvalidArgument
from libs.vectors.index import Floats
from libs.vectors.stubs import qdrant

PACKED_FIELD_1 = b"\x0a"  # protobuf's tag of field 1 with a length-delimited value


def check_vectors(vectors: Floats, field: str) -> Floats:
    """The rows [n, d] as little-endian float32. Raises ``InvalidArgument`` naming field and row."""
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise InvalidArgument.of(field, f"must have one row a vector, not shape {vectors.shape}")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    # The engine takes NaN without complaint and then answers nonsense.
    for wrong, text in ((~np.isfinite(lengths), "finite"), (lengths == 0, "other than all zeros")):
        if wrong.any():
            raise InvalidArgument.of(f"{field}[{int(wrong.argmax())}]", f"must be {text}")
    return np.ascontiguousarray(vectors, dtype="<f4")


def dense_message(vector: Floats) -> qdrant.DenseVector:
    """The message that ``DenseVector(data=vector.tolist())`` makes, twenty times faster.

    Packed repeated floats are little-endian float32 on the wire, just as in the array, so it is
    enough to put the field's tag and length before them.
    """
    values = vector.tobytes()
    return qdrant.DenseVector.FromString(PACKED_FIELD_1 + _varint(len(values)) + values)


def _varint(number: int) -> bytes:
    """Base-128, least significant group first (protobuf encoding specification)."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def vector_of(vectors: qdrant.VectorsOutput) -> Floats:
    """The one unnamed vector of a point, float32 [d]."""
    vector = vectors.vector
    # Servers before 1.16 fill the older field.
    data = vector.dense.data if vector.HasField("dense") else vector.data
    return np.array(data, dtype=np.float32)


def matrix_of(points: Iterable[qdrant.RetrievedPoint]) -> Floats:
    """The vectors of points, float32 [n, d]."""
    return np.stack([vector_of(point.vectors) for point in points])
