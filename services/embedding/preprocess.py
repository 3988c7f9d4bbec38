"""From a file's bytes to what a model takes in. Blocking: call it in a thread."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from libs.images import ImageLimits, open_upright
from services.embedding.card import Preprocessing

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def tensor_of(data: bytes, rules: Preprocessing, limits: ImageLimits) -> NDArray[np.float32]:
    """The picture in the file ``data`` as float32 [3, height, width].

    Raises ``InvalidArgument`` (UNSUPPORTED_IMAGE, DAMAGED_IMAGE) and ``OutOfQuota``
    (IMAGE_TOO_LARGE).
    """
    if rules.mode == "stretch":
        image = open_upright(data, limits, rules.size)
        box = (0.0, 0.0, float(image.width), float(image.height))
    else:
        image = open_upright(data, limits, (rules.short_side, rules.short_side))
        box = _centre_box(image.size, rules)
    resized = image.resize(rules.size, _FILTERS[rules.filter], box)
    pixels = np.asarray(resized, dtype=np.float32)
    mean, std = (np.array(values, dtype=np.float32) for values in (rules.mean, rules.std))
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))


def _centre_box(size: tuple[int, int], rules: Preprocessing) -> tuple[float, float, float, float]:
    """What of the picture remains: cut before shrinking, so that a 1 x 3000 picture costs little.

    Where ``size`` is larger than ``short_side``, the box stops at the borders.
    """
    scale = min(size) / rules.short_side
    width, height = (
        min(float(side), wanted * scale) for side, wanted in zip(size, rules.size, strict=True)
    )
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height
