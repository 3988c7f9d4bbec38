"""Fabrics and outfits: cloth in folds, flat-lays, folded piles, a rail of clothes."""

import numpy as np

from demo.pictures.canvas import Canvas
from demo.pictures.cloth import WEAVES, Cloth, colours_of, fold_field, fold_light, plain
from demo.pictures.garments import (
    DRESS,
    SHIRT,
    SWEATER,
    TROUSERS,
    collar,
    folded,
    hung,
    laid_flat,
    placket,
    pocket,
    shoe,
    sunglasses,
)
from demo.pictures.outlines import box, ellipse, polygon
from demo.pictures.paints import Ramp, darker, lighter, near, palette, rgb
from demo.pictures.scene import LANDSCAPE, PORTRAIT, SQUARE, WIDE, Scene, one_of
from demo.pictures.textures import linen, noise, wood

_BACKDROPS = palette("#e9e4da #c8d0cc #d9c9b8 #dcc6c0 #b8bfc6 #f1eee8 #a9a08f")


def up_close(canvas: Canvas, rng: np.random.Generator) -> None:
    """The front of a buttoned shirt that fills the picture, with its pocket."""
    colours, turn = colours_of(rng), rng.uniform(-0.12, 0.12)
    folds = fold_field(canvas, rng, rng.uniform(0.25, 0.45))
    pitch = canvas.in_turn([0.13, 0.09, 0.17, 0.11])
    weave = canvas.in_turn(WEAVES)
    canvas.wash(Cloth(weave, colours, pitch, turn, folds))
    middle = canvas.w * canvas.in_turn([0.5, 0.42, 0.6])
    placket(canvas, Cloth(weave, colours, pitch, turn + 0.02), colours[1], (middle, canvas.h / 2))
    pocket(canvas, Cloth(weave, colours, pitch, turn), (middle + 0.3, canvas.h * 0.5))
    collar(canvas, Cloth(weave, colours, pitch, turn + 0.7), (middle, canvas.h * 0.03))
    canvas.tint(fold_light(folds))
    glow = ellipse(rng.uniform(0, canvas.w), rng.uniform(0, canvas.h * 0.6), 0.4)
    canvas.shine(glow, rgb("#fff0d8"), soft=0.5, strength=0.16)


def backdrop(canvas: Canvas, rng: np.random.Generator) -> None:
    """Boards, cloth or paper to lay clothes on, lit from the upper left."""
    colour = near(rng, canvas.in_turn(_BACKDROPS), 0.03)
    kind = one_of(rng, ["boards", "cloth", "paper"])
    if kind == "boards":
        canvas.wash(wood(canvas, rng, lighter(colour, 0.25), darker(colour, 0.2)))
    elif kind == "cloth":
        canvas.wash(linen(canvas, rng, colour, 0.06))
    else:
        tones = [lighter(colour, 0.3), colour, darker(colour, 0.15)]
        canvas.wash(Ramp((0, 0), (canvas.w, canvas.h), tones))
    if rng.random() < 0.4:
        right = canvas.w * rng.uniform(0.5, 0.8)
        slant = polygon((0.1, -0.2), (right, -0.2), (right + 0.5, 1.6), (canvas.w * 0.4, 1.6))
        canvas.light(slant, rgb("#fff6e6"), rgb("#a9aab8"), soft=0.06, strength=0.6)


def one_piece(canvas: Canvas, rng: np.random.Generator) -> None:
    """A single garment laid flat."""
    backdrop(canvas, rng)
    half = canvas.in_turn([SHIRT, SWEATER, DRESS, SHIRT, SWEATER])
    at = canvas.w / 2, canvas.h / 2 + 0.01
    size = min(0.84 * canvas.h, 0.86) * rng.uniform(0.85, 1.05)
    weave = WEAVES[(canvas.take * 3 + 1) % len(WEAVES)]
    laid_flat(canvas, rng, half, at, size, rng.uniform(-0.25, 0.25), weave)


def outfit(canvas: Canvas, rng: np.random.Generator) -> None:
    """Top, trousers, shoes and sunglasses, laid out together."""
    backdrop(canvas, rng)
    wide, side = canvas.w > 1.1, one_of(rng, [-1, 1])
    x, y = canvas.w / 2, canvas.h
    lower = (x + side * 0.27, y * 0.55) if wide else (x + side * 0.2, y * 0.66)
    upper = (x - side * 0.24, y * 0.46) if wide else (x - side * 0.14, y * 0.32)
    feet = (x + side * 0.53, y * 0.8) if wide else (x - side * 0.28, y * 0.83)
    lens = (x - side * 0.53, y * 0.86) if wide else (x + side * 0.2, y * 0.12)
    laid_flat(canvas, rng, TROUSERS, lower, 0.72, side * rng.uniform(-0.15, 0.2), plain)
    top, weave = canvas.in_turn([SWEATER, SHIRT]), WEAVES[canvas.take * 5 % len(WEAVES)]
    laid_flat(canvas, rng, top, upper, 0.62, side * rng.uniform(-0.2, 0.1), weave)
    paint = near(rng, one_of(rng, palette("#f4f1ea #b5553f #2c3440 #d9a441 #6b4a33")), 0.03)
    for k in (-1, 1):
        place = feet[0] + k * 0.062, feet[1] + k * 0.015
        shoe(canvas, *place, 0.24, -np.pi / 2 + k * 0.1, paint)
    sunglasses(canvas, *lens, 0.17, rng.uniform(-0.4, 0.4))


def folded_pile(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sweaters folded into piles on a shelf."""
    wall = near(rng, canvas.in_turn(_BACKDROPS), 0.03)
    tones = [lighter(wall, 0.4), wall, darker(wall, 0.25)]
    canvas.wash(Ramp((0, 0), (canvas.w, canvas.h * 0.5), tones))
    shelf = canvas.h * rng.uniform(0.8, 0.9)
    board = near(rng, canvas.in_turn(palette("#a8784f #e6ddd0 #5f4634")), 0.04)
    light = Ramp((0, shelf), (0, canvas.h), [lighter(board, 0.2), darker(board, 0.4)])
    canvas.fill(box(-1, shelf, 3, canvas.h + 1), light)
    piles, high = canvas.in_turn([(2, 5), (1, 7), (3, 6), (1, 4)])
    for pile in range(piles):
        x = canvas.w * ((pile + 0.5) / piles) + rng.uniform(-0.04, 0.04)
        half, y = min(0.3, canvas.w * 0.42 / piles) * rng.uniform(0.9, 1.0), shelf + 0.012
        canvas.shade(ellipse(x + 0.05, shelf + 0.01, half * 1.2, 0.025), 0.55, soft=0.05)
        for _ in range(high - int(rng.integers(0, 2))):
            thick = rng.uniform(0.09, 0.13)
            aside = rng.uniform(-0.015, 0.015)
            folded(canvas, rng, x + aside, y, half * rng.uniform(0.93, 1.05), thick)
            y -= thick * 0.93


def clothes_rail(canvas: Canvas, rng: np.random.Generator) -> None:
    """Clothes on hangers before a wall."""
    wall = near(rng, canvas.in_turn(_BACKDROPS), 0.03)
    tones = [lighter(wall, 0.3), wall, darker(wall, 0.25)]
    canvas.wash(Ramp((0, 0), (canvas.w, canvas.h), tones))
    canvas.tint(np.float32(0.95) + np.float32(0.1) * noise(rng, canvas.size, (3, 4), 5))
    floor, rail = canvas.h * 0.92, canvas.h * rng.uniform(0.08, 0.17)
    canvas.fill(box(-1, floor, 3, 3), Ramp((0, floor), (0, canvas.h), palette("#a07a58 #6b4a33")))
    canvas.shade(box(-1, rail + 0.05, 3, rail + 0.062), 0.25, soft=0.02)
    steel = Ramp((0, rail), (0, rail + 0.014), palette("#8a7a66 #d9ccb4 #3f3428"))
    canvas.fill(box(-1, rail, 3, rail + 0.014), steel)
    narrow, broad = canvas.in_turn([(0.1, 0.18), (0.2, 0.3), (0.07, 0.12), (0.14, 0.22)])
    x = rng.uniform(0.02, 0.1)
    while x < canvas.w + 0.05:
        wide = rng.uniform(narrow, broad)
        hung(canvas, rng, x + wide / 2, rail, wide, rng.uniform(0.45, 0.66) * min(canvas.h, 1.1))
        x += wide * rng.uniform(0.85, 1.05)


SCENES = (
    Scene("shirt-up-close", up_close),
    Scene("laid-flat", one_piece, (SQUARE, PORTRAIT, LANDSCAPE)),
    Scene("outfit-of-the-day", outfit, (PORTRAIT, LANDSCAPE)),
    Scene("folded-on-the-shelf", folded_pile, (LANDSCAPE, PORTRAIT, WIDE, SQUARE)),
    Scene("on-the-rail", clothes_rail, (LANDSCAPE, SQUARE, WIDE, PORTRAIT)),
)
