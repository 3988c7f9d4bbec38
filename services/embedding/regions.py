"""Parts of pictures."""

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from libs.image_hash import hash_of
from libs.images import ImageLimits, fitted, open_upright
from services.embedding.card import Preprocessing
from services.embedding.preprocess import tensor_of_picture

# How much of a region's own size is seen beyond each of its sides, if its context is wanted.
_MARGIN = 0.25
_CROP_SIDE = 512
_CROP_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Region:
    """A box in shares of an upright picture, from its upper left: 0 <= left < right <= 1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def key(self) -> tuple[str, ...]:
        """Tells it from other regions of the same picture; nothing for the whole of it."""
        return () if self == WHOLE else (f"{self.left}:{self.top}:{self.right}:{self.bottom}",)

    def widened(self) -> "Region":
        """The same with what surrounds it, as far as the picture goes."""
        across = (self.right - self.left) * _MARGIN
        down = (self.bottom - self.top) * _MARGIN
        return Region(
            max(0.0, self.left - across),
            max(0.0, self.top - down),
            min(1.0, self.right + across),
            min(1.0, self.bottom + down),
        )

    def inside(self, outer: "Region") -> "Region":
        """This region, in shares of ``outer`` until now, in shares of what ``outer`` is a part."""
        width, height = outer.right - outer.left, outer.bottom - outer.top
        return Region(
            outer.left + self.left * width,
            outer.top + self.top * height,
            outer.left + self.right * width,
            outer.top + self.bottom * height,
        )

    def cut(self, image: Image.Image) -> Image.Image:
        """What ``image`` shows there, at least one pixel of it."""
        left = min(math.floor(self.left * image.width), image.width - 1)
        top = min(math.floor(self.top * image.height), image.height - 1)
        right = max(left + 1, math.ceil(self.right * image.width))
        bottom = max(top + 1, math.ceil(self.bottom * image.height))
        return image.crop((left, top, right, bottom))


WHOLE = Region(0.0, 0.0, 1.0, 1.0)


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side at most ``side``; never enlarged."""
    size = fitted(image.width, image.height, side)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)


def crop_jpeg(image: Image.Image, region: Region) -> bytes:
    """What ``image`` shows in ``region``, as a JPEG of at most 512 pixels a side."""
    buffer = io.BytesIO()
    shrunk(region.cut(image), _CROP_SIDE).save(buffer, "JPEG", quality=_CROP_QUALITY)
    return buffer.getvalue()


def hashed_tensor_of_region(
    data: bytes, region: Region, rules: Preprocessing, limits: ImageLimits
) -> tuple[NDArray[np.float32], bytes | None]:
    """As ``preprocess.hashed_tensor_of``, of a part of the picture."""
    picture = region.cut(open_upright(data, limits))
    return tensor_of_picture(picture, rules), hash_of(picture)
