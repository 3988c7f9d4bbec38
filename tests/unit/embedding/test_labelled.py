"""Folders of labelled photos: by subfolders or by a table, and what is too little."""

from pathlib import Path

import pytest

from libs.errors import InvalidArgument
from services.embedding.labelled import read_labelled


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def shelf(folder: Path) -> None:
    touch(folder, *(f"{label}/{n}.jpg" for label in ("tea", "coffee") for n in range(5)))


def test_subfolders_are_labels(tmp_path: Path) -> None:
    shelf(tmp_path)
    touch(tmp_path, "tea/2021/june/6.jpg", "loose.jpg", "tea/.hidden.jpg", ".cache/x.jpg")
    photos = read_labelled(tmp_path)
    assert [photo.name for photo in photos if photo.label == "tea"] == [
        "tea/0.jpg",
        "tea/1.jpg",
        "tea/2.jpg",
        "tea/2021/june/6.jpg",
        "tea/3.jpg",
        "tea/4.jpg",
    ]
    assert {photo.label for photo in photos} == {"tea", "coffee"}
    assert len(photos) == 11
    assert all(photo.path == tmp_path / photo.name for photo in photos)


def test_a_label_of_one_photo_is_left_out(tmp_path: Path) -> None:
    shelf(tmp_path)
    touch(tmp_path, "milk/1.jpg")
    assert {photo.label for photo in read_labelled(tmp_path)} == {"tea", "coffee"}


@pytest.mark.parametrize("beside", [True, False])
def test_a_table_goes_before_folders(tmp_path: Path, beside: bool) -> None:
    shelf(tmp_path / "photos")
    table = (tmp_path / "photos" if beside else tmp_path) / "labels.csv"
    rows = [f"tea/{n}.jpg,{'odd' if n % 2 else 'even'},x" for n in range(5)]
    rows += [f"coffee/{n}.jpg,even,y" for n in range(5)] + ["coffee/9.jpg,,"]
    table.write_text("\ufefffile,label,more\n" + "\n".join(rows), encoding="utf-8")
    photos = read_labelled(tmp_path / "photos", None if beside else table)
    assert [photo.label for photo in photos].count("odd") == 2
    assert len(photos) == 10


def test_a_table_without_its_columns_is_named(tmp_path: Path) -> None:
    shelf(tmp_path)
    (tmp_path / "labels.csv").write_text("path,kind\n")
    with pytest.raises(InvalidArgument, match="no column file and no label"):
        read_labelled(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="is not a folder"):
        read_labelled(tmp_path / "absent")


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["tea/1.jpg", "coffee/1.jpg"],
        [f"tea/{n}.jpg" for n in range(20)],
        ["tea/1.jpg", "tea/2.jpg", "coffee/1.jpg", "coffee/2.jpg"],
    ],
)
def test_too_little_says_what_to_do(tmp_path: Path, names: list[str]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(InvalidArgument, match="put at least 10 photos into at least 2") as raised:
        read_labelled(tmp_path)
    assert raised.value.reason == "TOO_FEW_LABELS"
