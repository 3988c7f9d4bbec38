"""Beach and sea: sunsets, shores from the air, palms, sails, a lighthouse."""

import numpy as np

from demo.pictures import skies
from demo.pictures.canvas import Canvas
from demo.pictures.outlines import box, ellipse, ribbon
from demo.pictures.paints import Array, Ramp, Texture, darker, lighter, mix, palette, rgb, stops
from demo.pictures.scene import PORTRAIT, SQUARE, Scene, sparsely
from demo.pictures.seaside import (
    boat,
    gull,
    headland,
    light_tower,
    palm,
    parasol,
    parasol_from_above,
    towel,
    waves,
)
from demo.pictures.skies import Hour, paint_sky, paint_sun
from demo.pictures.textures import noise, step


def sunset(canvas: Canvas, rng: np.random.Generator) -> None:
    hour = canvas.in_turn([skies.SUNSET, skies.GOLDEN, skies.DAWN, skies.DUSK])
    horizon = canvas.h * rng.uniform(0.4, 0.62)
    x = canvas.w * rng.uniform(0.25, 0.75)
    paint_sky(canvas, rng, hour, horizon)
    paint_sun(canvas, hour, x, horizon - rng.uniform(-0.01, 0.14), rng.uniform(0.04, 0.075))
    waves(canvas, rng, hour, horizon, x)
    if canvas.take % 2:
        _wet_sand(canvas, rng, hour)
    else:
        headland(canvas, rng, hour, horizon)
        for _ in range(3):
            place = canvas.w * rng.uniform(0.1, 0.9), horizon * rng.uniform(0.3, 0.8)
            gull(canvas, *place, rng.uniform(0.015, 0.035), darker(hour.haze, 0.75))


def _wet_sand(canvas: Canvas, rng: np.random.Generator, hour: Hour) -> None:
    """The beach's edge along the bottom, with a line of foam."""
    x = np.linspace(-0.1, canvas.w + 0.1, 80)
    bend = np.sin(x * rng.uniform(2, 4) + rng.uniform(0, 6)) * 0.025
    bend += np.sin(x * 9 + rng.uniform(0, 6)) * 0.008 - x * rng.uniform(-0.05, 0.05)
    level = canvas.h * rng.uniform(0.78, 0.92)
    edge = np.stack([x, level + bend], axis=1)
    shape = np.concatenate([edge, [(canvas.w + 0.1, 2), (-0.1, 2)]])
    sand = darker(mix(rgb("#d8b48a"), hour.haze, 0.4), 0.15 + hour.dark * 0.5)
    canvas.fill(shape, Ramp((0, level - 0.05), (0, canvas.h), [mix(sand, hour.sky[-1], 0.5), sand]))
    foam = mix(rgb("#ffffff"), hour.sky[-1], 0.3)
    canvas.fill(ribbon(edge, 0.018), foam, soft=0.012, opacity=0.85)
    canvas.fill(ribbon(edge - np.array([0, 0.035]), 0.008), foam, soft=0.012, opacity=0.4)


def shore_from_the_air(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sand, foam and shallows straight from above, with parasols."""
    area = canvas.whole
    bend = noise(rng, canvas.size, (1.5, 2), 4) - np.float32(0.5)
    turn = np.pi * canvas.in_turn([0.0, 0.75, 1.4, 0.3]) + rng.uniform(-0.3, 0.3)
    across = (area.x - canvas.w / 2) * np.cos(turn) + (area.y - canvas.h / 2) * np.sin(turn)
    shift = canvas.in_turn([0.0, 0.25, -0.2])
    sea = (across + bend * np.float32(0.35) + shift).astype(np.float32)
    colours = palette("#f0dfbe #ead3ab #d9b98a #9fd8cf #57bfc4 #2f9bb3 #1f7a9c #17618a")
    levels = stops((sea + np.float32(0.35)) * np.float32(0.95), colours)
    swell = noise(rng, canvas.size, (9, 12), 5, 0.62)
    levels *= np.float32(0.88) + np.float32(0.22) * swell
    canvas.wash(Texture(levels))
    _foam_and_light(canvas, rng, sea)
    size = canvas.in_turn([0.05, 0.035, 0.07])
    for x, y in sparsely(rng, 40, (canvas.w, canvas.h), size * 3.2):
        row, column = int(y * canvas.scale), int(x * canvas.scale)
        if sea[row, column] < -0.08 and rng.random() < 0.8:
            towel(canvas, rng, x + size * 1.2, y + size * 0.5, size)
            parasol_from_above(canvas, rng, x, y, size)


def _foam_and_light(canvas: Canvas, rng: np.random.Generator, sea: Array) -> None:
    """Lines of foam along the shore and the net of light on a shallow ground."""
    lace = np.abs(noise(rng, canvas.size, (10, 14), 4, 0.6) - np.float32(0.5))
    white = rgb("#fdfdf8")
    for offset, width, strength in ((0.02, 0.02, 0.95), (0.1, 0.03, 0.5), (0.2, 0.04, 0.3)):
        line = np.exp(-(((sea - np.float32(offset)) / np.float32(width)) ** 2))
        if offset > 0.05:
            line *= 1 - step(lace, 0.04, 0.2)
        canvas.wash(white, line * np.float32(strength))
    net = 1 - np.abs(noise(rng, canvas.size, (12, 16), 3, 0.6) - np.float32(0.5)) * 2
    canvas.wash(rgb("#e9fffb"), step(net, 0.9, 1.0) * step(sea, 0.08, 0.3) * np.float32(0.3))


def palm_beach(canvas: Canvas, rng: np.random.Generator) -> None:
    hour = canvas.in_turn([skies.DAY, skies.SUNSET, skies.GOLDEN, skies.OVERCAST])
    horizon = canvas.h * rng.uniform(0.46, 0.6)
    paint_sky(canvas, rng, hour, horizon)
    if hour.sun != skies.DAY.sun:
        paint_sun(canvas, hour, canvas.w * rng.uniform(0.3, 0.7), horizon - 0.08, 0.045)
    waves(canvas, rng, hour, horizon, canvas.w * 0.5)
    _beach(canvas, rng, hour, horizon)
    side = canvas.in_turn([-1, 1])
    for k in range(canvas.in_turn([1, 3, 2])):
        root = canvas.w * (0.5 - side * rng.uniform(0.28, 0.45)) + side * 0.12 * k
        tall = canvas.h * rng.uniform(0.5, 0.75)
        palm(canvas, rng, hour, (root, canvas.h * (0.93 - 0.03 * k)), side, tall)
    if canvas.take % 3 != 1:
        place = canvas.w * (0.5 + side * rng.uniform(0.1, 0.25)), canvas.h * 0.86
        parasol(canvas, rng, *place, rng.uniform(0.2, 0.28), hour)


def _beach(canvas: Canvas, rng: np.random.Generator, hour: Hour, horizon: float) -> None:
    """Shallows, the waves' last line and sand with ripples."""
    if hour.dark < 0.3:
        deep = horizon + (canvas.h - horizon) * 0.25
        light = Ramp((0, deep), (0, canvas.h * 0.8), palette("#3fb3bd #8fe0d4"))
        canvas.fill(box(-1, deep, 3, canvas.h), light, soft=0.1, opacity=0.6)
    x = np.linspace(-0.1, canvas.w + 0.1, 60)
    slope = (x - canvas.w / 2) * rng.uniform(-0.12, 0.12)
    y = canvas.h * 0.78 + slope + np.sin(x * 3 + rng.uniform(0, 6)) * 0.02
    edge = np.stack([x, y], axis=1)
    sand = [mix(rgb("#f3e0bb"), hour.haze, 0.3), mix(rgb("#dcbc88"), hour.haze, 0.15)]
    ripples = noise(rng, canvas.size, (45, 12), 3, 0.6) * np.float32(0.35)
    depth = (canvas.whole.y - canvas.h * 0.75) / np.float32(canvas.h * 0.25)
    dim = [darker(colour, hour.dark * 0.5) for colour in (lighter(sand[0], 0.2), *sand)]
    beach = np.concatenate([edge, [(canvas.w + 0.1, 3), (-0.1, 3)]])
    canvas.fill(beach, Texture(stops(depth * np.float32(0.75) + ripples, dim)))
    foam = ribbon(edge, 0.022)
    canvas.fill(foam, rgb("#ffffff"), soft=0.014, opacity=0.85 - hour.dark * 0.5)
    canvas.shade(ribbon(edge + np.array([0, 0.03]), 0.04), 0.25, soft=0.03)


def sailing(canvas: Canvas, rng: np.random.Generator) -> None:
    """One sloop close by, a regatta, or a lone sail far out."""
    hour = canvas.in_turn([skies.DAY, skies.DAWN, skies.OVERCAST, skies.GOLDEN, skies.SUNSET])
    horizon = canvas.h * canvas.in_turn([0.62, 0.5, 0.7, 0.4]) * rng.uniform(0.95, 1.05)
    paint_sky(canvas, rng, hour, horizon)
    waves(canvas, rng, hour, horizon, canvas.w * rng.uniform(0.3, 0.7))
    if canvas.take % 2:
        headland(canvas, rng, hour, horizon)
    fleet, size = canvas.in_turn([(1, 0.56), (6, 0.3), (2, 0.38), (4, 0.22)])
    for k in range(fleet):
        share = (k + 1) / fleet
        x = canvas.w * (0.5 if fleet == 1 else 0.12 + 0.76 * ((k * 0.618) % 1))
        y = horizon + 0.02 + (0.05 + 0.12 * (canvas.h - horizon)) * share
        boat(canvas, rng, hour, x + rng.uniform(-0.06, 0.06), y, size * (0.35 + 0.65 * share))


def lighthouse(canvas: Canvas, rng: np.random.Generator) -> None:
    hour = canvas.in_turn([skies.DUSK, skies.DAY, skies.SUNSET, skies.OVERCAST, skies.GOLDEN])
    horizon = canvas.h * canvas.in_turn([0.64, 0.72, 0.56])
    paint_sky(canvas, rng, hour, horizon)
    x = canvas.w * canvas.in_turn([0.7, 0.25, 0.32, 0.62])
    waves(canvas, rng, hour, horizon, canvas.w - x)
    _cliff(canvas, rng, hour, x, horizon)
    tall = canvas.h * canvas.in_turn([0.42, 0.55, 0.3])
    light_tower(canvas, rng, hour, x, horizon - 0.1, tall)


def _cliff(canvas: Canvas, rng: np.random.Generator, hour: Hour, x: float, horizon: float) -> None:
    """Rock under the lighthouse at ``x``, up to the nearer side of the picture."""
    side = -1 if x < canvas.w / 2 else 1
    outer, foot = canvas.w * (0.5 + side * 0.6), x - side * canvas.w * rng.uniform(0.2, 0.32)
    run = np.linspace(foot, outer, 50)
    rise = np.clip((run - foot) / (outer - foot) * 3.2, 0, 1) ** 1.5
    top = np.stack([run, horizon + 0.16 - rise * 0.27 + np.cumsum(rng.normal(0, 0.004, 50))], 1)
    shape = np.concatenate([top, [(outer, canvas.h + 1), (foot + side * 0.1, canvas.h + 1)]])
    rock = darker(mix(rgb("#8a7d70"), hour.haze, 0.2), 0.15 + hour.dark * 0.55)
    crag = noise(rng, canvas.size, (14, 10), 5, 0.65)
    canvas.fill(shape, Texture(stops(crag, [darker(rock, 0.6), rock, lighter(rock, 0.25)])))
    grass = darker(mix(rgb("#7d9a55"), hour.haze, 0.2), hour.dark * 0.6)
    canvas.fill(ribbon(top, 0.035), grass, soft=0.02)
    foam = [
        ellipse(foot + side * rng.uniform(-0.12, 0.04), y, rng.uniform(0.02, 0.08), 0.008)
        for y in np.linspace(horizon + 0.16, canvas.h, 16)
    ]
    canvas.shine(foam, rgb("#ffffff"), soft=0.025, strength=0.6)


SCENES = (
    Scene("sunset-over-the-sea", sunset),
    Scene("shore-from-the-air", shore_from_the_air),
    Scene("palms-and-parasols", palm_beach),
    Scene("sailing-past-the-cape", sailing),
    Scene("the-lighthouse", lighthouse, (PORTRAIT, SQUARE, (4, 3), (3, 2))),
)
