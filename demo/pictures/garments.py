"""Things to wear: garments laid flat, hung and folded, shoes, sunglasses."""

from itertools import pairwise

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.cloth import (
    WEAVES,
    Cloth,
    Weave,
    colours_of,
    gingham,
    knit,
    plain,
    stripes,
    tartan,
)
from demo.pictures.outlines import (
    Outline,
    arc,
    bezier,
    box,
    ellipse,
    mirrored,
    placed,
    polygon,
    ribbon,
    rounded,
    smooth,
)
from demo.pictures.paints import Colour, Place, Ramp, darker, lighter, palette, rgb
from demo.pictures.scene import one_of

# Right halves of garments of height 1 around (0, 0), from the collar to the hem.
SHIRT = polygon(
    (0.0, -0.42), (0.1, -0.45), (0.13, -0.5), (0.34, -0.42), (0.6, -0.16),
    (0.44, -0.04), (0.33, -0.17), (0.335, 0.3), (0.32, 0.5), (0.0, 0.51),
)  # fmt: skip
SWEATER = polygon(
    (0.0, -0.43), (0.1, -0.46), (0.13, -0.5), (0.33, -0.42), (0.45, -0.1), (0.58, 0.34),
    (0.46, 0.38), (0.33, 0.0), (0.33, 0.4), (0.31, 0.5), (0.0, 0.5),
)  # fmt: skip
TROUSERS = polygon(
    (0.0, -0.5), (0.2, -0.5), (0.22, -0.4), (0.27, 0.0), (0.26, 0.5), (0.08, 0.5),
    (0.035, -0.08), (0.0, -0.14),
)  # fmt: skip
DRESS = polygon(
    (0.0, -0.4), (0.08, -0.42), (0.12, -0.5), (0.17, -0.5), (0.2, -0.32), (0.17, -0.08),
    (0.3, 0.25), (0.38, 0.48), (0.0, 0.52),
)  # fmt: skip
_SOLE = smooth(
    polygon(
        (-0.5, 0.0), (-0.45, -0.17), (-0.1, -0.15), (0.2, -0.21), (0.48, -0.13),
        (0.52, 0.02), (0.4, 0.17), (0.1, 0.18), (-0.2, 0.14), (-0.45, 0.16),
    )
)  # fmt: skip


def laid_flat(
    canvas: Canvas,
    rng: np.random.Generator,
    half: Outline,
    at: Place,
    size: float,
    turn: float,
    weave: Weave,
) -> None:
    """A garment from its right ``half``, with shadow, pattern, folds and seams."""
    shape = placed(smooth(mirrored(half), rounds=2), *at, turn=turn, size=size)
    canvas.shade(shape + size * 0.035, 0.5, soft=size * 0.09)
    canvas.shade(shape + size * 0.008, 0.45, soft=size * 0.02)
    colours = colours_of(rng)
    canvas.fill(shape, Cloth(weave, colours, size * 0.13, turn))
    _creases(canvas, rng, shape, size)
    canvas.shade(ribbon(np.concatenate([shape, shape[:1]]), size * 0.02), 0.35, soft=size * 0.03)
    seam = darker(colours[1], 0.45)
    if half is not TROUSERS:
        neck = placed(ellipse(0, -0.455, 0.105, 0.05), *at, turn=turn, size=size)
        canvas.fill(neck, darker(seam, 0.4))
    lines = [placed(ribbon(line, 0.006), *at, turn=turn, size=size) for line in _seams(half)]
    canvas.fill(lines, seam, opacity=0.7)


def _creases(canvas: Canvas, rng: np.random.Generator, shape: Outline, size: float) -> None:
    """Soft folds down the garment, each a pair of light and shade."""
    low, high = shape.min(axis=0), shape.max(axis=0)
    lines = []
    for _ in range(8):
        start = rng.uniform(low + (high - low) * 0.25, low + (high - low) * 0.7)
        end = start + rng.normal((0, 0.1), (0.05, 0.13)) * size
        lines.append(bezier(start, (start + end) / 2 + rng.normal(0, 0.03, 2) * size, end))
    dark = [ribbon(line, [0, size * 0.035, 0]) for line in lines]
    canvas.shade(dark, 0.28, soft=size * 0.06)
    light = [ribbon(line - size * 0.02, [0, size * 0.03, 0]) for line in lines]
    canvas.shine(light, rgb("#ffffff"), soft=size * 0.05, strength=0.2)


def _seams(half: Outline) -> list[Outline]:
    """Collar and hem, or waistband, fly and hems."""
    if half is not TROUSERS:
        collar = arc(0, -0.46, 0.125, 0.085, 0, np.pi)
        return [collar, polygon((-0.3, 0.46), (0.3, 0.46))]
    hems = [polygon((side * 0.07, 0.47), (side * 0.255, 0.47)) for side in (-1, 1)]
    return [polygon((-0.2, -0.44), (0.2, -0.44)), polygon((0.0, -0.5), (0.0, -0.16)), *hems]


def placket(canvas: Canvas, cloth: Cloth, thread: Colour, at: Place) -> None:
    """The buttoned strip down the front of a shirt, through the whole picture."""
    x, _ = at
    strip = box(x - 0.055, -0.1, x + 0.055, canvas.h + 0.1)
    canvas.shade(strip + np.array([0.008, 0.0]), 0.5, soft=0.03)
    canvas.fill(strip, cloth)
    for edge in (-0.044, 0.044):
        _stitches(canvas, polygon((x + edge, -0.1), (x + edge, canvas.h + 0.1)), thread)
    for y in np.arange(0.24, canvas.h, 0.3).tolist():
        button(canvas, x, y, 0.033)


def pocket(canvas: Canvas, cloth: Cloth, at: Place) -> None:
    """A breast pocket whose upper edge is centred on ``at``."""
    half = polygon((0.0, 0.0), (0.16, 0.0), (0.155, 0.3), (0.0, 0.37))
    outline = placed(mirrored(half), *at)
    canvas.shade(outline + 0.006, 0.5, soft=0.025)
    canvas.fill(outline, cloth)
    inner = placed(mirrored(half * 0.93), at[0], at[1] + 0.012)
    _stitches(canvas, np.concatenate([inner, inner[:1]]), darker(cloth.colours[1], 0.3))
    hem = polygon((at[0] - 0.16, at[1] + 0.05), (at[0] + 0.16, at[1] + 0.05))
    canvas.shade(ribbon(hem, 0.006), 0.4, soft=0.006)


def collar(canvas: Canvas, cloth: Cloth, at: Place) -> None:
    """The two points of a collar, meeting at ``at``."""
    half = polygon((0.0, -0.02), (0.06, -0.2), (0.45, -0.2), (0.3, 0.2), (0.25, 0.22))
    for side in (-1, 1):
        point = placed(half * (side, 1), *at)
        canvas.shade(point + np.array([0.01, 0.02]), 0.55, soft=0.05)
        canvas.fill(point, cloth)
        edge = placed(half[[0, 4, 3, 2]] * (side * 0.94, 0.92), *at)
        _stitches(canvas, edge, darker(cloth.colours[1], 0.3))


def _stitches(canvas: Canvas, line: Outline, thread: Colour) -> None:
    """A dashed seam along straight runs of ``line``."""
    dashes = []
    for start, end in pairwise(line):
        count = max(1, int(np.hypot(*(end - start)) / 0.016))
        shares = np.arange(count) / count
        dashes += [
            ribbon(
                np.stack([start + (end - start) * a, start + (end - start) * (a + 0.6 / count)]),
                0.003,
            )
            for a in shares
        ]
    canvas.fill(dashes, thread, opacity=0.8)


def button(canvas: Canvas, x: float, y: float, r: float) -> None:
    """A shirt button of mother-of-pearl."""
    low, high = (x - r, y - r), (x + r, y + r)
    canvas.shade(ellipse(x + r * 0.15, y + r * 0.2, r), 0.6, soft=r * 0.4)
    canvas.fill(ellipse(x, y, r), Ramp(low, high, palette("#ffffff #e9e2d6 #9f978a")))
    canvas.fill(ellipse(x, y, r * 0.72), Ramp(low, high, palette("#b9b0a3 #efe9de #ffffff")))
    holes = [ellipse(x + a * r * 0.22, y + b * r * 0.22, r * 0.1) for a in (-1, 1) for b in (-1, 1)]
    canvas.fill(holes, rgb("#4a4038"))


def shoe(canvas: Canvas, x: float, y: float, size: float, turn: float, paint: Colour) -> None:
    """A trainer from above; its toe points along ``turn``."""

    def put(part: Outline, scale: float = 1.0) -> Outline:
        return placed(part, x, y, turn=turn, size=size * scale)

    canvas.shade(put(_SOLE) + 0.013, 0.55, soft=0.03)
    canvas.fill(put(_SOLE, 1.04), rgb("#f5f2ec"))
    tones = [lighter(paint, 0.3), paint, darker(paint, 0.3)]
    canvas.fill(put(_SOLE, 0.94), Ramp((x - size * 0.3, 0), (x + size * 0.3, 0), tones))
    canvas.fill(put(ellipse(-0.22, 0, 0.2, 0.1)), darker(paint, 0.65))
    canvas.fill(put(rounded(-0.1, -0.07, 0.2, 0.07, 0.05)), lighter(paint, 0.15))
    rows = np.linspace(-0.06, 0.18, 5).tolist()
    laces = [put(ribbon(polygon((k, -0.1), (k + 0.03, 0.1)), 0.022)) for k in rows]
    canvas.shade([lace + 0.003 for lace in laces], 0.4, soft=0.004)
    canvas.fill(laces, rgb("#fbf9f4"))


def sunglasses(canvas: Canvas, x: float, y: float, size: float, turn: float) -> None:
    lens = smooth(rounded(-0.2, -0.15, 0.2, 0.17, 0.12), rounds=1)
    lenses = [lens + np.array([side * 0.27, 0]) for side in (-1, 1)]
    bridge = ribbon(arc(0, 0, 0.1, 0.1, np.pi, 2 * np.pi), 0.05)
    arms = [ribbon(polygon((s * 0.45, -0.05), (s * 0.35, -0.55)), 0.035) for s in (-1, 1)]
    parts = [placed(part, x, y, turn=turn, size=size) for part in (*lenses, bridge, *arms)]
    canvas.shade([part + 0.01 for part in parts], 0.5, soft=0.02)
    canvas.fill(parts, rgb("#2b1d16"))
    glass = [lens * 0.86 + np.array([side * 0.27, 0]) for side in (-1, 1)]
    light = Ramp((x - size * 0.4, y - size * 0.2), (x + size * 0.4, y + size * 0.2),
                 palette("#8a97a3 #2b333d #6f7c88 #151a20"))  # fmt: skip
    canvas.fill([placed(part, x, y, turn=turn, size=size) for part in glass], light)


def folded(
    canvas: Canvas, rng: np.random.Generator, x: float, base: float, half: float, thick: float
) -> None:
    """One folded piece from the front: a rounded slab, ``half`` its half width."""
    slab = rounded(x - half, base - thick, x + half, base, thick * 0.46)
    canvas.shade(slab + np.array([0.02, 0.01]), 0.35, soft=0.04)
    weave = one_of(rng, [knit, knit, plain, stripes, tartan, gingham])
    canvas.fill(slab, Cloth(weave, colours_of(rng), rng.uniform(0.06, 0.09)))
    top = box(x - half * 0.9, base - thick * 0.95, x + half * 0.9, base - thick * 0.65)
    canvas.shine(top, rgb("#ffffff"), soft=thick * 0.4, strength=0.3)
    canvas.shade(box(x - half, base - thick * 0.3, x + half, base), 0.55, soft=thick * 0.4)
    middle = base - thick * rng.uniform(0.42, 0.58)
    fold = bezier((x - half * 0.98, middle), (x, middle + thick * 0.12), (x + half * 0.98, middle))
    canvas.shade(ribbon(fold, [0.004, 0.008, 0.004]), 0.65, soft=0.006)


def hung(
    canvas: Canvas, rng: np.random.Generator, x: float, rail: float, wide: float, long: float
) -> None:
    """A garment on a hanger, seen nearly edge-on."""
    top, half = rail + 0.055, wide / 2
    curl = arc(x, rail + 0.005, 0.013, 0.016, np.pi, 2 * np.pi, 14)
    canvas.fill(ribbon(np.concatenate([curl, [(x + 0.002, top)]]), 0.005), rgb("#6b6459"))
    flare = rng.uniform(1.0, 1.3)
    shoulder = bezier((0, 0), (half * 0.9, 0.01), (half, 0.09))
    side = np.concatenate([shoulder, [(half * flare, long)]])
    shape = placed(mirrored(side), x, top)
    canvas.shade(shape + np.array([0.03, 0.015]), 0.4, soft=0.05)
    canvas.fill(shape, Cloth(one_of(rng, WEAVES), colours_of(rng), rng.uniform(0.05, 0.09)))
    light = Ramp((x - half, 0), (x + half, 0), palette("#000000 #666666 #000000"))
    canvas.fill(shape, light, opacity=0.22)
    pleats = [
        bezier((x + k * 0.6, top + 0.08), (x + k, top + long / 2), (x + k * flare, top + long))
        for k in (rng.uniform(-0.7, 0.7, 4) * half).tolist()
    ]
    canvas.shade([ribbon(pleat, [0.0, 0.012, 0.02]) for pleat in pleats], 0.45, soft=0.02)
    start, bend = (x + half * 0.55, top + 0.06), (x + half * 0.75, top + 0.2)
    sleeve = bezier(start, bend, (x + half * 0.6, top + long * 0.75))
    canvas.shade(ribbon(sleeve, [0.0, half * 0.5, half * 0.4]), 0.25, soft=0.02)
