"""Things that lie on a table, seen from above: cups, plates, spoons, pastry, beans."""

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.outlines import (
    Outline,
    arc,
    blob,
    ellipse,
    leaf,
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
from demo.pictures.scene import one_of, sparsely

GLAZES = palette("#f4f0e8 #c97b5a #3d4a52 #dfc9a8 #b9c7c2 #2f3b46 #e8e1d4 #8fa6a0")
_CREMA = rgb("#c98f55")
_MILK = rgb("#f7e9d2")
_CRUST = palette("#f0bf6c #d18f3c #8f4f1c")


def heart(size: float) -> Outline:
    """A heart with its tip down, about ``size`` high, around (0, 0)."""
    t = np.arange(60) * (2 * np.pi / 60)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1) * size / 30


def latte_art(canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    """Milk poured as a heart, a tulip of hearts or a fern."""
    turn = rng.uniform(-0.6, 0.6)
    sizes, first, drop = one_of(
        rng, [([1.25, 0.8, 0.42], 0.06, 0.05), ([1.35, 1.05, 0.75, 0.45], 0.22, 0.17), ([], 0, 0)]
    )
    for layer, size in enumerate(sizes):
        colour = mix(_CREMA, _MILK, 0.12) if layer % 2 else _MILK
        down = r * (first - drop * layer)
        shape = placed(heart(r * size), x - down * float(np.sin(turn)), y + down, turn=turn)
        canvas.fill(shape, colour, soft=r * 0.05)
    if not sizes:
        _fern(canvas, x, y, r, turn)


def _fern(canvas: Canvas, x: float, y: float, r: float, turn: float) -> None:
    blade = placed(leaf(r * 1.5, r * 1.05, 0.4), 0, r * 0.75, turn=-np.pi / 2)
    canvas.fill(placed(blade, x, y, turn=turn), _MILK, soft=r * 0.05)
    veins = []
    for k in range(6):
        top, half = r * (0.5 - 0.2 * k), r * (0.5 - 0.055 * k)
        vee = polygon((-half, top - r * 0.16), (0, top + r * 0.08), (half, top - r * 0.16))
        line = placed(smooth(vee, closed=False), x, y, turn=turn)
        veins.append(ribbon(line, [r * 0.03, r * 0.06, r * 0.03]))
    canvas.fill(veins, _CREMA, soft=r * 0.035)
    stem = placed(polygon((0, r * 0.7), (0, -r * 0.75)), x, y, turn=turn)
    canvas.fill(ribbon(stem, [r * 0.08, r * 0.02]), _MILK, soft=r * 0.03)


def plate(canvas: Canvas, x: float, y: float, r: float, glaze: Colour) -> None:
    """A round plate with its shadow, rim and well."""
    canvas.shade(ellipse(x + r * 0.14, y + r * 0.18, r * 1.01), 0.6, soft=r * 0.3)
    canvas.shade(ellipse(x + r * 0.03, y + r * 0.04, r * 1.01), 0.4, soft=r * 0.06)
    rim = [lighter(glaze, 0.3), darker(glaze, 0.25)]
    canvas.fill(ellipse(x, y, r), Radial((x - r * 0.5, y - r * 0.6), r * 2, rim))
    canvas.fill(ellipse(x, y, r * 0.7), darker(glaze, 0.2), soft=r * 0.04)
    well = Radial((x + r * 0.3, y + r * 0.4), r * 1.4, [lighter(glaze, 0.22), darker(glaze, 0.16)])
    canvas.fill(ellipse(x, y, r * 0.68), well, soft=r * 0.03)


def cup(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float, glaze: Colour
) -> None:
    """A full cup on its saucer; ``r`` is the radius of the cup's rim."""
    plate(canvas, x, y, r * 1.65, lighter(glaze, 0.15))
    canvas.shade(ellipse(x + r * 0.2, y + r * 0.24, r), 0.5, soft=r * 0.3)
    _handle(canvas, x, y, r, rng.uniform(-0.7, 0.9), glaze)
    low, high = (x - r, y - r), (x + r, y + r)
    canvas.fill(ellipse(x, y, r), Ramp(low, high, [lighter(glaze, 0.5), glaze, darker(glaze, 0.3)]))
    inner = Ramp(low, high, [darker(glaze, 0.45), lighter(glaze, 0.2)])
    canvas.fill(ellipse(x, y, r * 0.92), inner, soft=r * 0.02)
    _coffee(canvas, rng, x + r * 0.015, y + r * 0.02, r * 0.84)


def _handle(canvas: Canvas, x: float, y: float, r: float, turn: float, glaze: Colour) -> None:
    ear = placed(arc(r * 1.12, 0, r * 0.3, r * 0.22, -1.9, 1.9), x, y, turn=turn)
    canvas.shade(ribbon(ear + r * 0.05, r * 0.15), 0.4, soft=r * 0.1)
    canvas.fill(ribbon(ear, r * 0.14), glaze)
    canvas.shine(ribbon(ear - r * 0.02, r * 0.04), rgb("#ffffff"), soft=r * 0.05, strength=0.5)


def _coffee(canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    brew = [lighter(_CREMA, 0.06), _CREMA, rgb("#a5662f"), rgb("#5b3016")]
    canvas.fill(ellipse(x, y, r), Radial((x, y), r, brew), soft=r * 0.02)
    if rng.random() < 0.85:
        latte_art(canvas, rng, x, y, r * 0.78)
    canvas.shade(ribbon(arc(x, y, r * 0.97, r * 0.97, 2.6, 5.2), r * 0.12), 0.45, soft=r * 0.12)
    glint = ribbon(arc(x, y, r * 0.8, r * 0.8, 0.3, 1.1), [0, r * 0.07, 0])
    canvas.shine(glint, rgb("#fff3df"), soft=r * 0.05, strength=0.5)


def spoon(canvas: Canvas, x: float, y: float, length: float, turn: float) -> None:
    metal = Ramp((x, y - 0.03), (x + 0.02, y + 0.05), palette("#f6f4ef #8f8d8b #e9e6e0 #75716f"))
    handle = ribbon(polygon((0.0, 0.0), (length * 0.7, 0.0)), [0.022, 0.012, 0.012])
    bowl = ellipse(length * 0.84, 0, length * 0.17, length * 0.105)
    parts = [placed(part, x, y, turn=turn) for part in (handle, bowl)]
    canvas.shade([part + 0.012 for part in parts], 0.5, soft=0.02)
    canvas.fill(parts, metal)
    dip = placed(ellipse(length * 0.84, 0, length * 0.13, length * 0.075), x, y, turn=turn)
    canvas.fill(dip, Ramp((x, y - 0.05), (x, y + 0.05), palette("#6f6c6a #d9d6d0")), soft=0.008)


def croissant(canvas: Canvas, x: float, y: float, size: float, turn: float) -> None:
    """A crescent of overlapping rolls, fattest in the middle."""
    angles = np.linspace(np.pi * 1.06, np.pi * 1.94, 11)
    centres = np.stack([np.cos(angles), np.sin(angles) * 0.55 + 0.3], axis=1) * size
    centres = placed(centres, x, y, turn=turn)
    girth = (size * (0.12 + 0.3 * np.sin(np.linspace(0.1, np.pi - 0.1, 11)))).tolist()
    lean = (np.arctan2(np.sin(angles) * 1.3, np.cos(angles)) + turn).tolist()
    rolls = [
        ellipse(cx, cy, girth[k], size * (0.13 + 0.07 * np.sin(k / 10 * np.pi)), lean[k])
        for k, (cx, cy) in enumerate(centres.tolist())
    ]
    canvas.shade([roll + size * 0.08 for roll in rolls], 0.6, soft=size * 0.16)
    for k in sorted(range(11), key=lambda k: -abs(k - 5)):
        cx, cy = centres[k].tolist()
        lit = (cx - girth[k] * 0.3, cy - girth[k] * 0.45)
        canvas.shade(rolls[k], 0.5, soft=size * 0.07, tint=rgb("#d8ecff"))
        canvas.fill(rolls[k], Radial(lit, girth[k] * 1.5, _CRUST), soft=size * 0.02)
        gleam = ellipse(*lit, girth[k] * 0.35, size * 0.035, lean[k])
        canvas.shine(gleam, rgb("#ffe9bd"), soft=size * 0.06, strength=0.6)


def cookie(canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    edge = blob(rng, x, y, r, 0.03)
    canvas.shade(edge + r * 0.09, 0.6, soft=r * 0.18)
    dough = [near(rng, rgb("#e3b270"), 0.03), rgb("#cf9350"), rgb("#8f5726")]
    canvas.fill(edge, Radial((x - r * 0.2, y - r * 0.25), r * 1.35, dough), soft=r * 0.03)
    places = sparsely(rng, 26, (2 * r, 2 * r), r * 0.24)
    crumbs = [
        blob(rng, x + dx - r, y + dy - r, r * rng.uniform(0.05, 0.13), 0.2)
        for dx, dy in places
        if np.hypot(dx - r, dy - r) < r * 0.85
    ]
    canvas.shine(
        [crumb - r * 0.03 for crumb in crumbs], rgb("#ffe2b0"), soft=r * 0.03, strength=0.35
    )
    canvas.fill(crumbs, rgb("#45240f"), soft=r * 0.02)


def doughnut(canvas: Canvas, rng: np.random.Generator, x: float, y: float, r: float) -> None:
    icing = one_of(rng, palette("#f3a9b8 #5a2f1d #f6e3c3 #e8c0d8 #9fd0c6 #f0b35a"))
    canvas.shade(ellipse(x + r * 0.12, y + r * 0.14, r), 0.6, soft=r * 0.22)
    canvas.fill(ellipse(x, y, r), Radial((x - r * 0.3, y - r * 0.3), r * 1.5, _CRUST))
    glaze = Radial((x - r * 0.4, y - r * 0.45), r * 1.5, [lighter(icing, 0.35), icing])
    coat = blob(rng, x, y, r * 0.88, 0.04)
    canvas.shade(coat + r * 0.02, 0.3, soft=r * 0.06)
    canvas.fill(coat, glaze, soft=r * 0.03)
    _sprinkles(canvas, rng, (x, y), r)
    ring = ribbon(arc(x, y, r * 0.6, r * 0.6, 3.4, 5.0), [0, r * 0.12, 0])
    canvas.shine(ring, rgb("#ffffff"), soft=r * 0.12, strength=0.45)
    canvas.fill(ellipse(x, y, r * 0.3), _CRUST[1], soft=r * 0.05)
    canvas.fill(ellipse(x + r * 0.02, y + r * 0.03, r * 0.22), rgb("#4a2c18"), soft=r * 0.1)


def _sprinkles(canvas: Canvas, rng: np.random.Generator, centre: Place, r: float) -> None:
    for colour in palette("#ffffff #f7d04f #e4574d #5fb3c9 #7fc47f"):
        sticks = []
        for angle, reach, turn in rng.uniform((0, 0.45, 0), (6.28, 0.8, 3), (7, 3)).tolist():
            x, y = (c + f(angle) * reach * r for c, f in zip(centre, (np.cos, np.sin), strict=True))
            sticks.append(ellipse(float(x), float(y), r * 0.05, r * 0.018, turn))
        canvas.fill(sticks, colour)


def beans(canvas: Canvas, rng: np.random.Generator, places: list[Place], size: float) -> None:
    """One loose layer of roasted beans; all of one roast are painted at once, for speed."""
    turns = rng.uniform(0, np.pi, len(places)).tolist()
    body, gleam = ellipse(0, 0, size, size * 0.7), ellipse(0, 0, size * 0.5, size * 0.3)
    crease = ribbon(arc(0, 0, size * 0.85, size * 0.2, 0.1, np.pi - 0.1, 7), [0, size * 0.2, 0])
    spots = [(x, y, turn) for (x, y), turn in zip(places, turns, strict=True)]
    bodies = [placed(body, x, y, turn=turn) for x, y, turn in spots]
    canvas.shade([bean + size * 0.25 for bean in bodies], 0.75, soft=size * 0.5)
    for roast, brown in enumerate(palette("#6b3f22 #48270f #3a1f11")):
        canvas.fill(bodies[roast::3], brown)
    gleams = [gleam + (np.array(place) - size * 0.27) for place in places]
    canvas.shine(gleams, rgb("#d9a878"), soft=size * 0.5, strength=0.5)
    creases = [placed(crease, x, y, turn=turn) for x, y, turn in spots]
    canvas.fill(creases, rgb("#1f0f07"), opacity=0.8)
