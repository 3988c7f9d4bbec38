"""The numbers of ``colonnade eval`` as a picture: a row a model or a setting, a column a number."""

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
    title = f"Models on {report['photos']} photos with {len(report['labels'])} labels"
    return _picture(title, [each["model"] for each in models], _of_models(models))


def draw_groupings(report: Mapping[str, Any], names: Sequence[str]) -> Image.Image:
    """The rows of ``colonnade eval clustering``, which have these names, the best first by BCubed
    F1."""
    order = sorted(range(len(names)), key=lambda row: -report["rows"][row]["bcubed"])
    rows = [report["rows"][row] for row in order]
    title = (
        f"Groups of {report['photos']} photos with {len(report['labels'])} labels, "
        f"by {report['model']}"
    )
    return _picture(title, [names[row] for row in order], _of_groupings(rows))


def _picture(title: str, names: Sequence[str], columns: Sequence[_Column]) -> Image.Image:
    font = ImageFont.load_default(_FONT)
    left = round(max(font.getlength(name) for name in names)) + _GAP
    width = 2 * _MARGIN + left + len(columns) * (_CELL + _GAP)
    image = Image.new("RGB", (width, _TOP + len(names) * _ROW + _MARGIN), "white")
    pen = ImageDraw.Draw(image)
    pen.text((_MARGIN, _MARGIN), title, _INK, ImageFont.load_default(_TITLE))
    for row, name in enumerate(names):
        middle = _TOP + row * _ROW + _ROW // 2
        pen.text((_MARGIN, middle), name, _INK, font, anchor="lm")
    for position, column in enumerate(columns):
        _draw_column(pen, column, _MARGIN + left + position * (_CELL + _GAP))
    return image


def _of_models(models: Sequence[Mapping[str, Any]]) -> list[_Column]:
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
    return [*_of_shares(shares), _Column("ms a photo", times, max(times), 1, min(times), _TIME)]


def _of_groupings(rows: Sequence[Mapping[str, Any]]) -> list[_Column]:
    shares = {
        "BCubed F1": "bcubed",
        "pair F1": "f1",
        "ARI": "ari",
        "NMI": "nmi",
        "purity": "purity",
        "heroes": "heroes",
    }
    outside = [row["unclustered"] for row in rows]
    groups = [float(row["groups"]) for row in rows]
    return [
        *_of_shares({title: [row[name] for row in rows] for title, name in shares.items()}),
        _Column("outside", outside, 1.0, 3, min(outside), _TIME),
        _Column("groups", groups, max(groups), 0, min(groups), _TIME),
    ]


def _of_shares(shares: Mapping[str, Sequence[float]]) -> list[_Column]:
    return [_Column(title, found, 1.0, 3, max(found), _PLAIN) for title, found in shares.items()]


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
