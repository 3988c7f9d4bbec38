"""Random fields and the surfaces made of them: clouds of noise, wood, marble, linen, hill light."""

import numpy as np
from PIL import Image

from demo.pictures.canvas import Canvas
from demo.pictures.paints import Array, Colour, Texture, blend, mix, planes, stops


def noise(
    rng: np.random.Generator,
    size: tuple[int, int],
    cells: tuple[float, float],
    octaves: int = 4,
    fading: float = 0.5,
) -> Array:
    """Fractal value noise of shape ``size``, spread over 0..1.

    ``cells`` is how many bumps (down, across) the first octave has; each further octave has twice
    as many at ``fading`` of the height.
    """
    height, width = size
    total = Image.new("F", (1, 1))
    for octave in range(octaves):
        down, across = (max(2, round(count * 2**octave) + 1) for count in cells)
        bumps = rng.random((min(down, height), min(across, width)), dtype=np.float32)
        bumps *= np.float32(fading**octave)
        # Octaves are summed at the size that they need, so only one full-size enlargement is paid.
        shape = (min(width, across * 5), min(height, down * 5))
        layer = np.asarray(Image.fromarray(bumps).resize(shape, Image.Resampling.BICUBIC))
        total = Image.fromarray(layer + np.asarray(total.resize(shape, Image.Resampling.BICUBIC)))
    field = np.array(total.resize((width, height), Image.Resampling.BILINEAR))
    low, high = float(field.min()), float(field.max())
    field -= np.float32(low)
    field /= np.float32(high - low)
    return field


def step(value: Array, low: float, high: float) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between (Hermite)."""
    share = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: Array = share * share * (3 - 2 * share)
    return smooth


def wood(canvas: Canvas, rng: np.random.Generator, light: Colour, dark: Colour) -> Texture:
    """Boards that run across the picture, each of its own tone, with grain and seams."""
    height, width = canvas.size
    grain = noise(rng, (height, width), (38 * canvas.h, 1.6), octaves=3, fading=0.6)
    boards = int(rng.integers(3, 7))
    row = (canvas.whole.y[:, 0] / canvas.h * boards + rng.uniform(0, 1)).astype(np.float32)
    index = row.astype(int)
    tone = rng.uniform(-0.18, 0.4, boards + 2).astype(np.float32)[index][:, None]
    for board in range(boards + 2):
        grain[index == board] = np.roll(grain[index == board], int(rng.integers(width)), axis=1)
    gap = np.abs(row - index - 0.5).astype(np.float32)
    seam = step(gap, 0.4875, 0.4975)[:, None]
    colours = stops(grain * np.float32(0.8) + tone, [light, mix(light, dark, 0.45), dark])
    colours *= 1 - seam * np.float32(0.6)
    return Texture(colours)


def marble(canvas: Canvas, rng: np.random.Generator, base: Colour, vein: Colour) -> Texture:
    """Pale stone with thin bent veins."""
    cloud = noise(rng, canvas.size, (3, 4), octaves=4, fading=0.55)
    drift = noise(rng, canvas.size, (2, 2), octaves=3)
    slant = canvas.whole.x * np.float32(1.2) + canvas.whole.y * np.float32(rng.uniform(-2, 2))
    bend = np.abs(np.sin((slant + drift * 3) * np.float32(3.1)))
    thin = (1 - step(bend, 0.0, 0.16)) * step(cloud, 0.25, 0.75)
    return Texture(blend(base, vein, thin * np.float32(0.75) + cloud * np.float32(0.18)))


def linen(canvas: Canvas, rng: np.random.Generator, colour: Colour, rough: float = 0.1) -> Texture:
    """Plain woven cloth with soft creases."""
    height, width = canvas.size
    weave = rng.random((height, 1), dtype=np.float32) + rng.random((1, width), dtype=np.float32)
    crease = noise(rng, canvas.size, (2, 3), octaves=3)
    tone = 1 + (weave - 1) * np.float32(rough) + (crease - np.float32(0.5)) * np.float32(0.22)
    return Texture(planes(colour) * tone)


def relief(height: Array, strength: float, slant: float = 0.6) -> Array:
    """Light from the upper left on a height field: 0 in full shade, 0.5 on the flat, 1 lit."""
    light = np.full_like(height, 0.5)
    per_pixel = np.float32(strength * height.shape[0] / 100)
    light[:, 1:] += (height[:, 1:] - height[:, :-1]) * per_pixel
    light[1:] += (height[1:] - height[:-1]) * (per_pixel * np.float32(slant))
    lit: Array = np.clip(light, 0, 1, out=light)
    return lit
