"""Whether one picture is the other, or a part of it, and how much of it was changed.

Two small pictures are laid over each other: first at every place and scale at which one lies within
the other, then precisely (stretched, turned and sheared a little). What still differs there is what
was changed. It blocks for some 20 ms: call it in a thread.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from libs.image_hash import content_box

_COARSE = 40
_FINE = 80
# How large the part may be, as a share of the largest that fits.
_SCALES = np.arange(0.50, 1.001, 0.05)
_ROUNDS = 12
_BLOCKS = 8
# A block agrees when its details correlate so well; those without details say nothing.
_BLOCK_SAME = 0.85
_FLAT = 4.0
# What compression does to the colours of a grey picture, in levels of 0..255.
_COLOUR_NOISE = 8.0
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Grey = NDArray[np.float64]
Affine = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Match:
    """What two pictures have in common.

    ``structure`` is the correlation of their details where they lie over each other, -1..1;
    ``agreement`` the share of places there that look the same, 0..1; ``overlap`` the share of the
    larger one that the other shows, 0..1; ``colour`` how much of their colours differs, brightness
    left aside: 0 the same, 1 nothing in common.
    """

    structure: float
    agreement: float
    overlap: float
    colour: float


def match(one: Image.Image, other: Image.Image, orientation: int) -> Match:
    """Compares two pictures of mode RGB; ``other`` is turned first, by ``orientation`` as EXIF
    counts it (1 to 8)."""
    turn = _TURNS.get(orientation)
    first, second = _content(one), _content(other if turn is None else other.transpose(turn))
    forth = _placed(first, second)
    back = _placed(second, first)
    if back[0] > forth[0]:
        first, second, forth = second, first, back
    return _compared(first, second, forth[1])


def _content(image: Image.Image) -> Image.Image:
    """The picture without borders of one colour, as small as it is compared."""
    box = content_box(image)
    width, height = box[2] - box[0], box[3] - box[1]
    scale = 2 * _FINE / max(width, height)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return image.resize(size, Image.Resampling.BILINEAR, box)


def _placed(whole: Image.Image, part: Image.Image) -> tuple[float, Affine]:
    """Where ``part`` lies in ``whole``: how well it fits, and (x, y) of the whole as shares of its
    size from shares of the part's size."""
    ground = _grey(whole, _COARSE)
    height, width = ground.shape
    fit = min(width / part.width, height / part.height)
    best, place = -2.0, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    sizes = [(part.width * fit * s, part.height * fit * s) for s in _SCALES]
    for wide, high in [*sizes, (width, height)]:
        w, h = min(width, max(4, round(wide))), min(height, max(4, round(high)))
        scores = _correlations(ground, _exact(part, w, h))
        y, x = np.unravel_index(int(scores.argmax()), scores.shape)
        # Small parts fit somewhere by chance.
        score = float(scores[y, x]) * (w * h / (width * height)) ** 0.1
        if score > best:
            best = score
            place = np.array([[w / width, 0.0, x / width], [0.0, h / height, y / height]])
    return best, place


def _correlations(ground: Grey, part: Grey) -> Grey:
    """The correlation of ``part`` with each place of ``ground`` at which it lies within."""
    h, w = part.shape
    shape = ground.shape[0] - h + 1, ground.shape[1] - w + 1
    template = part - part.mean()
    norm = np.sqrt((template**2).sum()) + 1e-6
    spectrum = np.fft.rfft2(ground) * np.conj(np.fft.rfft2(template, ground.shape))
    products = np.fft.irfft2(spectrum, ground.shape)[: shape[0], : shape[1]]
    sums, squares = _windows(ground, h, w), _windows(ground**2, h, w)
    spread = np.sqrt(np.maximum(squares - sums**2 / (h * w), 1e-6))
    result: Grey = products / (spread * norm)
    return result


def _windows(values: Grey, h: int, w: int) -> Grey:
    """The sum of each window of that size."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(0).cumsum(1)
    result: Grey = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    return result


def _compared(whole: Image.Image, part: Image.Image, place: Affine) -> Match:
    ground = np.asarray(whole, dtype=np.float64)
    pixels = np.asarray(_shrunk(part, _FINE), dtype=np.float64)
    place, lies = _refined(_smooth(ground.mean(axis=2)), _smooth(pixels.mean(axis=2)), place)
    there = _sampled(ground, pixels.shape[:2], place)
    inside = _inside(pixels.shape[:2], place)
    if not lies or inside.mean() < 0.5:
        return Match(0.0, 0.0, 0.0, 0.0)
    here_grey, there_grey = pixels.mean(axis=2), there.mean(axis=2)
    details = _detail(here_grey), _detail(there_grey)
    agreement = _agreement(*details, inside)
    overlap = min(1.0, abs(float(np.linalg.det(place[:, :2]))))
    return Match(
        _correlation(details[0][inside], details[1][inside]),
        agreement,
        overlap,
        _colour(pixels[inside], there[inside]),
    )


def _refined(ground: Grey, part: Grey, place: Affine) -> tuple[Affine, bool]:
    """``place`` moved, stretched and sheared to where the two differ least (Lucas and Kanade)."""
    height, width = part.shape
    ys, xs = np.mgrid[0:height, 0:width]
    x, y = (xs.ravel() + 0.5) / width, (ys.ravel() + 0.5) / height
    best, best_place = -2.0, place
    for _ in range(_ROUNDS):
        seen = _sampled(ground, part.shape, place)
        inside = _inside(part.shape, place).ravel()
        if inside.sum() < 0.5 * inside.size:
            break
        score = _correlation(part.ravel()[inside], seen.ravel()[inside])
        if score > best:
            best, best_place = score, place
        # In units of the part; the ground's gradient follows from it by the chain rule.
        down, across = np.gradient(seen, 1 / height, 1 / width)
        spread = seen.ravel()[inside].std() + 1e-6
        inner = np.linalg.inv(place[:, :2].T) if abs(np.linalg.det(place[:, :2])) > 1e-3 else None
        if inner is None:
            break
        gradient = np.stack([across.ravel(), down.ravel()]) / spread
        gx, gy = inner @ gradient
        columns = np.stack([gx * x, gx, gy * y, gy], axis=1)[inside]
        error = _normal(part.ravel()[inside]) - _normal(seen.ravel()[inside])
        columns = columns - columns.mean(axis=0)
        steps, *_ = np.linalg.lstsq(columns, error, rcond=None)
        place = place + np.array([[steps[0], 0.0, steps[1]], [0.0, steps[2], steps[3]]])
        if np.abs(steps).max() < 1e-4:
            break
    return best_place, best > -2.0


def _sampled(values: Grey, shape: tuple[int, ...], place: Affine) -> Grey:
    """What ``values`` shows at each pixel of a picture of ``shape`` that lies in it there."""
    y, x = _positions(shape, place)
    height, width = values.shape[:2]
    x = np.clip(x * width - 0.5, 0, width - 1.001)
    y = np.clip(y * height - 0.5, 0, height - 1.001)
    left, top = x.astype(int), y.astype(int)
    dx, dy = x - left, y - top
    if values.ndim == 3:
        dx, dy = dx[..., None], dy[..., None]
    upper = values[top, left] * (1 - dx) + values[top, left + 1] * dx
    lower = values[top + 1, left] * (1 - dx) + values[top + 1, left + 1] * dx
    result: Grey = upper * (1 - dy) + lower * dy
    return result


def _inside(shape: tuple[int, ...], place: Affine) -> NDArray[np.bool_]:
    y, x = _positions(shape, place)
    result: NDArray[np.bool_] = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    return result


def _positions(shape: tuple[int, ...], place: Affine) -> tuple[Grey, Grey]:
    height, width = shape
    ys, xs = np.mgrid[0:height, 0:width]
    x, y = (xs + 0.5) / width, (ys + 0.5) / height
    return (
        place[1, 0] * x + place[1, 1] * y + place[1, 2],
        place[0, 0] * x + place[0, 1] * y + place[0, 2],
    )


def _agreement(here: Grey, there: Grey, inside: NDArray[np.bool_]) -> float:
    """The share of blocks whose details are the same."""
    same, all_ = 0, 0
    for rows in np.array_split(np.arange(here.shape[0]), _BLOCKS):
        for columns in np.array_split(np.arange(here.shape[1]), _BLOCKS):
            block = np.ix_(rows, columns)
            if not inside[block].size or not inside[block].all():
                continue
            one, other = here[block].ravel(), there[block].ravel()
            if max(one.std(), other.std()) >= _FLAT:
                all_ += 1
                same += _correlation(one, other) >= _BLOCK_SAME
    return same / all_ if all_ else 0.0


def _colour(here: Grey, there: Grey) -> float:
    """The difference of what the channels have beyond grey, as a share of what there is of it."""
    one, other = (each - each.mean(axis=1, keepdims=True) for each in (here, there))
    amount = np.abs(one).mean() + np.abs(other).mean() + _COLOUR_NOISE
    return float(np.abs(one - other).mean() / amount)


def _correlation(one: Grey, other: Grey) -> float:
    return float((_normal(one) * _normal(other)).mean())


def _normal(values: Grey) -> Grey:
    result: Grey = (values - values.mean()) / (values.std() + 1e-6)
    return result


def _detail(values: Grey) -> Grey:
    """What is left without the slow changes of brightness."""
    result: Grey = values - _blurred(values, 6)
    return result


def _smooth(values: Grey) -> Grey:
    return _blurred(values, 1)


def _blurred(values: Grey, radius: int) -> Grey:
    """The mean over a square of 2 ``radius`` + 1 pixels."""
    side = 2 * radius + 1
    return _windows(np.pad(values, radius, mode="edge"), side, side) / side**2


def _grey(image: Image.Image, side: int) -> Grey:
    return np.asarray(_shrunk(image, side).convert("L"), dtype=np.float64)


def _exact(image: Image.Image, width: int, height: int) -> Grey:
    small = image.convert("L").resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    size = max(4, round(image.width * scale)), max(4, round(image.height * scale))
    return image.resize(size, Image.Resampling.BOX)
