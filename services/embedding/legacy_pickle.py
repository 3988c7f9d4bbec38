"""Reading a PyTorch state dict in its legacy serialisation, with numpy and without PyTorch.

Such a file is a sequence of five pickles (magic number, protocol version, system information, the
object, the storage keys) and then the raw storages, each as an 8-byte count and its values, in the
order of the keys. A pickle can call anything; here it may build an ordered dict of tensors and
nothing else, and every tensor must lie within its storage.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MAX_STORAGE_VALUES = 1 << 28

Array = NDArray[Any]


class LegacyPickleError(ValueError):
    """The file is not a legacy PyTorch file of plain tensors, or it is damaged."""


def read_state_dict(path: Path) -> dict[str, Array]:
    """Tensor name to array, read-only, of a file saved by ``torch.save(model.state_dict())``.

    Raises ``LegacyPickleError``.
    """
    with path.open("rb") as file:
        try:
            return _read(file)
        except LegacyPickleError:
            raise
        except Exception as error:  # damaged pickles raise nearly anything
            raise LegacyPickleError(f"{path.name} cannot be read: {error}") from error


@dataclass(slots=True)
class _Storage:
    """The flat memory behind one or more tensors; its values come later in the file."""

    dtype: np.dtype[Any]
    size: int
    values: Array | None = None


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> Array:
        """The view on the storage; strides and offset count values, not bytes."""
        values = self.storage.values
        if values is None:
            raise LegacyPickleError("a tensor refers to a storage that the file does not hold")
        last = self.offset + sum(
            (n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)
        )
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= values.size:
            raise LegacyPickleError("a tensor reaches beyond its storage")
        steps = tuple(step * values.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, steps, writeable=False
        )


class _FloatStorage:
    dtype = np.dtype("<f4")


class _LongStorage:
    dtype = np.dtype("<i8")


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): _FloatStorage,
    ("torch", "LongStorage"): _LongStorage,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise LegacyPickleError(
                f"the file asks for {module}.{name}, which is refused"
            ) from None

    def persistent_load(self, reference: Any) -> _Storage:
        kind, storage_type, key, _location, size, view = reference
        if kind != "storage" or view is not None:
            raise LegacyPickleError(f"a storage reference of an unknown kind: {kind!r}")
        if storage_type not in (_FloatStorage, _LongStorage) or not 0 <= size < _MAX_STORAGE_VALUES:
            raise LegacyPickleError("a storage of an unknown type or size")
        return self._storages.setdefault(key, _Storage(storage_type.dtype, size))


def _read(file: BinaryIO) -> dict[str, Array]:
    storages: dict[str, _Storage] = {}
    if _load(file, storages) != _MAGIC or _load(file, storages) != _PROTOCOL:
        raise LegacyPickleError("this is not a PyTorch file in the legacy serialisation")
    _load(file, storages)  # system information: byte order and integer sizes, always little-endian
    tensors = _load(file, storages)
    for key in _load(file, storages):
        _fill(file, storages[key])
    return {name: tensor.array() for name, tensor in tensors.items()}


def _load(file: BinaryIO, storages: dict[str, _Storage]) -> Any:
    return _Unpickler(file, storages).load()


def _fill(file: BinaryIO, storage: _Storage) -> None:
    if int.from_bytes(file.read(8), "little") != storage.size:
        raise LegacyPickleError("a storage has another size than its tensors were promised")
    raw = file.read(storage.size * storage.dtype.itemsize)
    storage.values = np.frombuffer(raw, storage.dtype)
    if storage.values.size != storage.size:
        raise LegacyPickleError("the file ends within a storage")
