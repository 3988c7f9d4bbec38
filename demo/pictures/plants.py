"""Flowers and leaves: daisies, blossoms, tulips, foliage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.outlines import (
    Outline,
    bezier,
    ellipse,
    leaf,
    mirrored,
    placed,
    polygon,
    ribbon,
    smooth,
)
from demo.pictures.paints import (
    Colour,
    Place,
    Radial,
    Ramp,
    darker,
    lighter,
    mix,
    near,
    palette,
    rgb,
)

# The turn from one seed or leaf to the next that packs them best (Vogel 1979).
GOLDEN_ANGLE = 2.39996


@dataclass(frozen=True, slots=True)
class Bloom:
    """The colours of a daisy-like flower."""

    tip: Colour
    root: Colour
    heart: Colour

    @classmethod
    def of(cls, codes: str) -> "Bloom":
        return cls(*palette(codes))


BLOOMS = [
    Bloom.of(codes)
    for codes in (
        "#ffc928 #e8860f #5b2f12",
        "#c48ae0 #6d3fa0 #f6cf52",
        "#fff8ee #e9dcc9 #f3b62f",
        "#ff5f5f #a8161f #2a1212",
        "#f27aa0 #b52a63 #f4d04a",
        "#9ab8ff #4460c0 #f8e08a",
        "#ff8a4a #cf3b1c #3a1a10",
    )
]


def daisy(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float, bloom: Bloom
) -> None:
    """A composite flower: two rings of petals round a disc of seeds."""
    count = int(rng.integers(9, 19))
    turn = rng.uniform(0, 1)
    for ring, size in ((0, 1.0), (1, 0.86)):
        for k in range(count):
            angle = turn + (k + ring * 0.5) * 2 * np.pi / count + rng.uniform(-0.05, 0.05)
            length = r * size * rng.uniform(0.92, 1.05)
            _petal(canvas, (x, y), angle, length, length * 5.0 / (count + 3), bloom)
    vein = ribbon(bezier((r * 0.25, 0), (r * 0.5, 0), (r * 0.75, 0), 5), [0.0, r * 0.016, 0.0])
    angles = turn + (np.arange(count) + 0.5) * 2 * np.pi / count
    veins = [placed(vein, x, y, turn=a + b) for a in angles.tolist() for b in (-0.05, 0, 0.05)]
    canvas.shade(veins, 0.2, soft=r * 0.015)
    _seeds(canvas, rng, (x, y), r * rng.uniform(0.2, 0.34), bloom.heart)


def _petal(
    canvas: Canvas, root: Place, angle: float, length: float, width: float, bloom: Bloom
) -> None:
    shape = placed(leaf(length, width, 0.62), *root, turn=angle)
    end = (root[0] + float(np.cos(angle)) * length, root[1] + float(np.sin(angle)) * length)
    canvas.shade(shape + width * 0.08, 0.35, soft=width * 0.25)
    facing = 0.5 - 0.5 * float(np.sin(angle + 0.8))
    lit = mix(darker(bloom.tip, 0.12), lighter(bloom.tip, 0.25), facing)
    canvas.fill(shape, Ramp(root, end, [bloom.root, mix(bloom.root, lit, 0.6), lit, lit]))


def _seeds(
    canvas: Canvas, rng: np.random.Generator, centre: Place, r: float, colour: Colour
) -> None:
    x, y = centre
    canvas.shade(ellipse(x + r * 0.1, y + r * 0.14, r * 1.12), 0.5, soft=r * 0.3)
    tones = [lighter(colour, 0.3), colour, darker(colour, 0.6)]
    canvas.fill(ellipse(x, y, r), Radial((x - r * 0.3, y - r * 0.35), r * 1.5, tones))
    k = np.arange(1, 120)
    reach, angle = r * 0.96 * np.sqrt(k / 120), k * GOLDEN_ANGLE
    spots = np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1)
    dot = ellipse(0, 0, r * 0.05)
    canvas.shade([dot + spot + r * 0.02 for spot in spots], 0.5, soft=r * 0.03)
    canvas.fill([dot + spot for spot in spots[::2]], lighter(colour, 0.25), opacity=0.8)
    dim = near(rng, darker(colour, 0.15), 0.05)
    canvas.fill([dot + spot for spot in spots[1::2]], dim, opacity=0.8)


def blossom(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float, colour: Colour
) -> None:
    """A five-petalled blossom with its stamens, seen a little from the side."""
    squash = np.array([1, rng.uniform(0.7, 1.0)])
    heart = mix(colour, rgb("#c2265a"), 0.45)
    half = polygon((0, 0.02), (0.25, 0.2), (0.62, 0.36), (0.92, 0.22), (0.98, 0.1), (0.92, 0.0))
    petal = smooth(np.concatenate([half, (half * (1, -1))[::-1][1:-1]]), rounds=1) * r
    turns = (rng.uniform(0, 2) + np.arange(5) * 2 * np.pi / 5).tolist()
    petals = [placed(petal, 0, 0, turn=turn) * squash + np.array([x, y]) for turn in turns]
    canvas.shade([part + r * 0.12 for part in petals], 0.3, soft=r * 0.3)
    tones = [heart, mix(heart, colour, 0.7), colour, lighter(colour, 0.55)]
    canvas.fill(petals, Radial((x, y), r, tones))
    edges = [ribbon(part[: len(part) // 2], [0.0, r * 0.05, 0.0]) for part in petals]
    canvas.shade(edges, 0.3, soft=r * 0.05)
    angles = rng.uniform(0, 2 * np.pi, 14)
    ends = np.stack([np.cos(angles), np.sin(angles)], axis=1) * squash * r * 0.38 + (x, y)
    canvas.fill([ribbon(np.stack([(x, y), end]), r * 0.02) for end in ends], lighter(heart, 0.3))
    canvas.fill([ellipse(0, 0, r * 0.045) + end for end in ends], rgb("#f4c63d"))


def tulips(
    canvas: Canvas,
    rng: np.random.Generator,
    y: float,
    size: float,
    colour_at: Sequence[Colour],
    beds: Outline,
) -> None:
    """A row of tulips across the picture; ``beds`` are the x at which the colour changes."""
    count = int(canvas.w / (size * 1.2)) + 2
    x = np.arange(count) * size * 1.2 + rng.uniform(-0.4, 0.4, count) * size
    places = np.stack([x, y + rng.uniform(-0.3, 0.3, count) * size], axis=1)
    kind = np.searchsorted(beds, x) % len(colour_at)
    canvas.shade(_across(y + size * 0.75, size * 0.9), 0.3, soft=size * 0.6)
    greens = [
        placed(part, 0, size * 1.5, turn=turn, size=size)
        for part, turn in ((leaf(2.2, 0.12), -1.57), (leaf(1.5, 0.3), -1.1), (leaf(1.4, 0.3), -2.0))
    ]
    stalks = [part + place for place in places for part in greens]
    canvas.fill(stalks, mix(rgb("#5f8f45"), rgb("#2f5a28"), min(size * 11, 1.0)))
    half = [(0.0, 0.62), (0.36, 0.45), (0.46, 0.0), (0.34, -0.62), (0.16, -0.3), (0.0, -0.68)]
    head = smooth(mirrored(polygon(*half)), rounds=1) * size
    for bed, colour in enumerate(colour_at):
        light = [lighter(colour, 0.3), colour, darker(colour, 0.35)]
        heads = [head + place for place in places[kind == bed]]
        canvas.fill(heads, Ramp((0, y - size * 0.7), (0, y + size * 0.6), light))
    gleam = ellipse(-0.12, -0.05, 0.14, 0.45) * size
    canvas.shine([gleam + p for p in places], rgb("#fff0e0"), soft=size * 0.15, strength=0.3)


def _across(y: float, thick: float) -> Outline:
    return ribbon(polygon((-1.0, y), (3.0, y)), thick)


@dataclass(frozen=True, slots=True)
class Foliage:
    """A leaf of length 1 from (0, 0) along +x: its outline and its ribs."""

    blade: Outline
    ribs: list[Outline]

    @classmethod
    def entire(cls) -> "Foliage":
        return cls(leaf(1.0, 0.5, 0.42), _ribs(0.2))

    @classmethod
    def slender(cls) -> "Foliage":
        return cls(leaf(1.0, 0.2, 0.45), _ribs(0.08))

    @classmethod
    def notched(cls) -> "Foliage":
        """Deeply cut between the ribs, as a monstera's."""
        blade = leaf(1.0, 0.85, 0.36)
        following = np.roll(blade, -1, axis=0)
        share = np.linspace(0, 1, 5, endpoint=False)[None, :, None]
        fine = (blade[:, None] * (1 - share) + following[:, None] * share).reshape(-1, 2)
        along = fine[:, 0]
        wave = np.clip(np.cos(along * 2 * np.pi * 6.5) * 4 - 2.6, 0, 1)
        keep = 1 - 0.62 * wave * (along > 0.12) * (along < 0.9)
        return cls(np.stack([along, fine[:, 1] * keep], axis=1), _ribs(0.36))

    def draw(
        self, canvas: Canvas, x: float, y: float, size: float, turn: float, colour: Colour
    ) -> None:
        """The leaf with its stalk at (x, y), and its shadow on what lies below."""
        shape = placed(self.blade, x, y, turn=turn, size=size)
        canvas.shade(shape + size * 0.05, 0.6, soft=size * 0.14)
        dx, dy = -float(np.sin(turn)) * size * 0.4, float(np.cos(turn)) * size * 0.4
        shades = [lighter(colour, 0.3), colour, darker(colour, 0.25)]
        light = [*shades, lighter(colour, 0.08), darker(colour, 0.3)]
        canvas.fill(shape, Ramp((x - dx, y - dy), (x + dx, y + dy), light))
        lines = [placed(rib, x, y, turn=turn, size=size) for rib in self.ribs]
        canvas.fill(lines, lighter(colour, 0.4), opacity=0.55)


def _ribs(reach: float) -> list[Outline]:
    ribs = [ribbon(polygon((0.0, 0.0), (0.95, 0.0)), [0.016, 0.003])]
    for k in np.linspace(0.12, 0.75, 7).tolist():
        for side in (-1, 1):
            end = (k + 0.2, side * reach * (1 - k * 0.7))
            rib = bezier((k, 0), (k + 0.08, side * reach * 0.4), end, count=8)
            ribs.append(ribbon(rib, [0.016, 0.003]))
    return ribs
