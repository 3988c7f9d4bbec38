"""From a file's bytes to what a model takes in. Blocking: call it in a thread."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from libs.image_hash import hash_of
from libs.images import Box, ImageLimits, open_shrunk
from services.embedding.card import Preprocessing

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Half as much shrinks faster, but moves the vectors of large photos by cosines below 0.999.
_DETAIL = 3


def tensor_of(data: bytes, rules: Preprocessing, limits: ImageLimits) -> NDArray[np.float32]:
    """The picture in the file ``data`` as float32 [3, height, width].

    Raises ``InvalidArgument`` (UNSUPPORTED_IMAGE, DAMAGED_IMAGE) and ``OutOfQuota``
    (IMAGE_TOO_LARGE).
    """
    image, box = _opened(data, rules, limits)
    return tensor_of_picture(image, rules, box)


def hashed_tensor_of(
    data: bytes, rules: Preprocessing, limits: ImageLimits
) -> tuple[NDArray[np.float32], bytes | None]:
    """What ``tensor_of`` makes of a file, and the picture's perceptual hash, decoded once.

    There is no hash of a picture with too little detail. Raises what ``tensor_of`` raises.
    """
    image, box = _opened(data, rules, limits)
    return tensor_of_picture(image, rules, box), hash_of(image)


def tensor_of_picture(
    image: Image.Image, rules: Preprocessing, box: Box | None = None
) -> NDArray[np.float32]:
    """The same of an upright sRGB picture, or of its part ``box`` (left, top, right, bottom)."""
    box = box or (0.0, 0.0, float(image.width), float(image.height))
    pixels = (_padded if rules.mode == "pad" else _filled)(image, box, rules)
    # Plane by plane: pixel by pixel, three numbers at a time, takes more than five times as long.
    planes = pixels.transpose(2, 0, 1).astype(np.float32, order="C")
    planes -= np.array(rules.mean, dtype=np.float32)[:, None, None]
    planes /= np.array(rules.std, dtype=np.float32)[:, None, None]
    return planes


def _opened(data: bytes, rules: Preprocessing, limits: ImageLimits) -> tuple[Image.Image, Box]:
    """The picture at ``_DETAIL`` times the size that the model sees, if it is larger."""
    cropped = rules.mode == "centre_crop"
    width, height = (rules.short_side, rules.short_side) if cropped else rules.size
    # It brings at least twice of what it is asked for.
    target = (math.ceil(width * _DETAIL / 2), math.ceil(height * _DETAIL / 2))
    return open_shrunk(data, limits, target)


def _filled(image: Image.Image, box: Box, rules: Preprocessing) -> NDArray[np.uint8]:
    """The whole picture, or its middle, made as large as the input."""
    part = box if rules.mode == "stretch" else _centre_box(box, rules)
    return np.asarray(image.resize(rules.size, _FILTERS[rules.filter], part))


def _padded(image: Image.Image, box: Box, rules: Preprocessing) -> NDArray[np.float32]:
    """The whole picture in its own ratio; of a very narrow one a line of pixels remains."""
    sides = _sides(box)
    scale = min(wanted / side for side, wanted in zip(sides, rules.size, strict=True))
    width, height = (max(1, round(side * scale)) for side in sides)
    left, top = (rules.size[0] - width) // 2, (rules.size[1] - height) // 2
    pixels = np.empty((rules.size[1], rules.size[0], 3), dtype=np.float32)
    pixels[:] = rules.fill
    fitted = image.resize((width, height), _FILTERS[rules.filter], box)
    pixels[top : top + height, left : left + width] = np.asarray(fitted)
    return pixels


def _centre_box(box: Box, rules: Preprocessing) -> Box:
    """What of the picture remains: cut before shrinking, so that a 1 x 3000 picture costs little.

    Where ``size`` is larger than ``short_side``, the box stops at the borders.
    """
    sides = _sides(box)
    scale = min(sides) / rules.short_side
    width, height = (
        min(side, wanted * scale) for side, wanted in zip(sides, rules.size, strict=True)
    )
    left = box[0] + (sides[0] - width) / 2
    top = box[1] + (sides[1] - height) / 2
    return left, top, min(left + width, box[2]), min(top + height, box[3])


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]
