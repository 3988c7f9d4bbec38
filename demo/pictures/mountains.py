"""Mountains and forest: ridges in haze, a lake, fog between trunks, a tent under stars."""

import numpy as np

from demo.pictures import skies
from demo.pictures.canvas import Canvas
from demo.pictures.outlines import ellipse, polygon, ribbon
from demo.pictures.paints import (
    Colour,
    Place,
    Radial,
    Ramp,
    Texture,
    darker,
    lighter,
    mix,
    near,
    palette,
    rgb,
    stops,
)
from demo.pictures.scene import LANDSCAPE, PORTRAIT, SQUARE, WIDE, Scene, one_of
from demo.pictures.skies import paint_sky, paint_sun, reflect
from demo.pictures.terrain import below, forest, pine, ridge, snow_peaks
from demo.pictures.textures import noise


def ridges(canvas: Canvas, rng: np.random.Generator) -> None:
    """Range behind range, each paler than the one before it."""
    hour = canvas.in_turn([skies.DAWN, skies.DAY, skies.SUNSET, skies.OVERCAST, skies.GOLDEN])
    top = canvas.h * canvas.in_turn([0.36, 0.24, 0.45])
    paint_sky(canvas, rng, hour, canvas.h * 0.65)
    paint_sun(canvas, hour, canvas.w * rng.uniform(0.2, 0.8), top * rng.uniform(0.5, 1.0), 0.04)
    layers = canvas.in_turn([5, 8, 6, 4])
    deep = darker(canvas.in_turn(palette("#1f3346 #23402f #3a2a4a #17343c")), hour.dark * 0.5)
    rise = canvas.in_turn([0.12, 0.07, 0.17])
    for layer in range(layers):
        share = layer / (layers - 1)
        level = top + (canvas.h * 0.92 - top) * share**1.2
        line = ridge(canvas, rng, level, rise * (1 - 0.4 * share))
        colour = mix(hour.haze, deep, 0.18 + 0.82 * share)
        if share >= 0.6:
            forest(canvas, rng, line, 0.07 + 0.2 * (share - 0.6), colour, int(150 - share * 70))
            continue
        foot = [colour, mix(colour, hour.haze, 0.6 * (1 - share))]
        low, high = line[:, 1].min(), line[:, 1].max() + 0.22
        canvas.fill(below(canvas, line), Ramp((0, low), (0, high), foot))


def lake(canvas: Canvas, rng: np.random.Generator) -> None:
    hour = canvas.in_turn([skies.DAY, skies.GOLDEN, skies.OVERCAST, skies.DAWN])
    shore = canvas.h * canvas.in_turn([0.62, 0.5, 0.7])
    paint_sky(canvas, rng, hour, shore)
    peaks = ridge(canvas, rng, shore * rng.uniform(0.38, 0.5), rng.uniform(0.14, 0.22))
    snow_peaks(canvas, rng, hour, peaks, shore)
    hill = mix(rgb("#35523f"), hour.haze, 0.35)
    forest(canvas, rng, ridge(canvas, rng, shore - 0.09, 0.05), 0.07, hill, 130)
    green = mix(canvas.in_turn(palette("#24402f #7a4f24 #2c4a38 #5c5a2c")), hour.haze, 0.12)
    flat = ridge(canvas, rng, shore - 0.02, 0.012)
    forest(canvas, rng, flat, rng.uniform(0.08, 0.2), green, canvas.in_turn([120, 60]))
    reflect(canvas, rng, shore, mix(rgb("#1f5a66"), hour.sky[1], 0.35), 0.45)
    if canvas.take % 2:
        _pebbles(canvas, rng)


def _pebbles(canvas: Canvas, rng: np.random.Generator) -> None:
    """Stones along the near shore."""
    for y in np.linspace(canvas.h * 0.93, canvas.h * 1.03, 5).tolist():
        for x in np.arange(-0.05, canvas.w + 0.05, 0.075).tolist():
            size = rng.uniform(0.02, 0.045) * (1 + (y - canvas.h * 0.93) * 4)
            px, py = x + rng.uniform(-0.04, 0.04), y + rng.uniform(-0.02, 0.03)
            stone = near(rng, rgb("#7f7a74"), 0.06)
            canvas.shade(ellipse(px + 0.01, py + 0.012, size * 1.1, size * 0.5), 0.5, soft=0.015)
            start, end = (px - size * 0.5, py - size * 0.5), (px + size * 0.4, py + size * 0.5)
            light = [lighter(stone, 0.35), stone, darker(stone, 0.55)]
            canvas.fill(ellipse(px, py, size, size * 0.5), Ramp(start, end, light))


def misty_forest(canvas: Canvas, rng: np.random.Generator) -> None:
    """Trunks that fade into fog, with rays of light."""
    fog = canvas.in_turn(palette("#c9d6d2 #e3d3ac #b7c7cf #d8c7b5"))
    dark = canvas.in_turn(palette("#1f2f28 #2e281f #1c2a33"))
    canvas.wash(Ramp((0, 0), (0, canvas.h), [lighter(fog, 0.25), fog, mix(fog, dark, 0.35)]))
    sun = (canvas.w * rng.uniform(0.2, 0.8), canvas.h * 0.05)
    canvas.wash(Radial(sun, 0.9, [lighter(fog, 0.85), fog]), 0.5)
    for layer in range(5):
        share = layer / 4
        colour = mix(fog, dark, 0.15 + 0.8 * share**1.3)
        _trunks(canvas, rng, colour, share)
        _undergrowth(canvas, rng, colour, share)
        if layer in (1, 3):
            _rays(canvas, rng, sun, lighter(fog, 0.5))


def _trunks(canvas: Canvas, rng: np.random.Generator, colour: Colour, share: float) -> None:
    """Bare lower trunks with dead boughs; ``share`` is 0 far away, 1 close by."""
    trunks, boughs = [], []
    for _ in range(int(canvas.in_turn([16, 9, 22]) * (1 - 0.7 * share))):
        x, lean = rng.uniform(-0.05, canvas.w + 0.05), rng.uniform(-0.03, 0.03)
        wide = (0.012 + 0.07 * share**1.5) * rng.uniform(0.7, 1.3)
        foot = canvas.h * (0.8 + 0.22 * share)
        path = np.stack([np.linspace(x + lean, x, 20), np.linspace(-0.1, foot, 20)], axis=1)
        trunks.append(ribbon(path, [wide * 0.75, wide, wide * 1.35]))
        for _ in range(int(rng.integers(3, 8))):
            at = path[int(rng.integers(2, 13))]
            reach = wide * rng.uniform(2.5, 6) * one_of(rng, [-1, 1])
            bough = np.array([(0, 0), (reach * 0.5, wide * 0.3), (reach, wide * 1.4)]) + at
            boughs.append(ribbon(bough, [wide * 0.2, wide * 0.1, 0.0]))
    canvas.fill([*boughs, *trunks], colour, soft=0.003)
    lit = [trunk - np.array([0.004 + 0.012 * share, 0]) for trunk in trunks]
    canvas.shine(lit, rgb("#fff0d0"), soft=0.02, strength=0.06)


def _undergrowth(canvas: Canvas, rng: np.random.Generator, colour: Colour, share: float) -> None:
    line = ridge(canvas, rng, canvas.h * (0.76 + 0.2 * share), 0.02, 0.8)
    ferns = []
    for x in rng.uniform(-0.05, canvas.w + 0.05, 60).tolist():
        y = float(np.interp(x, line[:, 0], line[:, 1]))
        tip = (
            x + rng.uniform(-0.05, 0.05) * (1 + share),
            y - rng.uniform(0.02, 0.06) * (0.6 + share),
        )
        ferns.append(polygon((x - 0.012, y + 0.02), tip, (x + 0.012, y + 0.02)))
    canvas.fill([below(canvas, line), *ferns], mix(colour, rgb("#4d6b32"), 0.18), soft=0.006)


def _rays(canvas: Canvas, rng: np.random.Generator, sun: Place, light: Colour) -> None:
    rays = []
    for _ in range(5):
        angle, wide = rng.uniform(0.5, 2.6), rng.uniform(0.02, 0.05)
        edges = np.array([angle - wide, angle + wide])
        ends = np.array(sun) + 2 * np.stack([np.cos(edges), np.sin(edges)], axis=1)
        rays.append(np.concatenate([[sun], ends]))
    canvas.shine(rays, light, soft=0.05, strength=0.2)


def camp_under_stars(canvas: Canvas, rng: np.random.Generator) -> None:
    hour = canvas.in_turn([skies.NIGHT, skies.DUSK])
    level = canvas.h * canvas.in_turn([0.66, 0.58, 0.74])
    paint_sky(canvas, rng, hour, level + 0.1)
    _milky_way(canvas, rng)
    peaks = ridge(canvas, rng, level - 0.1, rng.uniform(0.06, 0.16))
    snow_peaks(canvas, rng, hour, peaks, level + 0.15)
    dark = rgb("#0c1820")
    forest(canvas, rng, ridge(canvas, rng, level + 0.06, 0.03), 0.13, lighter(dark, 0.1), 110)
    meadow = below(canvas, ridge(canvas, rng, canvas.h * 0.84, 0.015))
    canvas.fill(meadow, Ramp((0, canvas.h * 0.8), (0, canvas.h), palette("#1c2b24 #0a1210")))
    for k in range(canvas.in_turn([1, 2, 1, 3])):
        x = canvas.w * (rng.uniform(0.3, 0.5) + 0.2 * k)
        _tent(canvas, rng, x, canvas.h * (0.89 - 0.02 * k), rng.uniform(0.1, 0.2))
    left, right = rng.uniform(-0.05, canvas.w * 0.15, 4), rng.uniform(0.85, 1.05, 4) * canvas.w
    edges = [*left.tolist(), *right.tolist()]
    trees = [pine(rng, x, canvas.h * 0.97, rng.uniform(0.3, 0.6)) for x in edges]
    canvas.fill(trees, rgb("#060d0f"))


def _milky_way(canvas: Canvas, rng: np.random.Generator) -> None:
    area, turn = canvas.whole, rng.uniform(-1.2, 1.2)
    across = (area.x - canvas.w * 0.5) * np.cos(turn) + (area.y - canvas.h * 0.3) * np.sin(turn)
    band = np.exp(-((across.astype(np.float32) / np.float32(0.14)) ** 2))
    band *= noise(rng, canvas.size, (5, 6), 5, 0.6)
    band *= np.clip(1.1 - area.y / np.float32(canvas.h * 0.7), 0, 1) * np.float32(0.5)
    canvas.wash(rgb("#b9b6dd"), band)


def _tent(canvas: Canvas, rng: np.random.Generator, x: float, y: float, size: float) -> None:
    """A tent lit from inside."""
    cloth = one_of(rng, palette("#f29a3f #f2c14e #e4674d #7fc4a8"))
    glow = mix(cloth, rgb("#ffe9b0"), 0.4)
    canvas.shine(ellipse(x, y, size * 2.6, size * 0.7), glow, soft=size, strength=0.4)
    canvas.shine(ellipse(x, y - size * 0.5, size * 1.4), glow, soft=size, strength=0.3)
    top = (x - size * 0.1, y - size * 1.05)
    body = polygon((x - size, y), top, (x + size * 1.15, y - size * 0.05))
    tones = [lighter(glow, 0.5), cloth, darker(cloth, 0.5)]
    canvas.fill(body, Radial((x - size * 0.1, y - size * 0.2), size * 1.2, tones))
    door = polygon((x - size * 0.42, y), (top[0], y - size * 0.9), (x + size * 0.14, y))
    canvas.fill(door, Ramp((x, y - size), (x, y), [cloth, rgb("#fff3cd")]))
    canvas.fill(ribbon(polygon(top, (x - size * 0.12, y)), 0.004), darker(cloth, 0.5))


def alpine_path(canvas: Canvas, rng: np.random.Generator) -> None:
    """A meadow with a path that winds up to snow peaks."""
    hour = canvas.in_turn([skies.DAY, skies.GOLDEN, skies.OVERCAST, skies.DAWN])
    level = canvas.h * canvas.in_turn([0.56, 0.45, 0.62])
    paint_sky(canvas, rng, hour, level)
    peaks = ridge(canvas, rng, level - rng.uniform(0.17, 0.26), rng.uniform(0.12, 0.2))
    snow_peaks(canvas, rng, hour, peaks, level + 0.1)
    wood = mix(rgb("#2f5038"), hour.haze, 0.3)
    forest(canvas, rng, ridge(canvas, rng, level - 0.02, 0.03), 0.08, wood, 130)
    _meadow(canvas, rng, hour.haze, level)
    _path(canvas, rng, level + 0.03)
    if canvas.take % 4 != 2:
        _meadow_flowers(canvas, rng, level + 0.12)
    side = canvas.in_turn([-1, 1])
    for k in range(canvas.in_turn([3, 1, 4])):
        tall, x = rng.uniform(0.3, 0.6) - 0.06 * k, canvas.w * (0.5 + side * (0.36 + 0.09 * k))
        canvas.shade(ellipse(x + 0.05, canvas.h * 0.84, tall * 0.25, 0.02), 0.5, soft=0.02)
        light = Ramp((x - 0.1, 0), (x + 0.1, 0), palette("#4a6b45 #1d3325"))
        canvas.fill(pine(rng, x, canvas.h * 0.85, tall), light)


def _meadow(canvas: Canvas, rng: np.random.Generator, haze: Colour, level: float) -> None:
    seasons = [
        ("#a9c06a", "#4f7a34"),
        ("#d0a24a", "#8a5a24"),
        ("#f2f5f8", "#b4c3d6"),
        ("#b98ac0", "#5f5a6a"),
    ]
    far, close = (rgb(code) for code in canvas.in_turn(seasons))
    depth = np.clip((canvas.whole.y - level) / np.float32(canvas.h - level), 0, 1)
    tone = noise(rng, canvas.size, (60, 26), 4, 0.7) * np.float32(0.75) + depth * np.float32(0.35)
    grass = stops(tone, [mix(far, haze, 0.25), mix(far, close, 0.5), close])
    canvas.fill(below(canvas, ridge(canvas, rng, level + 0.04, 0.02)), Texture(grass))


def _path(canvas: Canvas, rng: np.random.Generator, top: float) -> None:
    share = np.linspace(0, 1, 60)
    sway = np.sin(share * rng.uniform(3, 8) + rng.uniform(0, 6)) * 0.22 * share**0.8
    down = top + (canvas.h - top + 0.05) * share**1.6
    path = np.stack([canvas.w * rng.uniform(0.4, 0.6) + sway, down], axis=1)
    widths = (0.006 + 0.16 * np.linspace(0, 1, 12) ** 1.7).tolist()
    earth = Ramp((0, top), (0, canvas.h), palette("#e6d6b4 #bfa27a"))
    canvas.fill(ribbon(path, widths), earth, soft=0.008)


def _meadow_flowers(canvas: Canvas, rng: np.random.Generator, top: float) -> None:
    for colour in palette("#ffffff #f2d34f #c77fd0 #e4674d"):
        depth = rng.random(70) ** 0.7
        x = rng.uniform(0, canvas.w, 70)
        dots = [
            ellipse(a, top + (canvas.h - top) * share, 0.0015 + 0.006 * share)
            for a, share in zip(x.tolist(), depth.tolist(), strict=True)
        ]
        canvas.fill(dots, colour, opacity=0.9)


SCENES = (
    Scene("ridges-in-the-haze", ridges),
    Scene("mirror-lake", lake),
    Scene("fog-in-the-forest", misty_forest),
    Scene("camp-under-stars", camp_under_stars, (PORTRAIT, LANDSCAPE, SQUARE, WIDE)),
    Scene("path-to-the-pass", alpine_path),
)
