"""The numbers of ``colonnade eval embedding`` as a picture: a row a model, a column a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

_MARGIN, _ROW, _TOP = 40, 64, 150
_CELL, _GAP, _BAR = 150, 26, 26
_FONT, _SMALL, _TITLE = 20, 17, 28
_INK, _FAINT, _TRACK = (30, 34, 42), (110, 116, 128), (234, 237, 242)
_PLAIN, _BEST, _TIME = (140, 172, 219), (38, 92, 172), (178, 164, 130)


@dataclass(frozen=True, slots=True)
class _Column:
    """A number of each model. Bars fill the cell at ``full``."""

    title: str
    values: Sequence[float]
    full: float
    digits: int
    best: float
    colour: tuple[int, int, int]


def draw(report: Mapping[str, Any]) -> Image.Image:
    """The best models first, by mean average precision."""
    models = sorted(report["models"], key=lambda each: -each["retrieval"]["mean_average_precision"])
    columns = _columns(models)
    font = ImageFont.load_default(_FONT)
    names = round(max(font.getlength(each["model"]) for each in models)) + _GAP
    width = 2 * _MARGIN + names + len(columns) * (_CELL + _GAP)
    image = Image.new("RGB", (width, _TOP + len(models) * _ROW + _MARGIN), "white")
    pen = ImageDraw.Draw(image)
    title = f"Models on {report['photos']} photos with {len(report['labels'])} labels"
    pen.text((_MARGIN, _MARGIN), title, _INK, ImageFont.load_default(_TITLE))
    for row, each in enumerate(models):
        middle = _TOP + row * _ROW + _ROW // 2
        pen.text((_MARGIN, middle), each["model"], _INK, font, anchor="lm")
    for position, column in enumerate(columns):
        _draw_column(pen, column, _MARGIN + names + position * (_CELL + _GAP))
    return image


def _columns(models: Sequence[Mapping[str, Any]]) -> list[_Column]:
    shares = {
        "recall@1": [each["retrieval"]["recall1"] for each in models],
        "recall@5": [each["retrieval"]["recall5"] for each in models],
        "mAP": [each["retrieval"]["mean_average_precision"] for each in models],
        "kNN of 5": [each["retrieval"]["knn5"] for each in models],
        "purity": [each["grouping"]["purity"] for each in models],
        "NMI": [each["grouping"]["nmi"] for each in models],
        "ARI": [each["grouping"]["ari"] for each in models],
    }
    times = [each["cost"]["decode_ms"] + each["cost"]["inference_ms"] for each in models]
    return [
        *(_Column(title, found, 1.0, 3, max(found), _PLAIN) for title, found in shares.items()),
        _Column("ms a photo", times, max(times), 1, min(times), _TIME),
    ]


def _draw_column(pen: ImageDraw.ImageDraw, column: _Column, left: int) -> None:
    small = ImageFont.load_default(_SMALL)
    pen.text((left, _TOP - 14), column.title, _FAINT, small, anchor="ls")
    for row, value in enumerate(column.values):
        top = _TOP + row * _ROW + (_ROW - _BAR) // 2
        best = value == column.best and column.colour is _PLAIN
        share = min(max(value / column.full, 0.0), 1.0) if column.full else 0.0
        pen.rectangle((left, top, left + _CELL, top + _BAR), _TRACK)
        pen.rectangle(
            (left, top, left + round(_CELL * share), top + _BAR), _BEST if best else column.colour
        )
        text = f"{value:.{column.digits}f}"
        inside = share > 0.45
        anchor, at = (
            ("rm", left + _CELL * share - 6) if inside else ("lm", left + _CELL * share + 6)
        )
        colour = "white" if best and inside else _INK
        pen.text((at, top + _BAR / 2), text, colour, small, anchor=anchor)
