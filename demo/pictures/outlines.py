"""Outlines of things as closed polygons: arrays of shape (points, 2) in canvas units."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from demo.pictures.paints import Place

Outline: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = Outline | Sequence[Outline]


def polygon(*places: Place) -> Outline:
    return np.array(places, dtype=np.float64)


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def ellipse(
    x: float, y: float, across: float, down: float | None = None, turn: float = 0.0
) -> Outline:
    """An ellipse with the half axes ``across`` and ``down``, turned by ``turn`` radians."""
    corners = min(max(int(across * 300), 18), 72)
    angle = np.arange(corners) * (2 * np.pi / corners)
    ring = np.empty((corners, 2))
    ring[:, 0], ring[:, 1] = np.cos(angle) * across, np.sin(angle) * (down or across)
    return placed(ring, x, y, turn=turn) if turn else ring + np.array([x, y])


def arc(
    x: float, y: float, across: float, down: float, start: float, end: float, count: int = 40
) -> Outline:
    """An open run of places on an ellipse between two angles in radians."""
    angle = np.linspace(start, end, count)
    return np.stack([x + np.cos(angle) * across, y + np.sin(angle) * down], axis=1)


def rounded(left: float, top: float, right: float, bottom: float, radius: float) -> Outline:
    """A box whose corners are quarter circles."""
    corners = [
        arc(right - radius, top + radius, radius, radius, -np.pi / 2, 0, 10),
        arc(right - radius, bottom - radius, radius, radius, 0, np.pi / 2, 10),
        arc(left + radius, bottom - radius, radius, radius, np.pi / 2, np.pi, 10),
        arc(left + radius, top + radius, radius, radius, np.pi, 1.5 * np.pi, 10),
    ]
    return np.concatenate(corners)


def blob(
    rng: np.random.Generator, x: float, y: float, radius: float, wobble: float = 0.08
) -> Outline:
    """A circle with a few soft bumps, each at most ``wobble`` of the radius."""
    corners = min(max(int(radius * 400), 14), 72)
    angle = np.arange(corners) * (2 * np.pi / corners)
    reach = np.full(corners, radius)
    for waves in (2, 3, 5):
        phase = rng.uniform(0, 2 * np.pi)
        reach += rng.uniform(0, wobble) * radius * np.sin(waves * angle + phase)
    return np.stack([x + np.cos(angle) * reach, y + np.sin(angle) * reach], axis=1)


def ribbon(path: Outline, widths: float | Sequence[float]) -> Outline:
    """The band along ``path`` with the given width, or widths in equal steps along it."""
    tangent = np.empty_like(path)
    tangent[1:-1] = path[2:] - path[:-2]
    tangent[0], tangent[-1] = path[1] - path[0], path[-1] - path[-2]
    length = np.maximum(np.sqrt((tangent * tangent).sum(axis=1)), 1e-9)
    normal = tangent[:, ::-1] * (-1, 1) / length[:, None]
    if isinstance(widths, float):
        offset = normal * (widths / 2)
    else:
        steps = np.arange(len(path)) * ((len(widths) - 1) / (len(path) - 1))
        offset = normal * (np.interp(steps, np.arange(len(widths)), widths) / 2)[:, None]
    return np.concatenate([path + offset, (path - offset)[::-1]])


def smooth(points: Outline, closed: bool = True, rounds: int = 3) -> Outline:
    """The curve that cutting every corner a few times leaves (Chaikin 1974)."""
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0) if closed else points[1:]
        before = points if closed else points[:-1]
        cut = np.stack([0.75 * before + 0.25 * following, 0.25 * before + 0.75 * following], 1)
        inner = cut.reshape(-1, 2)
        points = inner if closed else np.concatenate([points[:1], inner, points[-1:]])
    return points


def bezier(start: ArrayLike, bend: ArrayLike, end: ArrayLike, count: int = 32) -> Outline:
    """An open quadratic curve of ``count`` places between two places."""
    t = (np.arange(count) / (count - 1))[:, None]
    first, second, third = (np.asarray(place, dtype=np.float64) for place in (start, bend, end))
    curve: Outline = (1 - t) ** 2 * first + 2 * t * (1 - t) * second + t**2 * third
    return curve


def leaf(length: float, width: float, fullest: float = 0.45) -> Outline:
    """A pointed leaf from (0, 0) along +x, widest at the share ``fullest`` of its length."""
    t = np.arange(20) / 19
    power = np.log(0.5) / np.log(fullest)
    half = np.sin(np.pi * t**power) * width / 2
    upper = np.stack([t * length, -half], axis=1)
    return np.concatenate([upper, (upper * (1, -1))[::-1]])


def mirrored(half: Outline) -> Outline:
    """``half`` joined to its reflection in x = 0."""
    return np.concatenate([half, (half * (-1, 1))[::-1]])


def placed(points: Outline, x: float, y: float, *, turn: float = 0.0, size: float = 1.0) -> Outline:
    """``points`` scaled, turned clockwise on screen by ``turn`` radians, then moved to (x, y)."""
    cos, sin = float(np.cos(turn)) * size, float(np.sin(turn)) * size
    moved: Outline = points @ np.array([[cos, sin], [-sin, cos]]) + np.array([x, y])
    return moved
