"""The reader of legacy PyTorch files: views, limits, and what a pickle may not do."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from services.embedding.legacy_pickle import LegacyPickleError, read_state_dict
from services.embedding.recipes import find_weights

START = b"\x80\x02"
MAGIC = START + b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + b"."
PROTOCOL = START + b"M\xe9\x03."
SYSTEM = START + b"}."
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(key: str, size: int, kind: str = "FloatStorage") -> bytes:
    """The persistent id by which PyTorch refers to a storage."""
    parts = text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
    return b"(" + parts + number(size) + b"NtQ"


def tensor(source: bytes, offset: int, shape: Sequence[int], strides: Sequence[int]) -> bytes:
    parts = source + number(offset) + numbers(shape) + numbers(strides) + b"\x89" + ORDERED_DICT
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + parts + b"tR"


def state(**tensors: bytes) -> bytes:
    items = b"".join(text(name) + value + b"s" for name, value in tensors.items())
    return START + ORDERED_DICT + items + b"."


def keys(*names: str) -> bytes:
    return START + b"](" + b"".join(map(text, names)) + b"e."


def raw(values: np.ndarray) -> bytes:
    return struct.pack("<q", values.size) + values.tobytes()


def written(folder: Path, *parts: bytes) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(b"".join((MAGIC, PROTOCOL, SYSTEM, *parts)))
    return path


RAMP = np.arange(6, dtype="<f4")


def test_tensors_are_views_on_their_storages(tmp_path: Path) -> None:
    counts = np.array([7], dtype="<i8")
    path = written(
        tmp_path,
        state(
            plain=tensor(storage("a", 6), 0, (2, 3), (3, 1)),
            turned=tensor(storage("a", 6), 0, (3, 2), (1, 3)),
            tail=tensor(storage("a", 6), 4, (2,), (1,)),
            count=tensor(storage("b", 1, "LongStorage"), 0, (), ()),
        ),
        keys("a", "b"),
        raw(RAMP),
        raw(counts),
    )
    tensors = read_state_dict(path)
    assert list(tensors) == ["plain", "turned", "tail", "count"]
    assert tensors["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tensors["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert tensors["tail"].tolist() == [4, 5]
    assert tensors["count"].item() == 7
    with pytest.raises(ValueError, match="read-only"):
        tensors["plain"][0, 0] = 1.0


@pytest.mark.parametrize(
    "name", ["cposix\nsystem\n", "cbuiltins\neval\n", "cnumpy\nload\n", "ctorch\nHalfStorage\n"]
)
def test_nothing_but_tensors_can_be_built(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    call = START + name.encode() + b"(" + text(f"touch {victim}") + b"tR."
    with pytest.raises(LegacyPickleError, match="refused"):
        read_state_dict(written(tmp_path, call))
    assert not victim.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (7,), (1,)),
        (1, (2, 3), (3, 1)),
        (0, (2, 2), (5, 1)),
        (-1, (2,), (1,)),
        (3, (2,), (-1,)),
        (6, (1,), (1,)),
    ],
)
def test_a_tensor_cannot_reach_beyond_its_storage(
    tmp_path: Path, offset: int, shape: Sequence[int], strides: Sequence[int]
) -> None:
    wild = state(wild=tensor(storage("a", 6), offset, shape, strides))
    with pytest.raises(LegacyPickleError, match="beyond"):
        read_state_dict(written(tmp_path, wild, keys("a"), raw(RAMP)))


@pytest.mark.parametrize("size", [-1, 1 << 30])
def test_a_storage_of_a_mad_size_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(LegacyPickleError, match="size"):
        read_state_dict(written(tmp_path, state(t=tensor(storage("a", size), 0, (1,), (1,)))))


def test_a_storage_must_have_the_promised_size(tmp_path: Path) -> None:
    promised = state(t=tensor(storage("a", 5), 0, (5,), (1,)))
    with pytest.raises(LegacyPickleError, match="another size"):
        read_state_dict(written(tmp_path, promised, keys("a"), raw(RAMP)))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, state(t=tensor(storage("a", 6), 0, (6,), (1,))), keys("a"), raw(RAMP))
    content = whole.read_bytes()
    for length in range(0, len(content), 7):
        whole.write_bytes(content[:length])
        with pytest.raises(LegacyPickleError):
            read_state_dict(whole)


def test_a_tensor_whose_storage_is_missing_is_refused(tmp_path: Path) -> None:
    orphan = state(t=tensor(storage("a", 6), 0, (6,), (1,)))
    with pytest.raises(LegacyPickleError, match="does not hold"):
        read_state_dict(written(tmp_path, orphan, keys()))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(PROTOCOL + PROTOCOL)
    with pytest.raises(LegacyPickleError, match="legacy serialisation"):
        read_state_dict(path)


@pytest.mark.skipif(find_weights() is None, reason="the package of the weights is not installed")
def test_the_published_weights_are_read() -> None:
    path = find_weights()
    assert path is not None
    tensors = read_state_dict(path)
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert tensors["_bn0.num_batches_tracked"].dtype == np.int64
    assert all(np.isfinite(each).all() for each in tensors.values())
