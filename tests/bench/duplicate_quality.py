"""How well copies are told from other photos: ``python -m tests.bench.duplicate_quality [STEP]``.

Copies are made of every STEP-th shared photo (3). Anything found between two photos that are no
copies of each other is wrong, shots of one scene included. Ours is measured as it is set; each
rival at the loosest threshold at which at least 99 % of what it finds is right. The rivals are the
hashes of the packages ImageHash and imagededup; one that is not installed is left out.
"""

import asyncio
import importlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from libs.image_hash import distance, turned
from libs.images import ImageLimits, open_upright
from services.clustering.domain.verdict import (
    Evidence,
    Thresholds,
    Verdict,
    is_seen_again,
    verdict_of,
)
from services.clustering.looking import hash_file, look_at
from services.embedding.repository import ModelRepository
from tests.bench.embedding_quality import THEMES, embed_bytes, labelled_photos
from tests.support.shared import SHARED

PRECISION = 0.99
_THEMES = (*THEMES, "travel", "animals", "meal", "people", "documents", "burst")
# The same photo in another size.
_TWICE = ("animals/cat_720p.jpg",)
# As the catalog makes thumbnails.
_THUMBNAIL = 512
_QUALITY = 85
_LARGEST = 1024

Picture = Image.Image
Transform = Callable[[Picture], Picture]


def _crop(share: float, across: float = 0.3, down: float = 0.8) -> Transform:
    """Cuts that share of both sides off, unevenly."""

    def crop(image: Picture) -> Picture:
        left, top = share * across * image.width, share * down * image.height
        right, bottom = left + (1 - share) * image.width, top + (1 - share) * image.height
        return image.crop((round(left), round(top), round(right), round(bottom)))

    return crop


def _scaled(factor: float) -> Transform:
    def scale(image: Picture) -> Picture:
        size = max(8, round(image.width * factor)), max(8, round(image.height * factor))
        return image.resize(size, Image.Resampling.BICUBIC)

    return scale


def _jpeg(quality: int) -> Transform:
    return lambda image: Image.open(io.BytesIO(_bytes(image, quality))).convert("RGB")


def _bytes(image: Picture, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _colours(image: Picture) -> Picture:
    bright = ImageEnhance.Brightness(image).enhance(1.15)
    return ImageEnhance.Color(ImageEnhance.Contrast(bright).enhance(1.15)).enhance(1.3)


def _border(colour: str, share: float) -> Transform:
    return lambda image: ImageOps.expand(image, round(max(image.size) * share), colour)


def _written(image: Picture) -> Picture:
    image = image.copy()
    draw = ImageDraw.Draw(image)
    width, height = image.size
    draw.rectangle((0, 0.75 * height, width, 0.92 * height), fill="#141414")
    draw.text((0.1 * width, 0.78 * height), "SALE -50%", fill="white", font_size=0.1 * height)
    return image


def _sepia(image: Picture) -> Picture:
    return ImageOps.colorize(image.convert("L"), "#281400", "#fff0c8")


def _joined(*steps: Transform) -> Transform:
    def apply(image: Picture) -> Picture:
        for step in steps:
            image = step(image)
        return image

    return apply


COPIES: Mapping[str, Transform] = {
    "half size": _scaled(0.5),
    "JPEG quality 30": _jpeg(30),
    "fifth of the size, quality 40": _joined(_scaled(0.2), _jpeg(40)),
    "64 pixels, quality 30": lambda image: _jpeg(30)(_scaled(64 / max(image.size))(image)),
    "crop 5 %": _crop(0.05),
    "crop 10 %": _crop(0.10),
    "brighter, more contrast and colour": _colours,
    "mirrored": ImageOps.mirror,
    "turned by 90°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180°": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "white border 6 %": _border("white", 0.06),
    "black border 10 %": _border("black", 0.10),
    "crop 5 %, colours, half size, quality 50": _joined(
        _crop(0.05), _colours, _scaled(0.5), _jpeg(50)
    ),
    "mirrored, crop 5 %": _joined(ImageOps.mirror, _crop(0.05)),
}
EDITS: Mapping[str, Transform] = {
    "crop 20 %": _crop(0.2),
    "crop 40 %": _crop(0.4),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "sepia": _sepia,
    "writing over a sixth of it": _written,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the suite knows of one picture, and the picture itself."""

    thumbnail: bytes
    bits: bytes | None
    vector: NDArray[np.float32]
    pixels: int
    pixels_rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Found:
    """Shares by transform: of pairs that a channel proposed, copies, copies or variants, and those
    that the guard of repeats keeps back. Of different photos: the verdicts, and how many the guard
    would keep back if all were scheduled one after the other, or each when all others are out."""

    proposed: dict[str, float]
    copies: dict[str, float]
    either: dict[str, float]
    kept_back: dict[str, float]
    wrong: dict[Verdict, int]
    wrongly_in_turn: int
    wrongly_at_last: int


def main() -> None:
    step = int(sys.argv[1]) if sys.argv[1:] else 3
    rows = [row for row in labelled_photos(_THEMES) if row["file"] not in _TWICE]
    pictures = [_loaded(row["file"]) for row in rows]
    transforms = {**COPIES, **EDITS}
    made = {
        name: [transform(each) for each in pictures[::step]]
        for name, transform in transforms.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        model = ModelRepository.in_data(Path(folder)).built_in()
        thumbnails = [_thumbnail(each) for each in [*pictures, *_flat(made.values())]]
        vectors = asyncio.run(embed_bytes(model, thumbnails))
    known = [
        Known(data, hash_file(data), vector, each.width * each.height, _array(data))
        for data, vector, each in zip(
            thumbnails, vectors, [*pictures, *_flat(made.values())], strict=True
        )
    ]
    originals, copies = known[: len(pictures)], known[len(pictures) :]
    bases = originals[::step]
    names = [name for name in transforms for _ in bases]
    pairs = list(zip(names, bases * len(transforms), copies, strict=True))
    card = model.card
    thresholds = replace(Thresholds(), scene_cosine=card.same_scene_cosine)
    floor = (card.same_scene_cosine + max(card.near_duplicate_cosine, thresholds.min_cosine)) / 2
    ours = _ours(pairs, originals, thresholds, floor)
    columns = {"Colonnade": ours.copies, "copy or variant": ours.either, "proposed": ours.proposed}
    columns |= {"not sent again": ours.kept_back}
    columns |= _others(pairs, originals)
    print(f"{len(originals)} photos, {len(bases)} of them copied; model {model.card.id}")
    print("wrong:", {verdict.value: count for verdict, count in ours.wrong.items()})
    print(
        f"kept back as repeats though different: {ours.wrongly_in_turn} of {len(originals)} if "
        f"they go out one after the other, {ours.wrongly_at_last} if each is the last one"
    )
    print(_markdown(transforms, columns))


def _ours(
    pairs: Sequence[tuple[str, Known, Known]],
    originals: Sequence[Known],
    thresholds: Thresholds,
    floor: float,
) -> Found:
    evidence: dict[str, list[Evidence | None]] = {}
    for name, one, other in pairs:
        evidence.setdefault(name, []).append(_evidence(one, other, thresholds, floor))
    wrong = dict.fromkeys(Verdict, 0)
    in_turn, at_last = set[int](), set[int]()
    for first, one in enumerate(originals):
        for second, other in enumerate(originals[first + 1 :], first + 1):
            found = _evidence(one, other, thresholds, floor)
            if found is None:
                continue
            verdict = verdict_of(found, thresholds)
            wrong[verdict] += 1
            if is_seen_again(verdict, found):
                in_turn.add(second)
                at_last |= {first, second}

    def shares(counts: Callable[[Verdict, Evidence], bool]) -> dict[str, float]:
        return {
            name: _share(
                each is not None and counts(verdict_of(each, thresholds), each) for each in known
            )
            for name, known in evidence.items()
        }

    either = (Verdict.DUPLICATE, Verdict.VARIANT)
    return Found(
        shares(lambda verdict, known: True),
        shares(lambda verdict, known: verdict is Verdict.DUPLICATE),
        shares(lambda verdict, known: verdict in either),
        shares(is_seen_again),
        wrong,
        len(in_turn),
        len(at_last),
    )


def _evidence(one: Known, other: Known, thresholds: Thresholds, floor: float) -> Evidence | None:
    """None when neither channel proposes the pair."""
    cosine = float(one.vector @ other.vector)
    bits, turn = distance(one.bits, other.bits) if one.bits and other.bits else (None, 0)
    if cosine < floor and (bits is None or bits > thresholds.max_distance):
        return None
    look, turn = look_at(one.thumbnail, other.thumbnail, bits, turn)
    return Evidence(cosine, bits, turn, look, None, min(one.pixels, other.pixels))


def _others(
    pairs: Sequence[tuple[str, Known, Known]], originals: Sequence[Known]
) -> dict[str, dict[str, float]]:
    """The recall of each rival, and of our two channels alone, at the same precision."""
    found = {
        "vectors alone": _at_precision(
            pairs, originals, lambda each: each.vector, lambda a, b: 1 - a @ b.T
        ),
    }
    ours = [each for each in (*originals, *(copy for _, _, copy in pairs)) if each.bits]
    if ours:
        found["our hash alone"] = _at_precision(
            pairs, originals, lambda each: np.frombuffer(each.bits or b"", np.uint8), _turned
        )
    for name, encode in _rivals().items():
        found[name] = _at_precision(pairs, originals, partial(_encoded, encode), _hamming)
    return found


def _at_precision(
    pairs: Sequence[tuple[str, Known, Known]],
    originals: Sequence[Known],
    code: Callable[[Known], NDArray[Any]],
    differences: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
) -> dict[str, float]:
    codes = np.stack([code(each) for each in originals])
    apart = differences(codes, codes)[np.triu_indices(len(codes), 1)]
    place = {id(each): position for position, each in enumerate(originals)}
    copied = np.stack([code(copy) for _, _, copy in pairs])
    bases = np.array([place[id(base)] for _, base, _ in pairs])
    own = np.array([float(differences(codes[[b]], copied[[i]])[0, 0]) for i, b in enumerate(bases)])
    names = np.array([name for name, _, _ in pairs])
    right = own[np.isin(names, list(COPIES))]
    best = -1.0
    for threshold in np.unique(right):
        good, bad = (right <= threshold).sum(), (apart <= threshold).sum()
        if good / (good + bad) >= PRECISION:
            best = float(threshold)
    return {str(name): _share(own[names == name] <= best) for name in dict.fromkeys(names)}


def _encoded(
    encode: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], known: Known
) -> NDArray[np.uint8]:
    return encode(known.pixels_rgb)


def _hamming(ones: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    bits, more = (np.unpackbits(each, axis=1).astype(np.float32) for each in (ones, others))
    result: NDArray[Any] = bits @ (1 - more.T) + (1 - bits) @ more.T
    return result


def _turned(ones: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    every = [
        np.stack([np.frombuffer(turned(each.tobytes())[n], np.uint8) for each in others])
        for n in range(8)
    ]
    nearest: NDArray[Any] = np.minimum.reduce([_hamming(ones, each) for each in every])
    return nearest


def _rivals() -> dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]:
    """Hashes of others, each with the settings that its package has by itself."""
    found: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {}
    try:
        package = importlib.import_module("imagehash")
    except ImportError:
        print("ImageHash is not installed: left out", file=sys.stderr)
    else:
        for name in ("phash", "dhash", "whash", "average_hash"):
            found[f"ImageHash {name}"] = _of_imagehash(getattr(package, name))
    try:
        methods = importlib.import_module("imagededup.methods")
    except ImportError:
        print("imagededup is not installed: left out", file=sys.stderr)
    else:
        for name in ("PHash", "DHash", "WHash", "AHash"):
            found[f"imagededup {name}"] = _of_imagededup(getattr(methods, name)(verbose=False))
    return found


def _of_imagehash(hash: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda pixels: np.packbits(hash(Image.fromarray(pixels)).hash.ravel())


def _of_imagededup(hasher: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda pixels: np.frombuffer(
        bytes.fromhex(hasher.encode_image(image_array=pixels)), np.uint8
    )


def _loaded(file: str) -> Picture:
    data = (SHARED / "photos" / file).read_bytes()
    image = open_upright(data, ImageLimits())
    image.thumbnail((_LARGEST, _LARGEST))
    return image


def _thumbnail(image: Picture) -> bytes:
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return _bytes(small, _QUALITY)


def _array(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _flat(lists: Iterable[Sequence[Picture]]) -> list[Picture]:
    return [each for one in lists for each in one]


def _share(values: Iterable[Any]) -> float:
    found = [bool(value) for value in values]
    return sum(found) / len(found)


def _markdown(rows: Iterable[str], columns: Mapping[str, Mapping[str, float]]) -> str:
    lines = [
        f"| transform | {' | '.join(columns)} |",
        f"|---|{'--:|' * len(columns)}",
    ]
    for row in rows:
        values = [f"{100 * column[row]:.1f}" for column in columns.values()]
        lines.append(f"| {row} | {' | '.join(values)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
