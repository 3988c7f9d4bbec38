"""The sample library: what is in it, that it is the same every time, and safe to run again."""

from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from demo.pictures import SamplePicture, coffee, draw_library, variants

COUNT, SIZE = 42, 120
Library = tuple[Path, list[SamplePicture]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    return folder, draw_library(folder, count=COUNT, size=SIZE)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def of_kind(library: Library, kind: str) -> list[SamplePicture]:
    return [picture for picture in library[1] if picture.kind == kind]


def upright(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def likeness(first: Image.Image, second: Image.Image) -> float:
    """How two pictures' small grey versions correlate, 1 for the same."""
    small = [np.asarray(image.convert("L").resize((16, 16))).ravel() for image in (first, second)]
    return float(np.corrcoef(small)[0, 1])


def test_the_manifest_names_every_file_once(library: Library) -> None:
    folder, manifest = library
    assert len(manifest) == COUNT
    assert {picture.path for picture in manifest} == contents(folder).keys()


def test_themes_are_even_and_each_kind_is_there(library: Library) -> None:
    themes = Counter(picture.theme for picture in of_kind(library, "original"))
    assert set(themes) == {"coffee", "city", "sea", "mountains", "flowers", "clothes"}
    assert max(themes.values()) - min(themes.values()) <= 1
    kinds = Counter(picture.kind for picture in library[1])
    extras = {"exact-duplicate": 4, "near-duplicate": 6, "burst": 5, "damaged": 2}
    assert kinds == {"original": COUNT - 17, **extras}
    assert all(picture.path.startswith(f"{picture.theme}/") for picture in library[1])


def test_a_larger_count_keeps_the_smaller_librarys_pictures(library: Library) -> None:
    folder, manifest = library
    before = {path: (folder / path).stat().st_mtime_ns for path in contents(folder)}
    more = draw_library(folder, count=COUNT + 3, size=SIZE)
    assert set(manifest) < set(more)
    assert all((folder / path).stat().st_mtime_ns == time for path, time in before.items())
    for picture in set(more) - set(manifest):
        (folder / picture.path).unlink()


def test_the_same_seed_gives_the_same_bytes(library: Library, tmp_path: Path) -> None:
    again = draw_library(tmp_path, count=COUNT, size=SIZE)
    assert again == library[1]
    assert contents(tmp_path) == contents(library[0])


def test_another_seed_gives_other_pictures_of_the_same_names(
    library: Library, tmp_path: Path
) -> None:
    assert draw_library(tmp_path, count=COUNT, size=SIZE, seed=8) == library[1]
    old, new = contents(library[0]), contents(tmp_path)
    assert [path for path in old if old[path] == new[path]] == ["coffee/shot-list.jpg"]


def test_originals_are_all_different(library: Library) -> None:
    files = contents(library[0])
    originals = [files[picture.path] for picture in of_kind(library, "original")]
    assert len(set(originals)) == len(originals)


def test_a_second_run_writes_only_what_is_missing(library: Library) -> None:
    folder, manifest = library
    complete = contents(folder)
    gone = folder / manifest[0].path
    changed = folder / manifest[1].path
    gone.unlink()
    changed.write_bytes(b"mine")
    try:
        assert draw_library(folder, count=COUNT, size=SIZE) == manifest
        assert contents(folder) == complete | {manifest[1].path: b"mine"}
    finally:
        changed.write_bytes(complete[manifest[1].path])


def test_what_a_killed_run_left_unfinished_is_replaced(library: Library) -> None:
    folder, manifest = library
    complete = contents(folder)
    target = folder / manifest[2].path
    target.unlink()
    (target.parent / f".{target.name}.part").write_bytes(complete[manifest[2].path][:50])
    draw_library(folder, count=COUNT, size=SIZE)
    assert contents(folder) == complete


def test_exact_duplicates_are_byte_identical(library: Library) -> None:
    files = contents(library[0])
    for picture in of_kind(library, "exact-duplicate"):
        assert picture.of is not None and picture.of != picture.path
        assert files[picture.path] == files[picture.of]


def test_near_duplicates_differ_in_bytes_but_look_alike(library: Library) -> None:
    folder, files = library[0], contents(library[0])
    for picture in of_kind(library, "near-duplicate"):
        assert picture.of is not None
        assert files[picture.path] != files[picture.of]
        assert likeness(upright(folder / picture.path), upright(folder / picture.of)) > 0.85


def test_unrelated_pictures_do_not_look_alike(library: Library) -> None:
    folder = library[0]
    first, *others = [upright(folder / p.path) for p in of_kind(library, "original")[:7]]
    assert all(likeness(first, other) < 0.85 for other in others)


def test_burst_frames_are_shifted_views_of_one_scene(library: Library) -> None:
    folder = library[0]
    first, *later = of_kind(library, "burst")
    assert first.of is None
    assert all(frame.of == first.path for frame in later)
    views = [upright(folder / frame.path) for frame in (first, *later)]
    assert len({view.tobytes() for view in views}) == len(views)
    assert all(likeness(views[0], view) > 0.9 for view in views[1:])


def test_damaged_files_do_not_decode_and_all_others_do(library: Library) -> None:
    folder, manifest = library
    broken = set()
    for picture in manifest:
        try:
            with Image.open(folder / picture.path) as image:
                image.load()
        except (UnidentifiedImageError, OSError):
            broken.add(picture.path)
    assert broken == {picture.path for picture in of_kind(library, "damaged")}


def test_some_pictures_are_stored_turned_and_say_so(library: Library) -> None:
    folder = library[0]
    orientations = {}
    for picture in of_kind(library, "original"):
        with Image.open(folder / picture.path) as image:
            orientations[picture.path] = image.getexif().get(0x0112, 1)
    assert Counter(orientations.values()) == {1: COUNT - 17 - 4, 6: 2, 8: 2}
    assert orientations["flowers/tulip-field-01.jpg"] == 8
    with Image.open(folder / "flowers/tulip-field-01.jpg") as stored:
        assert stored.width < stored.height
    wide = upright(folder / "flowers/tulip-field-01.jpg")
    assert wide.width > wide.height


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_turned_jpeg_is_upright_to_a_viewer(orientation: int) -> None:
    picture = Image.new("RGB", (90, 60), "white")
    picture.paste("navy", (0, 0, 30, 20))
    with Image.open(BytesIO(variants.jpeg(picture, orientation=orientation))) as stored:
        assert stored.size == (60, 90)
        shown = ImageOps.exif_transpose(stored).convert("RGB")
    assert shown.size == (90, 60)
    assert likeness(shown, picture) > 0.99


def test_unusual_formats_are_among_the_originals(library: Library) -> None:
    modes = set()
    for picture in of_kind(library, "original"):
        with Image.open(library[0] / picture.path) as image:
            modes.add((image.format, image.mode))
    assert modes == {("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "I;16"), ("WEBP", "RGB")}


def test_the_cut_out_is_transparent_at_its_corners_only(library: Library) -> None:
    with Image.open(library[0] / "clothes/laid-flat-01.png") as image:
        alpha = image.getchannel("A")
    assert alpha.getpixel((0, 0)) == 0
    assert alpha.getpixel((image.width // 2, image.height // 2)) == 255


def test_progress_counts_every_file(library: Library) -> None:
    seen: list[tuple[int, int]] = []
    draw_library(
        library[0], count=COUNT, size=SIZE, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, COUNT) for done in range(1, COUNT + 1)]


def test_an_error_in_progress_stops_the_drawing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        draw_library(tmp_path, count=COUNT, size=SIZE, progress=stop)
    drawn = contents(tmp_path)
    assert 1 <= len(drawn) < COUNT // 2
    assert not [path for path in drawn if path.endswith(".part")]


def test_too_small_a_count_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="count is 29: ask for at least 30"):
        draw_library(tmp_path, count=29)
    assert not contents(tmp_path)


def test_a_picture_has_the_size_of_a_photo() -> None:
    picture = coffee.SCENES[0].draw(np.random.default_rng(1), 1200, 0)
    assert picture.size == (1200, 900)
    assert 60_000 < len(variants.jpeg(picture)) < 300_000


def test_takes_of_a_scene_have_other_formats() -> None:
    shapes = {coffee.SCENES[0].draw(np.random.default_rng(1), 120, take).size for take in range(4)}
    assert len(shapes) == 4
