"""The city: skylines at different hours, street canyons, house fronts, a bridge."""

import numpy as np

from demo.pictures import skies
from demo.pictures.buildings import (
    WALLS,
    flower_boxes,
    light_windows,
    shutters,
    towers,
    wall_surface,
    windowpanes,
)
from demo.pictures.canvas import Canvas, Look
from demo.pictures.outlines import Outline, box, ellipse, polygon, ribbon
from demo.pictures.paints import Colour, Place, Ramp, darker, lighter, mix, near, palette, rgb
from demo.pictures.scene import LANDSCAPE, PORTRAIT, SQUARE, WIDE, Scene, one_of
from demo.pictures.skies import Hour, paint_sky, paint_sun, reflect

_HOURS = (skies.SUNSET, skies.NIGHT, skies.DAY, skies.DAWN, skies.DUSK, skies.GOLDEN)


def skyline(canvas: Canvas, rng: np.random.Generator) -> None:
    """Towers across a river."""
    hour = canvas.in_turn(_HOURS)
    shore = canvas.h * canvas.in_turn([0.78, 0.66, 0.72, 0.84])
    paint_sky(canvas, rng, hour, shore)
    sun = canvas.w * rng.uniform(0.15, 0.85), shore * rng.uniform(0.25, 0.7)
    if hour is not skies.DUSK:
        paint_sun(canvas, hour, *sun, rng.uniform(0.025, 0.045))
    for depth in range(1, 4):
        towers(canvas, rng, hour, shore, depth)
    water = darker(mix(hour.sky[2], rgb("#24485a"), 0.5), hour.dark * 0.5)
    reflect(canvas, rng, shore, water, 0.4)
    quay = Ramp((0, shore - 0.012), (0, shore + 0.01), [darker(hour.haze, 0.6), rgb("#141a22")])
    canvas.fill(box(-1, shore - 0.01, 3, shore + 0.006), quay)


def rooftops(canvas: Canvas, rng: np.random.Generator) -> None:
    """The towers close by, standing behind each other up to the lower edge."""
    hour = canvas.in_turn([skies.DAY, skies.DUSK, skies.GOLDEN, skies.OVERCAST, skies.NIGHT])
    paint_sky(canvas, rng, hour, canvas.h * 0.7)
    if hour is skies.GOLDEN:
        paint_sun(canvas, hour, canvas.w * rng.uniform(0.2, 0.8), canvas.h * 0.2, 0.05)
    for depth in range(5):
        street = canvas.h * (0.55 + 0.13 * depth)
        canvas.fill(box(-1, street - 0.05, 3, 3), darker(hour.haze, 0.3 + hour.dark * 0.4))
        towers(canvas, rng, hour, street, min(depth, 3))
    low = Ramp((0, canvas.h * 0.6), (0, canvas.h * 1.1), [hour.haze, darker(hour.haze, 0.3)])
    canvas.fill(box(-1, canvas.h * 0.75, 3, 3), low, soft=0.3, opacity=0.35)


def avenue(canvas: Canvas, rng: np.random.Generator) -> None:
    """A street between tall houses, vanishing towards the light."""
    hour = canvas.in_turn([skies.GOLDEN, skies.NIGHT, skies.DAY, skies.SUNSET, skies.DUSK])
    eye = canvas.w * rng.uniform(0.36, 0.64), canvas.h * rng.uniform(0.54, 0.68)
    paint_sky(canvas, rng, hour, eye[1] + 0.1)
    if hour.dark < 0.6:
        paint_sun(canvas, hour, eye[0], eye[1] - 0.1, 0.035)
    _road(canvas, hour, eye)
    for side in (-1, 1):
        _house_row(canvas, rng, hour, eye, side * rng.uniform(0.28, 0.46))
    for nearness in sorted(rng.uniform(0.12, 0.75, canvas.in_turn([6, 9, 3])).tolist()):
        _car(canvas, rng, hour, eye, nearness)


def _road(canvas: Canvas, hour: Hour, eye: Place) -> None:
    x, y = eye
    ground = mix(rgb("#4b4a4c"), hour.haze, 0.25)
    close = darker(ground, 0.35 + hour.dark / 4)
    canvas.fill(
        box(-1, y, 3, canvas.h + 1), Ramp((0, y), (0, canvas.h), [hour.haze, ground, close])
    )
    gleam = polygon(eye, (x + 0.25, canvas.h), (x - 0.25, canvas.h))
    canvas.shine(gleam, hour.sky[-1], soft=0.1, strength=0.5)
    dash = polygon((-0.012, 0.5), (0.012, 0.5), (0.0096, 0.4), (-0.0096, 0.4))
    marks = [dash * 0.62**k + np.array(eye) for k in range(9)]
    canvas.fill(marks, rgb("#efe9dc"), opacity=0.7)


def _house_row(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, eye: Place, kerb: float
) -> None:
    """House fronts along one side, from the far end to the near."""
    far = 0.06
    while far < 2.6:
        close = far * rng.uniform(1.35, 1.7)
        wall = near(rng, one_of(rng, WALLS), 0.04)
        wall = mix(darker(wall, 0.25 + hour.dark * 0.5), hour.haze, max(0.0, 0.75 - far))
        lit = mix(wall, hour.sun, 0.3 * (1 - hour.dark) if kerb > 0 else 0.05)
        _front(canvas, rng, hour, _Depth(eye, kerb, far, close), lit, rng.uniform(0.75, 1.5))
        far = close


class _Depth:
    """Where a front along the street appears; nearness 1 is at the picture's lower edge."""

    def __init__(self, eye: Place, kerb: float, far: float, close: float) -> None:
        self.eye, self.kerb, self.far, self.close = eye, kerb, far, close

    def at(self, share: float, height: float) -> Place:
        nearness = self.far + (self.close - self.far) * share
        x, y = self.eye
        return (x + self.kerb * nearness, y + nearness * (0.42 - height))

    def patch(self, start: float, end: float, low: float, high: float) -> Outline:
        return polygon(
            self.at(start, low), self.at(end, low), self.at(end, high), self.at(start, high)
        )


def _front(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, depth: _Depth, wall: Colour, tall: float
) -> None:
    tones = [mix(wall, hour.haze, 0.3), darker(wall, 0.2)]
    canvas.fill(depth.patch(0, 1, 0, tall), Ramp(depth.at(0, 0), depth.at(1, 0), tones))
    panes = [
        depth.patch(k / 5 + 0.05, k / 5 + 0.15, floor, floor + 0.09)
        for floor in np.arange(0.2, tall - 0.12, 0.16)
        for k in range(5)
    ]
    light_windows(canvas, rng, hour, panes)
    canvas.shade(depth.patch(0, 1, 0, 0.14), 0.45, soft=0.01)


def _car(canvas: Canvas, rng: np.random.Generator, hour: Hour, eye: Place, nearness: float) -> None:
    """A car from behind or in front, with its lights and their gleam on the road."""
    lane = one_of(rng, [-1, 1])
    s = 0.13 * nearness
    at = np.array([eye[0] + lane * 0.17 * nearness, eye[1] + 0.4 * nearness])
    canvas.shade(ellipse(0, 0, s * 0.75, s * 0.12) + at, 0.6, soft=s * 0.2)
    cabin = polygon((-0.4, -0.45), (-0.3, -0.85), (0.3, -0.85), (0.4, -0.45)) * s + at
    body = box(-0.52, -0.5, 0.52, -0.08) * s + at
    paint = darker(near(rng, rgb("#5b6672"), 0.2), hour.dark * 0.6)
    canvas.fill([cabin, body], paint, soft=s * 0.05)
    lamp = rgb("#ff4a35") if lane > 0 else rgb("#fff2cf")
    spots = [at + s * np.array([way * 0.4, -0.32]) for way in (-1, 1)]
    pair = [ellipse(0, 0, s * 0.09) + spot for spot in spots]
    canvas.fill(pair, lamp)
    canvas.shine(pair, lamp, soft=s * 0.6, strength=0.4 + hour.dark)
    trails = [box(-0.05, 0.3, 0.05, 1.3) * s + spot for spot in spots]
    canvas.shine(trails, lamp, soft=s * 0.3, strength=0.2 + hour.dark * 0.5)


def house_front(canvas: Canvas, rng: np.random.Generator) -> None:
    """A painted front straight on: windows with shutters and flower boxes."""
    wall = near(rng, canvas.in_turn(WALLS), 0.03)
    wall_surface(canvas, rng, wall)
    columns, floors = canvas.in_turn([(3, 3), (2, 3), (5, 3), (3, 2), (4, 4)])
    pitch, rise = canvas.w / columns, canvas.h / floors
    ledges = [box(-1, k * rise - 0.018, 3, k * rise) for k in range(1, floors + 1)]
    canvas.shade([ledge + np.array([0, 0.03]) for ledge in ledges], 0.45, soft=0.03)
    canvas.fill(ledges, lighter(wall, 0.45))
    half, tall = min(pitch * 0.2, 0.16), min(rise * 0.3, 0.26)
    places = [((k + 0.5) * pitch, (j + 0.48) * rise) for j in range(floors) for k in range(columns)]
    paint = near(rng, one_of(rng, palette("#2f5d62 #33475b #6b8e6e #7a3b3b #e9e2d0")), 0.03)
    windowpanes(canvas, rng, places, half, tall)
    shutters(canvas, places, half, tall, paint)
    sills = [(x, y + tall) for k, (x, y) in enumerate(places) if k == 0 or rng.random() < 0.6]
    flower_boxes(canvas, rng, sills, half)
    left, right = canvas.w * rng.uniform(0, 0.4), canvas.w * rng.uniform(0.9, 1.5)
    slant = polygon((left, -0.1), (right, -0.1), (right - 0.6, 1.5), (left - 0.6, 1.5))
    canvas.light(slant, rgb("#fff2d8"), rgb("#868ba6"), soft=0.03, strength=rng.uniform(0.4, 0.8))


def bridge(canvas: Canvas, rng: np.random.Generator) -> None:
    """A suspension bridge before a far skyline."""
    hour = canvas.in_turn([skies.OVERCAST, skies.SUNSET, skies.DAY, skies.DUSK, skies.DAWN])
    shore = canvas.h * rng.uniform(0.68, 0.76)
    paint_sky(canvas, rng, hour, shore)
    for depth in range(canvas.in_turn([2, 1, 1, 2])):
        towers(canvas, rng, hour, shore, depth)
    paint = canvas.in_turn(palette("#a8412f #4b5a66 #6d5a4a"))
    steel = darker(near(rng, paint, 0.03), 0.1 + hour.dark * 0.4)
    deck = shore - rng.uniform(0.09, 0.13)
    span = canvas.w * rng.uniform(-0.1, 0.3), canvas.w * rng.uniform(0.66, 0.9)
    _suspension(canvas, span, deck - rng.uniform(0.3, 0.42), deck, shore, steel)
    if hour.dark > 0.4:
        lamps = [ellipse(x, deck - 0.008, 0.003) for x in np.arange(0, canvas.w, 0.045)]
        canvas.shine(lamps, rgb("#ffd98f"), soft=0.012)
        canvas.fill(lamps, rgb("#fff0c8"))
    water = darker(mix(hour.sky[2], rgb("#1f4a5c"), 0.5), hour.dark * 0.4)
    reflect(canvas, rng, shore, water, 0.45)


def _suspension(
    canvas: Canvas, span: Place, top: float, deck: float, shore: float, steel: Colour
) -> None:
    """Cable, hangers, deck and two pylons at ``span``."""
    first, second = span
    x = np.linspace(-0.3, canvas.w + 0.3, 240)
    sag = 1 - (2 * (x - first) / (second - first) - 1) ** 2
    outside = np.minimum(top - sag * (deck - top) * 0.55, deck)
    y = np.where(sag > 0, top + sag * (deck - top - 0.015), outside)
    hangers = [box(a - 0.001, b, a + 0.001, deck) for a, b in zip(x[::4], y[::4], strict=True)]
    canvas.fill(hangers, steel, opacity=0.8)
    canvas.fill(ribbon(np.stack([x, y], axis=1), 0.008), steel)
    light = [lighter(steel, 0.25), darker(steel, 0.4)]
    canvas.fill(box(-1, deck, 3, deck + 0.02), Ramp((0, deck), (0, deck + 0.02), light))
    for place in span:
        legs = [box(place + a, top - 0.02, place + a + 0.022, shore) for a in (-0.041, 0.019)]
        heights = np.linspace(top, deck, 4)[:3]
        beams = [box(place - 0.03, at, place + 0.03, at + 0.016) for at in heights]
        canvas.fill([*legs, *beams], Ramp((place - 0.04, 0), (place + 0.04, 0), light))
        canvas.fill(box(place - 0.05, shore - 0.012, place + 0.05, shore), darker(steel, 0.3))


SCENES = (
    Scene("skyline-from-the-river", skyline, (LANDSCAPE, PORTRAIT, WIDE, SQUARE)),
    Scene("down-the-avenue", avenue),
    Scene("shutters-and-flower-boxes", house_front, look=Look(warmth=0.02)),
    Scene("the-old-bridge", bridge, (LANDSCAPE, WIDE, SQUARE)),
    Scene("over-the-rooftops", rooftops, (PORTRAIT, LANDSCAPE, SQUARE)),
)
