"""Made pictures with detail at every scale, as photos have it, and files of them."""

import io

import numpy as np
from PIL import Image

_LAYERS = (4, 8, 16, 32, 64)


def scene(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """A picture that no other seed gives; the same one at every size."""
    generator = np.random.default_rng(seed)
    pixels = np.zeros((size[1], size[0], 3))
    for grain in _LAYERS:
        values = generator.normal(size=(grain, grain, 3)) * 160 / grain**0.7
        for channel in range(3):
            layer = Image.fromarray(values[..., channel].astype(np.float32))
            pixels[..., channel] += np.asarray(layer.resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(pixels + 128, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
