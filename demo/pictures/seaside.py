"""What is found by the sea: waves, palms, parasols, boats, a lighthouse."""

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.outlines import (
    Outline,
    arc,
    bezier,
    box,
    ellipse,
    leaf,
    mirrored,
    placed,
    polygon,
    ribbon,
    smooth,
)
from demo.pictures.paints import (
    Array,
    Colour,
    Place,
    Ramp,
    darker,
    lighter,
    mix,
    near,
    palette,
    planes,
    rgb,
    stops,
)
from demo.pictures.scene import one_of
from demo.pictures.skies import Hour
from demo.pictures.textures import noise, step

PARASOLS = palette("#e4574d #f4f0e6 #f2b541 #3f8fb5 #f28fa0 #5fae9b")


def waves(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, horizon: float, sun_x: float
) -> None:
    """Open water from the horizon down to the lower edge, with the sun's path on it."""
    height, width = canvas.size
    line = round(horizon * canvas.scale)
    down = np.linspace(0, 1, height - line, dtype=np.float32)[:, None]
    codes = "#1d5f8a #2f86a6 #57b3bd" if hour.dark < 0.2 else "#4a5a86 #3a4a78 #22305a"
    deep = [mix(colour, hour.sky[2], 0.12 + hour.dark * 0.2) for colour in palette(codes)]
    crests = _crests(rng, height - line, width, down)
    water = stops(down, [mix(hour.haze, deep[0], 0.45), *deep]) * (0.72 + 0.5 * crests)
    lit = mix(hour.sky[-1], hour.sun, 0.4)
    water += planes(lit) * (np.clip(crests * 2 - 0.9, 0, 1) * np.float32(0.28))
    across = (canvas.whole.x - np.float32(sun_x)) / (np.float32(0.05) + down * np.float32(0.3))
    path = np.exp(-across * across) * step(crests, 0.5, 0.72) * (1 - down * np.float32(0.45))
    water += path * planes(hour.sun) * (1 - water)
    canvas.pixels[:, line:] = water


def _crests(rng: np.random.Generator, rows: int, width: int, down: Array) -> Array:
    """Wave crests that lie closer together towards the horizon, shape (rows, width)."""
    even = noise(rng, (rows, width), (34, 7), 4, 0.6)
    source = np.clip(np.sqrt(down[:, 0]) * (rows - 1), 0, rows - 1).astype(np.intp)
    crests: Array = even[source]
    return crests


def headland(canvas: Canvas, rng: np.random.Generator, hour: Hour, horizon: float) -> None:
    """A far cape that comes in from one side."""
    side = one_of(rng, [0.0, canvas.w])
    reach = canvas.w * rng.uniform(0.3, 0.55)
    x = np.linspace(0, 1, 40)
    rough = np.cumsum(rng.normal(0, 0.012, 40)) * (1 - x)
    y = horizon - np.clip((1 - x) ** 0.7 * rng.uniform(0.06, 0.17) + rough, 0, 1)
    way = reach if side == 0 else -reach
    ends = [(side + way, horizon + 0.004), (side, horizon + 0.004)]
    shape = np.concatenate([np.stack([side + x * way, y], 1), ends])
    rock = darker(mix(hour.haze, rgb("#3a3550"), 0.6), 0.35)
    canvas.fill(shape, Ramp((0, horizon - 0.15), (0, horizon), [rock, mix(rock, hour.haze, 0.4)]))


def gull(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    wings = [
        bezier((x, y), (x + way * size * 0.6, y - size * 0.7), (x + way * size * 1.3, y))
        for way in (-1, 1)
    ]
    canvas.fill([ribbon(wing, [size * 0.18, size * 0.12, 0.0]) for wing in wings], colour)


def palm(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, root: Place, lean: int, tall: float
) -> None:
    bark = darker(mix(rgb("#9a7552"), hour.haze, 0.15), hour.dark * 0.8)
    x, y = root
    top = (x + lean * tall * rng.uniform(0.15, 0.5), y - tall)
    trunk = bezier(root, (x + lean * 0.02, y - tall * 0.6), top)
    width = tall * 0.05
    canvas.shade(ellipse(x - lean * 0.1, y + 0.01, 0.25, 0.02), 0.4, soft=0.03)
    light = Ramp((x - width, 0), (x + tall * 0.3, 0), [lighter(bark, 0.2), darker(bark, 0.4)])
    canvas.fill(ribbon(trunk, [width * 1.4, width * 0.8, width * 0.6]), light)
    half = np.array([width * 0.4, 0])
    rings = [ribbon(np.stack([spot - half, spot + half]), 0.003) for spot in trunk[1:-1]]
    canvas.shade(rings, 0.35)
    green = darker(
        mix(canvas.in_turn(palette("#4f8a45 #3f7a4a #6a9a4a")), hour.haze, 0.1), hour.dark * 0.85
    )
    for angle in (2.75, 0.4, *np.linspace(-3.1, -0.05, 7).tolist()):
        shade = lighter(green, 0.15) if angle < -1.2 else darker(green, 0.25)
        frond = _frond(rng, top, angle + rng.uniform(-0.15, 0.15), tall * 0.48)
        canvas.fill(frond, near(rng, shade, 0.03))
    nuts = [ellipse(top[0] + dx, top[1] + 0.015, 0.016) for dx in (-0.02, 0.012)]
    canvas.fill(nuts, darker(bark, 0.3))


def _frond(rng: np.random.Generator, top: Place, angle: float, length: float) -> list[Outline]:
    """A drooping rib with narrow leaflets on both sides."""
    cos, sin = float(np.cos(angle)) * length, float(np.sin(angle)) * length
    tip = (top[0] + cos, top[1] + sin * 0.6 + length * rng.uniform(0.3, 0.55))
    rib = bezier(top, (top[0] + cos * 0.6, top[1] + sin * 0.9 - 0.02), tip)
    leaflet = leaf(1.0, 0.1)
    parts = [ribbon(rib, [0.008, 0.002])]
    for k in range(3, 32):
        dx, dy = (rib[k] - rib[k - 1]).tolist()
        reach = length * 0.3 * np.sin(np.pi * (k / 36) ** 0.7)
        for side in (-1, 1):
            turn = float(np.arctan2(dy, dx)) + side * rng.uniform(0.75, 1.1)
            parts.append(placed(leaflet, *rib[k].tolist(), turn=turn, size=reach))
    return parts


def parasol(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float, hour: Hour
) -> None:
    """A striped parasol seen from the side, with a deck chair under it."""
    dim, top = hour.dark * 0.6, y - size * 1.35
    canvas.shade(ellipse(x + size * 0.3, y + 0.01, size, size * 0.12), 0.4, soft=0.03)
    canvas.fill(ribbon(polygon((x, top), (x, y)), 0.009), darker(rgb("#efe6d6"), dim))
    cloth = canvas.in_turn(PARASOLS)
    for k in range(6):
        share = np.linspace(-1 + k / 3, -1 + (k + 1) / 3, 5)
        rim = np.stack([share, 0.48 + np.abs(share) * 0.04], axis=1)
        dome = np.stack([share * 0.6, 0.12 + share**2 * 0.12], axis=1)[::-1]
        panel = placed(np.concatenate([rim, dome, [(0, 0)]]), x, top, size=size)
        canvas.fill(panel, darker(cloth if k % 2 else rgb("#fbf6ea"), 0.05 + 0.05 * k + dim))
    seat = smooth(polygon((-0.55, -0.5), (-0.1, -0.1), (0.4, -0.24)), closed=False)
    legs = [polygon((-0.35, -0.25), (0.25, 0.0)), polygon((0.2, -0.2), (-0.3, 0.0))]
    canvas.fill([ribbon(placed(leg, x, y, size=size), 0.008) for leg in legs], rgb("#8a6a48"))
    sling = ribbon(placed(seat, x, y, size=size), size * 0.09)
    canvas.fill(sling, darker(lighter(cloth, 0.3), dim))


def parasol_from_above(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float
) -> None:
    canvas.shade(ellipse(x + size * 0.6, y + size * 0.5, size), 0.45, soft=size * 0.3)
    turn = rng.uniform(0, 1)
    wedges = [
        np.concatenate([arc(x, y, size, size, turn + k, turn + k + np.pi / 4, 6), [(x, y)]])
        for k in np.arange(8) * (np.pi / 4)
    ]
    canvas.fill(wedges[::2], one_of(rng, palette("#fbf7ee #fbf7ee #f2d6a0")))
    canvas.fill(wedges[1::2], one_of(rng, PARASOLS))
    gleam = ellipse(x - size * 0.3, y - size * 0.3, size * 0.5)
    canvas.shine(gleam, rgb("#ffffff"), soft=size * 0.5, strength=0.3)


def towel(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    """A striped towel on the sand, from above."""
    turn, cloth = rng.uniform(-0.4, 0.4), one_of(rng, PARASOLS)
    sheet = placed(box(-0.45, -0.9, 0.45, 0.9), x, y, turn=turn, size=size)
    canvas.shade(sheet + size * 0.06, 0.35, soft=size * 0.12)
    canvas.fill(sheet, cloth)
    lines = [box(-0.45, k - 0.08, 0.45, k + 0.08) for k in (-0.5, 0.0, 0.5)]
    stripes = [placed(line, x, y, turn=turn, size=size) for line in lines]
    canvas.fill(stripes, lighter(cloth, 0.6))


def boat(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, x: float, y: float, size: float
) -> None:
    """A sloop under sail; ``size`` is the height of its mast."""
    canvas.shade(
        ellipse(x + size * 0.06, y + size * 0.06, size * 0.45, size * 0.035), 0.5, soft=size * 0.05
    )
    paint = mix(one_of(rng, palette("#f4f1ea #24405e #8a3b34 #2f5d62")), hour.haze, 0.1)
    keel = bezier((-0.3, -0.09), (-0.24, 0.03), (0.0, 0.035))
    bow = bezier((0.0, 0.035), (0.27, 0.03), (0.375, -0.11))
    hull = placed(np.concatenate([keel, bow]), x, y, size=size)
    down = (0.0, y - size * 0.1), (0.0, y + size * 0.04)
    canvas.fill(hull, Ramp(*down, [lighter(paint, 0.2), darker(paint, 0.35)]))
    canvas.fill(placed(box(-0.007, -1.03, 0.007, -0.08), x, y, size=size), rgb("#6b5238"))
    _sails(canvas, rng, hour, (x, y), size)
    foam = ellipse(x, y + size * 0.04, size * 0.4, size * 0.008)
    canvas.shine(foam, rgb("#ffffff"), soft=0.01, strength=0.5)


def _sails(canvas: Canvas, rng: np.random.Generator, hour: Hour, at: Place, size: float) -> None:
    cloth = mix(one_of(rng, palette("#fbf7ee #fbf7ee #f3e2c0 #e4574d")), hour.haze, 0.1)
    aft = bezier((-0.02, -1.0), (-0.225, -0.35), (-0.285, -0.15))
    fore = bezier((0.02, -0.92), (0.225, -0.4), (0.33, -0.13))
    sails = [np.concatenate([aft, [(-0.02, -0.14)]]), np.concatenate([fore, [(0.04, -0.16)]])]
    across = (at[0] - size * 0.3, 0.0), (at[0] + size * 0.3, 0.0)
    tones = [darker(cloth, 0.18), lighter(cloth, 0.3), darker(cloth, 0.22)]
    canvas.fill([placed(sail, *at, size=size) for sail in sails], Ramp(*across, tones))
    mirror = [placed(sail * (1, -0.5), *at, size=size) for sail in sails]
    canvas.fill(mirror, cloth, soft=0.02, opacity=0.22)


def light_tower(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, x: float, base: float, size: float
) -> None:
    """A banded lighthouse; at dusk its lamp is lit."""
    paint = near(rng, canvas.in_turn(palette("#d8433b #2f4a6b #3a3a3a")), 0.03)
    for k in range(5):
        low, high = -0.156 * k, -0.156 * (k + 1)
        a, b = 0.13 * (1 - 0.076 * k), 0.13 * (1 - 0.076 * (k + 1))
        band = placed(mirrored(polygon((a, low), (b, high))), x, base, size=size)
        colour = darker(paint if k % 2 else rgb("#f7f3ea"), hour.dark * 0.5)
        sunny = lighter(mix(colour, hour.sun, 0.3), 0.1)
        light = [darker(colour, 0.1), sunny, darker(colour, 0.5)]
        canvas.fill(band, Ramp((x - size * 0.13, 0), (x + size * 0.13, 0), light))
    lamp = rgb("#ffe9a8") if hour.dark > 0.3 else rgb("#9fb6c2")
    canvas.fill(placed(box(-0.05, -0.91, 0.05, -0.8), x, base, size=size), lamp)
    canvas.fill(placed(box(-0.11, -0.81, 0.11, -0.78), x, base, size=size), rgb("#2c2f36"))
    roof = placed(polygon((-0.07, -0.91), (0.0, -1.0), (0.07, -0.91)), x, base, size=size)
    canvas.fill(roof, darker(paint, 0.2 + hour.dark * 0.3))
    if hour.dark > 0.3:
        height = base - size * 0.85
        beam = polygon((x, height), (x + 1.5, height - 0.25), (x + 1.5, height + 0.1))
        canvas.shine(beam, rgb("#fff0c0"), soft=0.05, strength=0.3)
        halo = ellipse(x, height, size * 0.16)
        canvas.shine(halo, rgb("#fff0c0"), soft=size * 0.2, strength=0.9)
