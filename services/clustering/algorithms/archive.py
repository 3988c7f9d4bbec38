"""Arrays as bytes: npz archives without pickled objects."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from libs.errors import InvalidArgument

Arrays = Mapping[str, Any]


def pack(arrays: Arrays) -> bytes:
    """The archive of these arrays and numbers."""
    target = io.BytesIO()
    np.savez(target, **arrays, allow_pickle=False)
    return target.getvalue()


def unpack(data: bytes) -> dict[str, Any]:
    """What ``pack`` took. Raises InvalidArgument when it is anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidArgument.of("archive", "these bytes are no archive of arrays") from error
