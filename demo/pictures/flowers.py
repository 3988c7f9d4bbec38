"""Plants and flowers: close-ups, a tulip field, blossom, big leaves, a bunch in a vase."""

import numpy as np

from demo.pictures import skies
from demo.pictures.canvas import Canvas, Look
from demo.pictures.outlines import Outline, arc, bezier, box, ellipse, ribbon, smooth
from demo.pictures.paints import Ramp, darker, lighter, mix, near, palette, rgb
from demo.pictures.plants import BLOOMS, Foliage, blossom, daisy, tulips
from demo.pictures.scene import LANDSCAPE, PORTRAIT, SQUARE, WIDE, Scene, one_of, strewn
from demo.pictures.skies import paint_sky

_GREENS = palette("#3f6b35 #5a8a45 #2d5532 #7aa05a #86a86b")


def close_up(canvas: Canvas, rng: np.random.Generator) -> None:
    """One flower or a few before a garden far out of focus."""
    _garden(canvas, rng)
    bloom = canvas.in_turn(BLOOMS)
    behind, in_front, r = canvas.in_turn([(3, 1, 0.36), (0, 3, 0.24), (5, 1, 0.5), (2, 2, 0.3)])
    for _ in range(behind):
        x, y = rng.uniform(0, canvas.w), rng.uniform(0.1, canvas.h * 0.9)
        daisy(canvas, rng, x, y, r * rng.uniform(0.35, 0.6), bloom)
    canvas.blur(0.02)
    for k in range(in_front):
        x = canvas.w * ((k + 0.5) / in_front) + rng.uniform(-0.08, 0.08)
        y = canvas.h * (0.45 + 0.12 * (k % 2)) + rng.uniform(-0.05, 0.05)
        bend, foot = x + rng.uniform(-0.1, 0.1), x + rng.uniform(-0.1, 0.1)
        stem = bezier((x, y), (bend, canvas.h * 0.8), (foot, canvas.h + 0.1))
        green = Ramp((x - 0.03, 0), (x + 0.04, 0), palette("#8fb35c #3d5f2a"))
        canvas.fill(ribbon(stem, r * 0.1), green)
        daisy(canvas, rng, x, y, r * rng.uniform(0.9, 1.1), bloom)


def _garden(canvas: Canvas, rng: np.random.Generator) -> None:
    base = canvas.in_turn(palette("#37562f #2a4a3f #6f8a4f #58705a #4f6f3f"))
    tones = [lighter(base, 0.4), base, darker(base, 0.4)]
    canvas.wash(Ramp((0, 0), (canvas.w * 0.4, canvas.h), tones))
    for colour in (*_GREENS, near(rng, rgb("#d9a0b0"), 0.25)):
        places = rng.uniform(0, 1, (6, 2)) * (canvas.w, canvas.h)
        leaves = [ellipse(x, y, rng.uniform(0.05, 0.2)) for x, y in places.tolist()]
        canvas.fill(leaves, colour, opacity=0.55)
    canvas.blur(0.06)
    for strength in (0.08, 0.14, 0.22):
        places = rng.uniform(0, 1, (7, 2)) * (canvas.w, canvas.h * 0.8)
        lights = [ellipse(x, y, rng.uniform(0.015, 0.06)) for x, y in places.tolist()]
        canvas.shine(lights, near(rng, rgb("#eef2b8"), 0.1), soft=0.01, strength=strength)


def tulip_field(canvas: Canvas, rng: np.random.Generator) -> None:
    """Rows of tulips in beds of three colours, up to the horizon."""
    hour = canvas.in_turn([skies.DAY, skies.GOLDEN, skies.OVERCAST, skies.DAWN])
    horizon = canvas.h * canvas.in_turn([0.32, 0.22, 0.42, 0.12])
    paint_sky(canvas, rng, hour, horizon)
    soil = [mix(rgb("#7d9a5c"), hour.haze, 0.5), rgb("#3f6a32"), rgb("#24451f")]
    canvas.fill(box(-1, horizon, 3, canvas.h + 1), Ramp((0, horizon), (0, canvas.h), soil))
    places = np.arange(-0.1, canvas.w + 0.1, 0.05).tolist()
    trees = [ellipse(x, horizon, 0.05, rng.uniform(0.015, 0.04)) for x in places]
    canvas.fill(trees, mix(rgb("#3f5f45"), hour.haze, 0.5), soft=0.01)
    kinds = palette("#e23b4a #f2b531 #f28ab0 #f6f0ea #8d4fb0 #f0692f")
    mixture = canvas.in_turn([(0, 1, 3), (2, 2, 4), (5, 3, 1), (4, 0, 2)])
    colours = [near(rng, kinds[kind], 0.03) for kind in mixture]
    vanishing, scale = canvas.w * rng.uniform(0.2, 0.8), canvas.in_turn([0.085, 0.19, 0.055, 0.12])
    share = 0.075
    while share < 1.25:
        beds = vanishing + np.arange(-9.0, 9.0) * (share * 0.55)
        hazy = [mix(colour, hour.haze, max(0.0, 0.45 - share)) for colour in colours]
        tulips(canvas, rng, horizon + (canvas.h - horizon) * share, scale * share, hazy, beds)
        share *= 1.19


def blossom_branch(canvas: Canvas, rng: np.random.Generator) -> None:
    """A branch of cherry or almond in bloom against the sky."""
    airs = ["#7fb2dc #cfe4f0", "#f3d9d9 #fbf0ea", "#8fb5a8 #dfe9d8", "#c8b6e0 #f3e4ee"]
    canvas.wash(Ramp((0, 0), (canvas.w * 0.3, canvas.h), palette(canvas.in_turn(airs))))
    pink = canvas.in_turn(palette("#fbe3ea #f48fb1 #fff3f0 #f7b8cb"))
    for _ in range(4):
        places = rng.uniform(0, 1, (15, 2)) * (canvas.w, canvas.h)
        petals = [ellipse(x, y, rng.uniform(0.02, 0.08)) for x, y in places.tolist()]
        canvas.fill(petals, near(rng, pink, 0.06), opacity=0.45)
    canvas.blur(0.035)
    twigs = _branch(canvas, rng, canvas.in_turn([-1, 1]))
    canvas.shade([ribbon(twig, [0.03, 0.008]) + 0.012 for twig in twigs], 0.25, soft=0.03)
    wood = [ribbon(twig, [0.014 if k else 0.032, 0.004]) for k, twig in enumerate(twigs)]
    canvas.fill(wood, Ramp((0, 0), (0, canvas.h), palette("#7a5a48 #3a261e")))
    each, size = canvas.in_turn([(6, 0.065), (3, 0.12), (8, 0.05)])
    for twig in twigs:
        for spot in rng.integers(6, 32, each).tolist():
            x, y = (twig[spot] + rng.normal(0, 0.03, 2)).tolist()
            blossom(canvas, rng, x, y, size * rng.uniform(0.7, 1.3), pink)


def _branch(canvas: Canvas, rng: np.random.Generator, side: int) -> list[Outline]:
    """The line of the main branch and of its twigs."""
    start = np.array([canvas.w * (0.5 - side * 0.58), canvas.h * rng.uniform(0.55, 0.9)])
    end = np.array([canvas.w * (0.5 + side * 0.45), canvas.h * rng.uniform(0.12, 0.4)])
    main = bezier(start, (start + end) / 2 + rng.uniform(-0.12, 0.12, 2), end)
    twigs = [main]
    for k in range(6, 30, 4):
        rise = one_of(rng, [-1.0, -0.8, 0.9])
        way = np.array([side * rng.uniform(0.2, 1.0), rise]) * rng.uniform(0.15, 0.3)
        twigs.append(bezier(main[k], main[k] + way * (0.3, 0.8), main[k] + way))
    return twigs


def big_leaves(canvas: Canvas, rng: np.random.Generator) -> None:
    """Overlapping tropical leaves, darker towards the depth."""
    canvas.wash(rgb("#0d1f17"))
    tone = canvas.in_turn(palette("#3f7d4a #5f8f3c #2f6f5c #7a9a5a"))
    foliage = canvas.in_turn([Foliage.notched, Foliage.entire, Foliage.slender])()
    scale = canvas.in_turn([1.0, 0.75, 0.9, 1.5])
    for layer in range(3):
        pitch = (0.34 + 0.06 * layer) * scale
        for x, y in strewn(rng, (canvas.w + 0.2, canvas.h + 0.2), pitch):
            colour = darker(near(rng, tone, 0.06), 0.66 - 0.28 * layer)
            size, turn = rng.uniform(0.3, 0.5) * scale, rng.uniform(0, 2 * np.pi)
            foliage.draw(canvas, x, y, size, turn, colour)


def vase(canvas: Canvas, rng: np.random.Generator) -> None:
    """A bunch of flowers in a vase before a plain wall."""
    table = canvas.h * rng.uniform(0.8, 0.88)
    _corner(canvas, rng, table)
    size = canvas.in_turn([1.15, 0.7, 0.9]) * min(canvas.h, 1.1)
    x, base = canvas.w * canvas.in_turn([0.5, 0.36, 0.55, 0.66]), table + 0.06
    neck = base - rng.uniform(0.26, 0.36) * size
    canvas.shade(ellipse(x + 0.3, neck - 0.2, 0.26 * size, 0.3 * size), 0.22, soft=0.25)
    canvas.shade(ellipse(x + 0.14, base + 0.004, 0.24 * size, 0.022), 0.5, soft=0.05)
    heads = _heads(canvas, rng, x, neck, size)
    stems = [
        bezier((x, neck + 0.05), (x + (hx - x) * 0.25, (neck + hy) / 2), (hx, hy))
        for hx, hy, _ in heads
    ]
    canvas.fill([ribbon(stem, 0.008 * size) for stem in stems], rgb("#5a7f45"))
    foliage = canvas.in_turn([Foliage.entire, Foliage.slender])()
    for _ in range(12):
        angle, colour = -np.pi / 2 + rng.uniform(-1.4, 1.4), near(rng, one_of(rng, _GREENS), 0.04)
        foliage.draw(canvas, x, neck + 0.02, rng.uniform(0.2, 0.34) * size, angle, colour)
    _pot(canvas, rng, x, neck, base)
    _bunch(canvas, rng, heads)


def _corner(canvas: Canvas, rng: np.random.Generator, table: float) -> None:
    """A wall lit from the left and the edge of a table."""
    walls = palette("#d9cfc4 #3f4b4a #b9c7c4 #e3c9b8 #8f9ca3 #cfc4d6")
    wall = near(rng, canvas.in_turn(walls), 0.03)
    tones = [lighter(wall, 0.35), wall, darker(wall, 0.3)]
    canvas.wash(Ramp((0, 0), (canvas.w, canvas.h * 0.3), tones))
    wood = near(rng, canvas.in_turn(palette("#b98a5f #8a6248 #e6ddd0")), 0.03)
    light = Ramp((0, table), (0, canvas.h), [lighter(wood, 0.2), darker(wood, 0.35)])
    canvas.fill(box(-1, table, 3, canvas.h + 1), light, soft=0.006)


def _heads(
    canvas: Canvas, rng: np.random.Generator, x: float, neck: float, size: float
) -> list[tuple[float, float, float]]:
    """Where the flowers of a bunch are, and how large."""
    count, large = canvas.in_turn([(9, 0.09), (3, 0.16), (14, 0.07), (5, 0.13)])
    heads = []
    for k in range(count):
        angle = -np.pi / 2 + (k - (count - 1) / 2) * 2.5 / count + rng.uniform(-0.1, 0.1)
        reach = (0.2 + 0.16 * (k % 2) + rng.uniform(-0.03, 0.06)) * size
        hx, hy = x + float(np.cos(angle)) * reach, neck + float(np.sin(angle)) * reach
        heads.append((hx, hy, large * rng.uniform(0.8, 1.2) * size))
    return heads


def _bunch(
    canvas: Canvas, rng: np.random.Generator, heads: list[tuple[float, float, float]]
) -> None:
    kinds = [BLOOMS[int(k)] for k in rng.choice(len(BLOOMS), 2, replace=False)]
    pink = near(rng, one_of(rng, palette("#f7b8cb #fbe3ea #f4c08f")), 0.04)
    mixed = canvas.take % 2 == 0
    for k, (x, y, size) in enumerate(heads):
        if mixed and k % 3 == 2:
            blossom(canvas, rng, x, y, size * 0.8, pink)
        else:
            daisy(canvas, rng, x, y, size, kinds[k % 2 if mixed else 0])


def _pot(canvas: Canvas, rng: np.random.Generator, x: float, neck: float, base: float) -> None:
    glaze = near(rng, canvas.in_turn(palette("#c97b5a #f1ece4 #3f6b7a #9fb8a8 #2f3b46")), 0.03)
    tall = base - neck
    slim, fat = tall * rng.uniform(0.16, 0.24), tall * rng.uniform(0.32, 0.46)
    half = np.array([(slim, 0), (slim * 0.9, 0.2), (fat, 0.45), (fat, 0.75), (fat * 0.6, 1.0)])
    side = smooth(half * (1, tall), closed=False)
    outline = np.concatenate([side, (side * (-1, 1))[::-1]]) + np.array([x, neck])
    shades = [darker(glaze, 0.12), lighter(glaze, 0.5), glaze]
    light = [*shades, darker(glaze, 0.35), darker(glaze, 0.5)]
    canvas.fill(outline, Ramp((x - fat, 0), (x + fat, 0), light))
    canvas.fill(ellipse(x, neck, slim, slim * 0.2), darker(glaze, 0.6))
    canvas.fill(ribbon(arc(x, neck, slim, slim * 0.2, 0, np.pi), 0.008), lighter(glaze, 0.3))


SCENES = (
    Scene("close-up-in-the-garden", close_up),
    Scene("tulip-field", tulip_field, (LANDSCAPE, PORTRAIT, WIDE, SQUARE)),
    Scene("blossom-on-the-branch", blossom_branch),
    Scene("big-green-leaves", big_leaves, look=Look(vignette=0.3)),
    Scene("flowers-in-a-vase", vase, (PORTRAIT, SQUARE, LANDSCAPE)),
)
