"""A picture of duplicate sets: the keeper, then the others, each with what is known of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.clustering.v1.duplicate_pb2 import (
    DuplicateEvidence,
    DuplicateSet,
    DuplicateVerdict,
)
from PIL import Image, ImageDraw

from cli.connection import Suite
from cli.output import word
from libs.errors import ColonnadeError
from libs.images import ImageLimits, open_upright

_CELL = 220
_TEXT = 44
_GAP = 12
_ACROSS = 6
_AT_ONCE = 8
BACKGROUND = "#f4f2ee"
INK = "#2b2926"
_COLOURS = {"duplicate": "#b3402e", "variant": "#8a6d1d", "burst": "#2e6f8e"}


async def write_sheet(suite: Suite, sets: Sequence[DuplicateSet], file: Path) -> None:
    """Writes a picture of the sets to ``file``, whose ending says in which format."""
    pictures = await read_thumbnails(suite, [p for each in sets for p in _shown(each)], _CELL)
    await asyncio.to_thread(_draw(sets, pictures).save, file)


async def read_thumbnails(suite: Suite, photos: Sequence[str], size: int) -> dict[str, Image.Image]:
    """Small pictures of the photos, by name, at most ``size`` pixels wide and high; a grey one
    where a photo cannot be read."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def read(photo: str) -> Image.Image:
        async with turn:
            return await _thumbnail(suite, photo, size)

    pictures = await asyncio.gather(*(read(photo) for photo in photos))
    return dict(zip(photos, pictures, strict=True))


async def _thumbnail(suite: Suite, photo: str, size: int) -> Image.Image:
    request = catalog.ReadPhotoMediaRequest(
        name=photo, rendition=catalog.ReadPhotoMediaRequest.RENDITION_THUMBNAIL
    )
    data = bytearray()
    try:
        async for part in suite.catalog.ReadPhotoMedia(request):
            data += part.chunk
        image = await asyncio.to_thread(open_upright, bytes(data), ImageLimits(), (size, size))
    except ColonnadeError:
        return Image.new("RGB", (size, size), "#cccccc")
    image.thumbnail((size, size))
    return image


def _shown(found: DuplicateSet) -> list[str]:
    return [found.keeper.photo, *(other.photo for other in found.others[: _ACROSS - 1])]


def _draw(sets: Sequence[DuplicateSet], pictures: dict[str, Image.Image]) -> Image.Image:
    places = _places(sets)
    rows = places[-1][0] + 1 if places else 1
    row_height = _CELL + _TEXT + 2 * _GAP
    width = _ACROSS * (_CELL + _GAP) + _GAP
    sheet = Image.new("RGB", (width, rows * row_height + _GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for each, (row, column) in zip(sets, places, strict=True):
        for number, photo in enumerate(_shown(each)):
            left = _GAP + (column + number) * (_CELL + _GAP)
            top = row * row_height + _GAP
            picture = pictures[photo]
            x, y = left + (_CELL - picture.width) // 2, top + _CELL - picture.height
            sheet.paste(picture, (x, y))
            if number == 0:
                box = (x - 3, y - 3, x + picture.width + 2, y + picture.height + 2)
                draw.rectangle(box, outline=INK, width=3)
            for count, (text, colour) in enumerate(_texts(each, number)):
                draw.text((left, top + _CELL + 6 + 20 * count), text, colour, font_size=15)
    return sheet


def _places(sets: Sequence[DuplicateSet]) -> list[tuple[int, int]]:
    """Row and column of the first picture of each set: side by side as long as they fit."""
    places = []
    row = column = 0
    for each in sets:
        wide = len(_shown(each))
        if column + wide > _ACROSS:
            row, column = row + 1, 0
        places.append((row, column))
        column += wide
    return places


def _texts(found: DuplicateSet, number: int) -> list[tuple[str, str]]:
    """What stands below a picture of a set, line by line with its colour; 0 is the keeper."""
    if number == 0:
        reason = word(DuplicateSet.Reason, found.keeper_reason)
        size = f"{found.keeper.pixels / 1e6:.2f} megapixels"
        return [(f"keep ({reason})", INK), (size, INK)]
    verdict = word(DuplicateVerdict, found.verdict)
    left_out = len(found.others) + 1 - _ACROSS
    more = f" … and {left_out} more" if number == _ACROSS - 1 and left_out > 0 else ""
    known = _known(found.others[number - 1].evidence)
    return [(verdict + more, _COLOURS[verdict]), (known, INK)]


def _known(evidence: DuplicateEvidence) -> str:
    parts = []
    if evidence.HasField("structure"):
        parts.append(f"s {evidence.structure:.2f} a {evidence.agreement:.2f}")
    if evidence.HasField("distance"):
        parts.append(f"hash {evidence.distance}")
    if evidence.HasField("cosine"):
        parts.append(f"cos {evidence.cosine:.2f}")
    return "  ".join(parts)
