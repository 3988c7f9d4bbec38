"""What the engine must remember between two steps; it does not grow with the collection."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from libs.errors import InvalidArgument
from services.clustering.algorithms.components import Components, Null
from services.clustering.algorithms.prep import Epoch, Matrix

Halves = npt.NDArray[np.float16]
Texts = npt.NDArray[np.str_]
Flags = npt.NDArray[np.bool_]

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """P photos that are in no group, the oldest first: unit vectors (P, d) in half precision.

    ``fresh`` are those that came since the last fit.
    """

    ids: Texts
    vectors: Halves
    fresh: Flags

    def __len__(self) -> int:
        return len(self.ids)

    def newest(self, limit: int) -> "Pool":
        """The last ``limit`` of them."""
        start = max(len(self) - limit, 0)
        return Pool(self.ids[start:], self.vectors[start:], self.fresh[start:])

    def take(self, chosen: Flags | npt.NDArray[np.int64]) -> "Pool":
        """Some of them."""
        return Pool(self.ids[chosen], self.vectors[chosen], self.fresh[chosen])


@dataclass(frozen=True, slots=True)
class History:
    """What came and went since the last fit, in distinct photos.

    ``fitted`` were there, ``fitted_outside`` of them in no group, the others with a mean cosine of
    ``closeness`` to theirs. ``came`` since then, of which ``came_outside`` are in no group and
    ``joined`` were taken at once by one that they are ``joined_closeness`` close to, all added up.
    ``left`` were taken out or moved by people.
    """

    fitted: int
    fitted_outside: int
    closeness: float
    came: int = 0
    came_outside: int = 0
    joined: int = 0
    joined_closeness: float = 0.0
    left: int = 0

    @property
    def strangers(self) -> float:
        """By how much those that came are outside more often than the fitted ones, -1..1."""
        then = self.fitted_outside / max(self.fitted, 1)
        return self.came_outside / self.came - then if self.came else 0.0

    @property
    def estrangement(self) -> float:
        """By which share those that joined are less close to their groups than the fitted ones."""
        if not self.joined or self.closeness <= 0.0:
            return 0.0
        return 1.0 - self.joined_closeness / self.joined / self.closeness


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The memory of a clustering; opaque to the service, which stores its bytes.

    For K groups ``sums`` (K, d) and ``components`` (K, D) hold the sums of their distinct photos in
    the space of the embedding model and in that of the epoch. No labels, and no vectors but those
    of the pool. ``next_key`` is the number of the next key.
    """

    keys: Texts
    sums: Matrix
    components: Components
    epoch: Epoch
    null: Null
    pool: Pool
    history: History
    next_key: int

    @property
    def dimensions(self) -> int:
        """Of the vectors that the groups were made of; 0 where there were none."""
        return len(self.epoch.mean)

    def centroids(self, chosen: npt.NDArray[np.int64]) -> Matrix:
        """The unit centroids of some groups in the space of the embedding model."""
        sums = self.sums[chosen].astype(np.float64)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.maximum(lengths, 1e-9), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """An npz archive without pickled objects."""
        target = io.BytesIO()
        np.savez(target, allow_pickle=False, **_flat(self))
        return target.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Memory":
        """The memory that ``to_bytes`` wrote. Raises InvalidArgument when it is anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                return _deep({name: archive[name] for name in archive.files})
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidArgument.of(
                "memory", "these bytes are no saved clustering; run a full fit instead"
            ) from error


_PARTS: Mapping[str, type] = {
    "components": Components,
    "epoch": Epoch,
    "null": Null,
    "pool": Pool,
    "history": History,
}


def _flat(memory: Memory) -> dict[str, Any]:
    plain = {f.name: getattr(memory, f.name) for f in fields(Memory) if f.name not in _PARTS}
    for name in _PARTS:
        part = getattr(memory, name)
        plain |= {f"{name}.{f.name}": getattr(part, f.name) for f in fields(part)}
    return {name: np.asarray(value) for name, value in plain.items()} | {
        "format": np.asarray(_FORMAT)
    }


def _deep(plain: Mapping[str, Any]) -> Memory:
    values = {name: value if value.ndim else value[()].item() for name, value in plain.items()}
    if values.pop("format") != _FORMAT:
        raise ValueError("another format")
    parts: dict[str, Any] = {name: kind(**_part(values, name)) for name, kind in _PARTS.items()}
    own = {name: value for name, value in values.items() if "." not in name}
    return Memory(**own, **parts)


def _part(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): v for key, v in values.items() if key.startswith(prefix)}


def numbers_of(keys: Texts, wanted: Sequence[str]) -> npt.NDArray[np.int64]:
    """The number of the group of each key, -1 for keys that there are none of."""
    known = {key: number for number, key in enumerate(keys.tolist())}
    return np.array([known.get(key, -1) for key in wanted], dtype=np.int64)
