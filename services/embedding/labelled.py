"""A folder of photos of which people know what they show."""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from libs.errors import InvalidArgument

TABLE = "labels.csv"
_MIN_LABELS = 2
# Of one photo there is no other of its kind that could be found.
_MIN_OF_A_LABEL = 2
_MIN_PHOTOS = 10
_COLUMNS = ("file", "label")


@dataclass(frozen=True, slots=True)
class Photo:
    """A file and what it shows. ``name`` is its path below the folder."""

    path: Path
    name: str
    label: str


def read_labelled(folder: Path, table: Path | None = None) -> list[Photo]:
    """The labelled photos, in the order of their names.

    The labels are those of ``table`` or of ``labels.csv`` in the folder (columns ``file`` and
    ``label``), or else the names of its subfolders. Hidden files are passed over. Raises
    ``InvalidArgument``, with reason TOO_FEW_LABELS if there is too little to compare.
    """
    if not folder.is_dir():
        raise InvalidArgument.of("folder", f"{folder} is not a folder")
    table = table or folder / TABLE
    found = _of_table(folder, table) if table.is_file() else _of_subfolders(folder)
    return comparable(sorted(found, key=lambda photo: photo.name))


def comparable(photos: list[Photo]) -> list[Photo]:
    """Those that have another of their kind. Raises ``InvalidArgument`` (TOO_FEW_LABELS)."""
    counts = Counter(photo.label for photo in photos)
    kept = [photo for photo in photos if counts[photo.label] >= _MIN_OF_A_LABEL]
    labels = {photo.label for photo in kept}
    if len(labels) < _MIN_LABELS or len(kept) < _MIN_PHOTOS:
        raise InvalidArgument.of(
            "folder",
            f"{len(kept)} photos with {len(labels)} labels are too few: put at least "
            f"{_MIN_PHOTOS} photos into at least {_MIN_LABELS} subfolders, "
            f"{_MIN_OF_A_LABEL} or more in each, named after what they show, or list them in "
            f"{TABLE} with the columns file and label",
            reason="TOO_FEW_LABELS",
        )
    return kept


def _of_subfolders(folder: Path) -> Iterator[Photo]:
    """What lies deeper belongs to the uppermost subfolder."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        where = Path(parent).relative_to(folder)
        for file in files:
            if where.parts and not file.startswith("."):
                yield Photo(Path(parent) / file, str(where / file), where.parts[0])


def _of_table(folder: Path, table: Path) -> Iterator[Photo]:
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise InvalidArgument.of(
                "labels", f"{table} has no column {' and no '.join(missing)} in its first line"
            )
        for row in rows:
            if row["file"] and row["label"]:
                yield Photo(folder / row["file"], row["file"], row["label"])
