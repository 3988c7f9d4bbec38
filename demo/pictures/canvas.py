"""A canvas of floating-point colour that outlines are painted on, and its last darkroom steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from demo.pictures.outlines import Outline, Shape
from demo.pictures.paints import WHITE, Area, Array, Colour, Paint, planes

T = TypeVar("T")
_BLACK_POINT = 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is finished: factors near 1, ``grain`` as standard deviation in 0..1."""

    exposure: float = 1.0
    warmth: float = 0.0
    contrast: float = 0.25
    vignette: float = 0.22
    grain: float = 0.016


class Canvas:
    """Pixels of shape (3, height, width); the shorter side measures 1 unit.

    ``take`` says the how manieth picture of its scene this is, counted from 0.
    """

    def __init__(self, width: int, height: int, take: int = 0) -> None:
        self.scale = float(min(width, height))
        self.w = width / self.scale
        self.h = height / self.scale
        self.take = take
        self.pixels: Array = np.zeros((3, height, width), dtype=np.float32)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @property
    def whole(self) -> Area:
        height, width = self.size
        return Area(0, 0, height, width, self.scale)

    def in_turn(self, choices: Sequence[T]) -> T:
        """The choice of this take; the takes of a scene go through them all, so they differ."""
        return choices[self.take % len(choices)]

    def fill(
        self, shape: Shape, paint: Colour | Paint, *, soft: float = 0.0, opacity: float = 1.0
    ) -> None:
        """Cover ``shape``; its edge fades over about ``soft`` units."""
        for area, part, cover in self._covered(shape, soft, opacity):
            change = _colours(paint, area) - part
            change *= cover
            part += change

    def wash(self, paint: Colour | Paint, cover: Array | float = 1.0) -> None:
        """Lay ``paint`` over everything, as thick as ``cover`` (0..1, shape of the canvas)."""
        for area in self.whole.bands():
            part = self._part(area)
            thick = cover[area.window] if isinstance(cover, np.ndarray) else np.float32(cover)
            change = _colours(paint, area) - part
            change *= thick
            part += change

    def shade(
        self, shape: Shape, strength: float, *, soft: float = 0.0, tint: Colour = WHITE
    ) -> None:
        """A shadow: multiply by 1 - strength, weighted per channel by ``tint``."""
        for _, part, cover in self._covered(shape, soft, strength):
            part *= 1 - cover if tint is WHITE else 1 - cover * planes(tint)

    def shine(
        self, shape: Shape, colour: Colour, *, soft: float = 0.0, strength: float = 1.0
    ) -> None:
        """Light that adds up without burning out (the screen blend)."""
        for _, part, cover in self._covered(shape, soft, strength):
            light = cover * planes(colour)
            light *= 1 - part
            part += light

    def light(
        self, shape: Shape, lit: Colour, unlit: Colour, *, soft: float, strength: float
    ) -> None:
        """Multiply by ``lit`` within ``shape`` and by ``unlit`` elsewhere, at ``strength``."""
        bright, dark = (1 - np.float32(strength) * (1 - planes(tone)) for tone in (lit, unlit))
        self.pixels *= dark
        for _, part, cover in self._covered(shape, soft, 1.0):
            part *= 1 + cover * (bright / dark - 1)

    def tint(self, factor: Array) -> None:
        """Multiply every pixel by ``factor``, shape (height, width)."""
        self.pixels *= factor

    def blur(self, radius: float) -> None:
        """Put everything painted so far out of focus by ``radius`` units."""
        height, width = self.size
        step = int(np.clip(radius * self.scale / 2, 1, 8))
        small = self.image().reduce(step)
        small = small.filter(ImageFilter.GaussianBlur(radius * self.scale / step))
        bands = small.resize((width, height), Image.Resampling.BICUBIC).split()
        for plane, band in zip(self.pixels, bands, strict=True):
            np.multiply(np.asarray(band), np.float32(1 / 255), out=plane)

    def image(self) -> Image.Image:
        height, width = self.size
        levels = np.empty((3, height, width), np.uint8)
        for area in self.whole.bands():
            rows, columns = area.window
            levels[:, rows, columns] = np.clip(self._part(area) * 255 + 0.5, 0, 255)
        return Image.merge("RGB", [Image.fromarray(plane) for plane in levels])

    def finish(self, rng: np.random.Generator, look: Look, size: tuple[int, int]) -> Image.Image:
        """The picture of ``size`` (width, height) as a camera would give it.

        Light falls off to the corners, a tone curve adds contrast, then comes film grain.
        """
        balance = planes((1 + look.warmth, 1.0, 1 - look.warmth)) * np.float32(look.exposure)
        bell = NormalDist(sigma=look.grain)
        grain = np.array([bell.inv_cdf((k + 0.5) / 256) for k in range(256)], np.float32)
        for area in self.whole.bands():
            off = (area.x / self.w - 0.5) ** 2 + (area.y / self.h - 0.5) ** 2
            part = self._part(area)
            part *= (1 - look.vignette * 1.7 * off) * balance
            np.clip(part, 0, 1, out=part)
            part += (part * part * (3 - 2 * part) - part) * np.float32(look.contrast)
            part += grain[rng.integers(0, 256, off.shape, np.uint8)]
            part *= 1 - _BLACK_POINT
            part += _BLACK_POINT
        return self.image().resize(size, Image.Resampling.BILINEAR)

    def _part(self, area: Area) -> Array:
        """The pixels of ``area``, to be changed in place."""
        rows, columns = area.window
        return self.pixels[:, rows, columns]

    def _covered(
        self, shape: Shape, soft: float, strength: float
    ) -> Iterator[tuple[Area, Array, Array]]:
        """Slices of what ``shape`` touches: where, its pixels, and the share of each covered."""
        outlines = [shape] if isinstance(shape, np.ndarray) else list(shape)
        if not outlines:
            return
        corners = np.concatenate(outlines) * self.scale
        whole = self._bounds(corners, soft)
        if whole.height <= 0 or whole.width <= 0:
            return
        levels = self._cover(corners, [len(outline) for outline in outlines], whole, soft)
        for area in whole.bands():
            top = area.top - whole.top
            cover = levels[top : top + area.height] * np.float32(strength / 255)
            yield area, self._part(area), cover

    def _cover(
        self, corners: Outline, counts: list[int], area: Area, soft: float
    ) -> NDArray[np.uint8]:
        """How much of each pixel of ``area`` is covered, of 255.

        ``corners`` are those of all outlines in pixels, ``counts`` how many each outline has.
        """
        blur = soft * self.scale / 2
        # Sharp edges are drawn at twice the size; soft ones need fewer pixels than the canvas has.
        zoom = 2.0 if blur < 1 else min(1.0, 3 / blur)
        width, height = (max(1, round(side * zoom)) for side in (area.width, area.height))
        image = Image.new("L", (width, height))
        pen = ImageDraw.Draw(image)
        stretch = np.array([width / area.width, height / area.height])
        places: list[float] = ((corners - (area.left, area.top)) * stretch).ravel().tolist()
        start = 0
        for count in counts:
            pen.polygon(places[start : start + 2 * count], fill=255)
            start += 2 * count
        if zoom > 1:
            return np.asarray(image.reduce(2))
        image = image.filter(ImageFilter.GaussianBlur(blur * zoom))
        return np.asarray(image.resize((area.width, area.height), Image.Resampling.BILINEAR))

    def _bounds(self, corners: Outline, soft: float) -> Area:
        """The part of the canvas that these corners in pixels and soft edges can touch."""
        height, width = self.size
        margin = soft * self.scale * 1.5 + 1
        left, top = (max(0, int(low - margin)) for low in corners.min(axis=0).tolist())
        right, bottom = (int(high + margin) + 1 for high in corners.max(axis=0).tolist())
        return Area(top, left, min(bottom, height) - top, min(right, width) - left, self.scale)


def _colours(paint: Colour | Paint, area: Area) -> Array:
    return planes(paint) if isinstance(paint, tuple) else paint.over(area)
