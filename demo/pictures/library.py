"""The sample library: which pictures there are, and drawing those that are missing."""

import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from demo.pictures import city, clothes, coffee, flowers, mountains, sea, variants
from demo.pictures.scene import Scene

Kind: TypeAlias = Literal["original", "exact-duplicate", "near-duplicate", "burst", "damaged"]
Encode: TypeAlias = Callable[[Image.Image], bytes]

THEMES: dict[str, tuple[Scene, ...]] = {
    "coffee": coffee.SCENES,
    "city": city.SCENES,
    "sea": sea.SCENES,
    "mountains": mountains.SCENES,
    "flowers": flowers.SCENES,
    "clothes": clothes.SCENES,
}
MINIMUM = 30
_BURST = 5
_DAMAGED = 2
_BURST_TAKE = 4
_COPIES = ("{} (1)", "copy-of-{}", "{}-final", "{}-backup")
_NOTE = (
    b"Shot list for May\n- latte, side light\n- the new sweaters, folded\n- lighthouse at dusk\n"
)
# Which originals (counted over the themes in turn) are stored unlike a plain JPEG.
_FORMS: dict[int, tuple[str, Encode]] = {
    4: (".jpg", partial(variants.jpeg, orientation=6)),
    6: (".webp", variants.webp),
    7: (".jpg", partial(variants.jpeg, orientation=8)),
    8: (".jpg", partial(variants.jpeg, orientation=6)),
    9: (".png", variants.grey_16_bit),
    10: (".jpg", partial(variants.jpeg, orientation=8)),
    11: (".png", variants.cut_out),
}


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """A file of the library; ``path`` and ``of`` are relative to its folder, with slashes.

    ``of`` names the picture that a duplicate, a later frame of a burst or a broken copy comes from.
    """

    path: str
    theme: str
    kind: Kind
    of: str | None = None


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A picture that is painted; those of one ``key`` are painted alike."""

    picture: SamplePicture
    scene: Scene
    take: int
    key: str
    encode: Encode = variants.jpeg

    def content(self, seed: int, size: int) -> bytes:
        rng = np.random.default_rng([seed, zlib.crc32(self.key.encode())])
        return self.encode(self.scene.draw(rng, size, self.take))


@dataclass(frozen=True, slots=True)
class _Derived:
    """A picture that is made from the file of the one it names in ``of``."""

    picture: SamplePicture
    change: Callable[[bytes], bytes]

    def content(self, folder: Path) -> bytes:
        source = self.picture.of
        return self.change((folder / source).read_bytes() if source else b"")


def draw_library(
    folder: Path,
    *,
    count: int = 132,
    seed: int = 7,
    size: int = 1200,
    progress: Callable[[int, int], None] | None = None,
) -> list[SamplePicture]:
    """Draw the pictures that ``folder`` lacks and return the manifest of all ``count`` files.

    The same ``seed`` gives the same bytes (with the same Pillow and numpy). ``size`` is the longer
    side in pixels of a 4:3 picture. A file appears under its name only when it is complete.
    ``progress`` is called from this thread with the files done so far and ``count``.

    Raises ValueError when ``count`` is below 30, the least that holds all kinds of pictures.
    """
    if count < MINIMUM:
        raise ValueError(f"count is {count}: ask for at least {MINIMUM} pictures")
    extras = len(_COPIES) + len(variants.EDITS) + _BURST + _DAMAGED
    drawn: list[_Drawn] = [*_originals(count - extras), *_burst()]
    derived = [*_duplicates(drawn), *_damaged(drawn)]

    def paint(shot: _Drawn) -> None:
        _write_missing(folder / shot.picture.path, partial(shot.content, seed, size))

    report = progress or (lambda done, total: None)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done, _ in enumerate(pool.map(paint, drawn), start=1):
            report(done, count)
    for done, file in enumerate(derived, start=len(drawn) + 1):
        _write_missing(folder / file.picture.path, partial(file.content, folder))
        report(done, count)
    return [shot.picture for shot in drawn] + [file.picture for file in derived]


def _originals(count: int) -> Iterator[_Drawn]:
    """``count`` pictures, the themes in turn and within each its scenes in turn."""
    themes = list(THEMES)
    for position in range(count):
        theme = themes[position % len(themes)]
        take, which = divmod(position // len(themes), len(THEMES[theme]))
        scene = THEMES[theme][which]
        suffix, encode = _FORMS.get(position, (".jpg", variants.jpeg))
        path = f"{theme}/{scene.title}-{take + 1:02}{suffix}"
        yield _Drawn(SamplePicture(path, theme, "original"), scene, take, path, encode)


def _burst() -> Iterator[_Drawn]:
    scene = next(scene for scene in sea.SCENES if scene.title.startswith("sailing"))
    first = f"sea/{scene.title}-burst-1.jpg"
    for number in range(_BURST):
        path = f"sea/{scene.title}-burst-{number + 1}.jpg"
        picture = SamplePicture(path, "sea", "burst", first if number else None)
        yield _Drawn(picture, scene, _BURST_TAKE, first, partial(variants.frame, number=number))


def _duplicates(drawn: list[_Drawn]) -> Iterator[_Derived]:
    for name, shot in zip(_COPIES, drawn, strict=False):
        yield _Derived(_named(shot.picture, name, "exact-duplicate"), bytes)
    for (edit, change), shot in zip(variants.EDITS.items(), drawn, strict=False):
        picture = _named(shot.picture, "{}-" + edit, "near-duplicate")
        yield _Derived(picture, partial(_edited, change))


def _damaged(drawn: list[_Drawn]) -> Iterator[_Derived]:
    """One JPEG that was cut off while it was copied, and a text that is named like a picture."""
    yield _Derived(_named(drawn[5].picture, "{}-half-copied", "damaged"), variants.truncated)
    yield _Derived(SamplePicture("coffee/shot-list.jpg", "coffee", "damaged"), lambda _: _NOTE)


def _named(source: SamplePicture, name: str, kind: Kind) -> SamplePicture:
    path = PurePosixPath(source.path)
    renamed = path.with_stem(name.format(path.stem))
    return SamplePicture(str(renamed), source.theme, kind, source.path)


def _edited(change: Encode, data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as image:
        return change(ImageOps.exif_transpose(image).convert("RGB"))


def _write_missing(path: Path, content: Callable[[], bytes]) -> None:
    """Write ``content`` beside ``path`` and rename it, unless the file is there already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(content())
    os.replace(unfinished, path)
