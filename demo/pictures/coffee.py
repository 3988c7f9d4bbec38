"""Coffee and table still lifes: cups from above and by a window, pastry, beans."""

import numpy as np

from demo.pictures.canvas import Canvas, Look
from demo.pictures.outlines import (
    arc,
    bezier,
    box,
    ellipse,
    polygon,
    ribbon,
)
from demo.pictures.paints import Colour, Radial, Ramp, darker, lighter, near, palette, rgb
from demo.pictures.scene import LANDSCAPE, PORTRAIT, SQUARE, WIDE, Scene, one_of, strewn
from demo.pictures.tableware import (
    GLAZES,
    beans,
    cookie,
    croissant,
    cup,
    doughnut,
    plate,
    spoon,
)
from demo.pictures.textures import linen, marble, wood

_WOODS = (("#d9b07c", "#8a5a30"), ("#8d5b36", "#3f2415"), ("#e8d3b0", "#b08c5f"))


def tabletop(canvas: Canvas, rng: np.random.Generator, kind: str) -> None:
    """The surface that everything stands on, seen from above."""
    if kind == "wood":
        light, dark = canvas.in_turn(_WOODS)
        canvas.wash(wood(canvas, rng, near(rng, rgb(light), 0.03), rgb(dark)))
    elif kind == "marble":
        canvas.wash(marble(canvas, rng, rgb("#f3f0ec"), rgb("#8d8a8c")))
    else:
        cloth = one_of(rng, palette("#d8cbb8 #a9b7b0 #c9a995 #6f7f86 #e6dccb"))
        canvas.wash(linen(canvas, rng, cloth))


def window_light(canvas: Canvas, rng: np.random.Generator, depth: float) -> None:
    """Darken all but the slanted panes of a window that the sun throws on the table."""
    lean = rng.uniform(-0.5, 0.5)
    left, top = rng.uniform(-0.2, 0.2) * canvas.w, rng.uniform(-0.15, 0.1)
    wide, high = rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.6)
    panes = []
    for column in range(3):
        for row in range(3):
            y = top + row * high * 1.08
            x = left + column * wide * 1.1 + lean * (y - top)
            drift = lean * high
            panes.append(
                polygon((x, y), (x + wide, y), (x + wide + drift, y + high), (x + drift, y + high))
            )
    canvas.light(panes, rgb("#fff3dc"), rgb("#7d7688"), soft=0.05, strength=depth)


def flat_white(canvas: Canvas, rng: np.random.Generator) -> None:
    tabletop(canvas, rng, canvas.in_turn(["marble", "linen", "wood", "wood"]))
    r = canvas.in_turn([0.27, 0.2, 0.38, 0.16]) * rng.uniform(0.94, 1.06)
    x, y = canvas.w * rng.uniform(0.4, 0.6), canvas.h * rng.uniform(0.45, 0.58)
    side = one_of(rng, [-1, 1])
    glaze = canvas.in_turn(GLAZES)
    if r < 0.3:
        cup(canvas, rng, x + side * r * 2.6, y - r * 2.1, r * 0.85, one_of(rng, GLAZES))
    cup(canvas, rng, x, y, r, glaze)
    if r < 0.18:
        cup(canvas, rng, x - side * r * 2.2, y + r * 2.6, r * 0.9, one_of(rng, GLAZES))
        for k in range(3):
            cookie(canvas, rng, x - side * 0.45 + 0.07 * k, y - 0.28 + 0.06 * k, 0.09)
    spoon(canvas, x + side * r * 1.1, y + r * 1.45, 0.34, rng.uniform(-0.5, 0.1))
    window_light(canvas, rng, rng.uniform(0.3, 0.5))


def breakfast(canvas: Canvas, rng: np.random.Generator) -> None:
    tabletop(canvas, rng, canvas.in_turn(["wood", "linen", "marble"]))
    side = canvas.in_turn([-1, 1])
    tall = canvas.h > 1.1
    x, y = canvas.w / 2 - side * canvas.w * 0.14, canvas.h * (0.64 if tall else 0.54)
    dx, dy = side * canvas.w * (0.24 if tall else 0.38), canvas.h * (0.38 if tall else 0.24)
    plate(canvas, x, y, 0.36, near(rng, canvas.in_turn(palette("#ebe6dd #3f4b55 #c9d3cf")), 0.04))
    pieces = canvas.in_turn([1, 2, 1])
    for k in range(pieces):
        croissant(canvas, x - 0.02, y + 0.15 * k, 0.25 / pieces**0.4, rng.uniform(-0.6, 0.6))
    cup(canvas, rng, x + dx, y - dy, 0.17, one_of(rng, GLAZES))
    spoon(canvas, x + side * 0.3, y + 0.3, 0.3, -0.7 * side)
    window_light(canvas, rng, rng.uniform(0.25, 0.45))


def sweet_plate(canvas: Canvas, rng: np.random.Generator) -> None:
    tabletop(canvas, rng, canvas.in_turn(["linen", "wood", "marble"]))
    x, y = canvas.w / 2, canvas.h / 2
    glaze = near(rng, canvas.in_turn(GLAZES[1:]), 0.03)
    baked = canvas.in_turn([doughnut, cookie])
    count = canvas.in_turn([5, 6, 3, 7])
    plate(canvas, x, y, 0.47, glaze)
    turn, ring = rng.uniform(0, 2 * np.pi), 0.25 if count > 3 else 0.2
    for k in range(count):
        angle = turn + k * 2 * np.pi / count
        place = x + ring * float(np.cos(angle)), y + ring * float(np.sin(angle))
        baked(canvas, rng, *place, min(0.16, 0.66 / count))
    if count > 3:
        baked(canvas, rng, x + 0.01, y, 0.13)
    window_light(canvas, rng, rng.uniform(0.2, 0.4))


def beans_and_cup(canvas: Canvas, rng: np.random.Generator) -> None:
    tabletop(canvas, rng, "wood")
    x, y = canvas.w * rng.uniform(0.35, 0.65), canvas.h * rng.uniform(0.4, 0.6)
    size = canvas.in_turn([0.03, 0.045, 0.036])
    share = canvas.in_turn([0.75, 0.8, 0.35])
    for _ in range(2):
        heap = strewn(rng, (canvas.w, canvas.h), size * 2.1)
        beans(canvas, rng, [place for place in heap if rng.random() < share], size)
    cup(canvas, rng, x, y, canvas.in_turn([0.2, 0.13, 0.26]), one_of(rng, GLAZES))
    window_light(canvas, rng, rng.uniform(0.2, 0.4))


def by_the_window(canvas: Canvas, rng: np.random.Generator) -> None:
    """A cup or a glass on a table, a bright window far behind it."""
    edge = canvas.h * rng.uniform(0.6, 0.7)
    _blurred_room(canvas, rng, edge)
    _near_table(canvas, rng, edge)
    x = canvas.w * rng.uniform(0.36, 0.62)
    size = canvas.in_turn([0.5, 0.42, 0.58, 0.34]) * rng.uniform(0.95, 1.05)
    base = edge + (canvas.h - edge) * 0.48
    if canvas.take % 2:
        _glass(canvas, x, base, size)
    else:
        _mug(canvas, rng, x, base, size, near(rng, canvas.in_turn(GLAZES), 0.03))
    _steam(canvas, rng, x, base - size * 0.95, size)


def _blurred_room(canvas: Canvas, rng: np.random.Generator, edge: float) -> None:
    wall = canvas.in_turn(palette("#6d5a4b #54606a #8b7a66 #3f4641"))
    canvas.wash(Ramp((0, 0), (canvas.w, 0), [lighter(wall, 0.25), darker(wall, 0.35)]))
    left, pane = canvas.w * rng.uniform(-0.1, 0.35), canvas.w * 0.28
    outside = [rgb("#fff7e2"), one_of(rng, palette("#cfe3d2 #f5d9b0 #cfdfee"))]
    panes = [
        box(left + column * pane * 1.08, top, left + column * pane * 1.08 + pane, top + edge * 0.5)
        for column in range(2)
        for top in (-0.15, edge * 0.53 - 0.15)
    ]
    canvas.fill(panes, Ramp((0, 0), (0, edge), outside))
    for colour in palette("#7fa36b #a8c08a #5c7f56 #d9c27a"):
        places = rng.uniform((left, 0.2 * edge), (left + pane * 2, 0.9 * edge), (7, 2)).tolist()
        foliage = [ellipse(x, y, rng.uniform(0.02, 0.09)) for x, y in places]
        canvas.fill(foliage, colour, opacity=0.5)
    canvas.blur(0.035)
    for _ in range(int(rng.integers(4, 10))):
        x, y = rng.uniform(0, canvas.w), rng.uniform(0, edge * 0.8)
        lamp = near(rng, rgb("#ffcf87"), 0.1)
        canvas.shine(ellipse(x, y, rng.uniform(0.02, 0.05)), lamp, soft=0.012, strength=0.35)


def _near_table(canvas: Canvas, rng: np.random.Generator, edge: float) -> None:
    top = one_of(rng, palette("#a8754a #7b5236 #c49a6c #d8c8b4"))
    ramp = Ramp((0, edge), (0, canvas.h), [lighter(top, 0.3), top, darker(top, 0.45)])
    canvas.fill(box(-0.1, edge, canvas.w + 0.1, canvas.h + 0.1), ramp, soft=0.02)
    streaks = []
    for _ in range(40):
        y = edge + (canvas.h - edge) * rng.random() ** 1.5
        streaks.append(ellipse(rng.uniform(-0.2, canvas.w), y, rng.uniform(0.1, 0.5), 0.0025))
    canvas.shade(streaks[::2], 0.2, soft=0.004)
    canvas.shade(streaks[1::2], 0.1, soft=0.004)
    gleam = ellipse(canvas.w * 0.3, edge + 0.04, 0.4, 0.05)
    canvas.shine(gleam, rgb("#fff0d0"), soft=0.1, strength=0.4)


def _round_light(x: float, half: float, colour: Colour) -> Ramp:
    """How a round upright thing looks when light comes from the left."""
    shades = [darker(colour, 0.1), lighter(colour, 0.5), colour, darker(colour, 0.3)]
    return Ramp((x - half, 0), (x + half, 0), [*shades, darker(colour, 0.5), darker(colour, 0.38)])


def _mug(
    canvas: Canvas, rng: np.random.Generator, x: float, base: float, size: float, glaze: Colour
) -> None:
    half, top = size * 0.46, base - size * 0.72
    _saucer(canvas, x, base, half, glaze)
    side = one_of(rng, [-1, 1])
    ear = arc(x + side * half * 0.98, top + size * 0.3, side * size * 0.2, size * 0.19, -1.7, 1.6)
    canvas.fill(ribbon(ear, size * 0.07), _round_light(x + side * half, size * 0.3, glaze))
    wall = bezier((half, top), (half * 0.98, base - size * 0.06), (half * 0.55, base))
    foot = arc(0, base, half * 0.55, half * 0.11, 0, np.pi)
    body = np.concatenate([wall, foot, (wall * (-1, 1))[::-1]]) + np.array([x, 0])
    canvas.fill(body, _round_light(x, half, glaze))
    canvas.fill(ellipse(x, top, half, half * 0.2), lighter(glaze, 0.35))
    canvas.fill(ellipse(x, top + half * 0.01, half * 0.94, half * 0.175), darker(glaze, 0.35))
    brew = Radial((x, top + half * 0.05), half * 0.9, palette("#f2dcb8 #c98f55 #7a4521"), 0.2)
    canvas.fill(ellipse(x, top + half * 0.03, half * 0.9, half * 0.15), brew)


def _saucer(canvas: Canvas, x: float, base: float, half: float, glaze: Colour) -> None:
    wide, thin = half * 1.75, half * 0.34
    canvas.shade(ellipse(x + half * 0.5, base + half * 0.22, half * 2, half * 0.3), 0.6, soft=0.08)
    canvas.fill(ellipse(x, base + half * 0.1, wide, thin), darker(glaze, 0.35))
    rim = Ramp((x - wide, 0), (x + wide, 0), [lighter(glaze, 0.4), darker(glaze, 0.2)])
    canvas.fill(ellipse(x, base + half * 0.06, wide, thin), rim)
    shadow = ellipse(x + half * 0.15, base + half * 0.06, half * 1.1, half * 0.2)
    canvas.shade(shadow, 0.5, soft=0.05)


def _glass(canvas: Canvas, x: float, base: float, size: float) -> None:
    """A tall glass of layered latte."""
    half, top = size * 0.32, base - size * 0.95
    foot = half * 0.72
    canvas.shade(ellipse(x + half * 0.8, base + 0.01, half * 1.8, half * 0.25), 0.55, soft=0.07)
    body = polygon((x - half, top), (x + half, top), (x + foot, base), (x - foot, base))
    layers = palette("#f6e8d0 #efd9b6 #c08a52 #8a5229 #5e3318 #6b3d1f #d9b98c #f1e2c8")
    canvas.fill(body, Ramp((0, top + size * 0.03), (0, base - size * 0.04), layers))
    canvas.fill(ellipse(x, base, foot, half * 0.12), rgb("#e8d8c0"), opacity=0.8)
    foam = Radial((x, top), half, palette("#fffaf0 #f3e2c4 #dcc09a"), 0.25)
    canvas.fill(ellipse(x, top, half, half * 0.2), foam)
    for place, width, strength in ((-0.72, 0.1, 0.75), (-0.5, 0.03, 0.5), (0.75, 0.06, 0.35)):
        dx = half * place
        glint = ribbon(polygon((x + dx, top + 0.05), (x + dx * 0.76, base - 0.04)), half * width)
        canvas.shine(glint, rgb("#ffffff"), soft=0.008, strength=strength)
    dark = ribbon(polygon((x + half * 0.93, top), (x + half * 0.66, base)), half * 0.2)
    canvas.shade(dark, 0.4, soft=0.03)


def _steam(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    rise = np.linspace(0, 1, 40)
    for _ in range(4):
        sway = np.sin(rise * rng.uniform(4, 7) + rng.uniform(0, 6)) * rise * size * 0.16
        start = x + rng.uniform(-0.2, 0.2) * size
        path = np.stack([start + sway, y + size * 0.25 - rise * size * 0.9], axis=1)
        plume = ribbon(path, [0.01, size * 0.12, size * 0.05, 0])
        canvas.shine(plume, rgb("#ffffff"), soft=0.05, strength=rng.uniform(0.2, 0.4))


_WARM = Look(warmth=0.03)
SCENES = (
    Scene("flat-white-from-above", flat_white, look=_WARM),
    Scene("latte-by-the-window", by_the_window, look=_WARM),
    Scene("croissant-for-breakfast", breakfast, (LANDSCAPE, PORTRAIT, SQUARE, WIDE), _WARM),
    Scene("something-sweet", sweet_plate, (SQUARE, LANDSCAPE, PORTRAIT), _WARM),
    Scene("beans-and-a-cup", beans_and_cup, look=_WARM),
)
