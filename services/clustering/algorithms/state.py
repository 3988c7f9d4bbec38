"""Everything the engine must remember between two calls."""

import io
import zipfile
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from libs.errors import InvalidArgument
from services.clustering.algorithms.components import Components, Null
from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.prep import Epoch

Halves = npt.NDArray[np.float16]
Texts = npt.NDArray[np.str_]

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The memory of a clustering; opaque to the service, which stores its bytes.

    N items are M distinct photos and their copies, in K groups. ``photo_of`` (N,) is the photo of
    each item, ``leaders`` (M,) the item that stands for each photo, ``vectors`` (M, d) its unit
    vector in half precision, ``labels`` (M,) its group or -1. About 2 d bytes a photo.
    """

    ids: Texts
    photo_of: Indices
    leaders: Indices
    vectors: Halves
    labels: Indices
    keys: Texts
    components: Components
    epoch: Epoch
    null: Null
    fitted: int
    fitted_outside: int
    next_key: int
    rejected: Texts

    def to_bytes(self) -> bytes:
        """A compressed npz archive without pickled objects."""
        target = io.BytesIO()
        np.savez_compressed(target, **_flat(self), allow_pickle=False)
        return target.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "State":
        """The state that ``to_bytes`` wrote. Raises InvalidArgument when it is anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                return _deep({name: archive[name] for name in archive.files})
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidArgument.of(
                "state", "these bytes are no saved clustering; run a full fit instead"
            ) from error


def _flat(state: State) -> dict[str, Any]:
    plain = {
        field.name: np.asarray(getattr(state, field.name))
        for field in fields(State)
        if field.name not in ("components", "epoch", "null")
    }
    for name in ("components", "epoch", "null"):
        part = getattr(state, name)
        plain |= {f"{name}.{f.name}": np.asarray(getattr(part, f.name)) for f in fields(part)}
    return plain | {"format": np.asarray(_FORMAT)}


def _deep(plain: dict[str, Any]) -> State:
    if int(plain.pop("format")[()]) != _FORMAT:
        raise ValueError("another format")
    values = {name: value if value.ndim else value[()].item() for name, value in plain.items()}
    parts: dict[str, Any] = {
        name: kind(**_part(values, name))
        for name, kind in (("components", Components), ("epoch", Epoch), ("null", Null))
    }
    own = {name: value for name, value in values.items() if "." not in name}
    return State(**own, **parts)


def _part(values: dict[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): v for key, v in values.items() if key.startswith(prefix)}
