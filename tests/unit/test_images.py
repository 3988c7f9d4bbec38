"""Decoding: formats by content, upright sRGB pixels, limits, damage, bare thumbnails."""

import csv
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from libs.errors import ColonnadeError, InvalidArgument, OutOfQuota
from libs.images import ImageLimits, inspect, open_upright, thumbnail_jpeg
from tests.support.golden_files import FILES, is_lossy, picture_in, pixels_of
from tests.support.pictures import png_of, raw_png
from tests.support.profiles import contrary_inks, linear_grey, swapped_primaries
from tests.support.shared import SHARED, needs_shared

LIMITS = ImageLimits()
ORIENTATION = 0x0112


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Upright: red left of blue, both under a white band."""
    image = Image.new("RGB", (width, height), "white")
    image.paste((200, 0, 0), (0, height // 2, width // 2, height))
    image.paste((0, 0, 200), (width // 2, height // 2, width, height))
    return image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(image: Image.Image) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(image, dtype=np.float64)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours near the top left, bottom left and bottom right, each channel rounded to 0 or 2."""
    width, height = image.size
    points = [(2, 2), (2, height - 3), (width - 3, height - 3)]
    return [tuple(np.rint(np.asarray(image)[y, x] / 100.0).astype(int)) for x, y in points]


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(ColonnadeError) as raised:
        call()
    return raised.value.reason


UPRIGHT_CORNERS = corners(picture())

FORMATS = {
    "JPEG": ("image/jpeg", {"quality": 95}),
    "PNG": ("image/png", {}),
    "WEBP": ("image/webp", {"quality": 95}),
    "AVIF": ("image/avif", {"quality": 95}),
    "TIFF": ("image/tiff", {}),
    "GIF": ("image/gif", {}),
    "BMP": ("image/bmp", {}),
}


@pytest.mark.parametrize("format", FORMATS)
def test_each_format_is_told_by_content_and_decoded(format: str) -> None:
    mime, options = FORMATS[format]
    data = encoded(picture(), format, **options)
    info = inspect(data, LIMITS)
    assert (info.format, info.mime, info.width, info.height) == (format, mime, 64, 48)
    assert (info.orientation, info.frames) == (1, 1)
    image = open_upright(data, LIMITS)
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert corners(image) == UPRIGHT_CORNERS


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(format: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = picture(640, 480)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(stored, format, exif=exif)
    info = inspect(data, LIMITS)
    assert (info.width, info.height, info.orientation) == (640, 480, orientation)
    assert corners(open_upright(data, LIMITS)) == UPRIGHT_CORNERS
    shrunk = open_upright(data, LIMITS, target=(80, 60))
    assert shrunk.size == (160, 120)
    assert corners(shrunk) == UPRIGHT_CORNERS


def test_an_illegal_orientation_counts_as_upright() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 9
    data = encoded(picture(), "JPEG", exif=exif)
    assert inspect(data, LIMITS).orientation == 1
    assert corners(open_upright(data, LIMITS)) == UPRIGHT_CORNERS


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_target_never_brings_less_than_twice_its_size(format: str) -> None:
    data = encoded(picture(1000, 300), format)
    assert open_upright(data, LIMITS, target=(100, 100)).size == (1000, 300)
    assert open_upright(data, LIMITS, target=(100, 70)).size in [(500, 150)]
    assert open_upright(data, LIMITS, target=(4000, 4000)).size == (1000, 300)


def test_shrinking_at_load_keeps_the_colours() -> None:
    data = encoded(picture(1600, 1200), "JPEG", quality=95)
    small = open_upright(data, LIMITS, target=(100, 75)).resize((100, 75))
    whole = open_upright(data, LIMITS).resize((100, 75))
    assert np.abs(pixels(small) - pixels(whole)).mean() < 1.0


def test_transparency_becomes_white() -> None:
    image = picture().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 24, 32, 48))
    for format in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        opened = open_upright(encoded(image, format, **options), LIMITS)
        assert opened.getpixel((5, 40)) == (255, 255, 255)
        assert opened.getpixel((60, 40)) == (0, 0, 200)


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 10, 10, 200, 0, 0])
    image.paste(1, (10, 0, 20, 20))
    opened = open_upright(encoded(image, "PNG", transparency=0), LIMITS)
    assert opened.getpixel((2, 2)) == (255, 255, 255)
    assert opened.getpixel((15, 2)) == (200, 0, 0)


def test_half_transparent_pixels_do_not_darken_when_shrunk() -> None:
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 200, 400))
    shrunk = open_upright(encoded(image, "PNG"), LIMITS, target=(10, 10))
    assert pixels(shrunk)[:, :, 0].min() == 255


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None, :].repeat(4, axis=0)
    for format in ("PNG", "TIFF"):
        opened = open_upright(encoded(Image.fromarray(ramp), format), LIMITS)
        assert np.array_equal(np.asarray(opened)[0, :, 0], np.arange(256))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bit_channels_are_scaled_too(channels: int) -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None, :, None].repeat(channels, axis=2)
    if channels in (2, 4):
        ramp[:, :, -1] = 65535
    opened = np.asarray(open_upright(raw_png(ramp), LIMITS))
    assert np.array_equal(opened[0], np.arange(256)[:, None].repeat(3, axis=1))


def grey_tiff(values: np.ndarray[Any, Any], photometric: int) -> bytes:
    """A row of grey, in which 0 is white if ``photometric`` is 0."""
    body = values.tobytes()
    entries = [
        (256, values.size),
        (257, 1),
        (258, values.itemsize * 8),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, 1),
        (279, len(body)),
    ]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(body))
        + body
        + struct.pack("<H", len(entries))
        + directory
        + bytes(4)
    )


@pytest.mark.parametrize("type", ["<u1", "<u2"])
def test_a_scan_in_which_zero_is_white_is_no_negative(type: str) -> None:
    ramp = (np.arange(256) * (257 if type == "<u2" else 1)).astype(type)
    for photometric, expected in [(0, np.arange(256)[::-1]), (1, np.arange(256))]:
        opened = open_upright(grey_tiff(ramp, photometric), LIMITS)
        assert np.array_equal(np.asarray(opened)[0, :, 0], expected)


def test_big_endian_grey_is_read_as_such() -> None:
    ramp = (np.arange(256) * 257).astype(">u2")[None, :]
    opened = open_upright(encoded(Image.fromarray(ramp), "TIFF"), LIMITS)
    assert np.array_equal(np.asarray(opened)[0, :, 0], np.arange(256))


def test_float_grey_is_scaled_by_its_range() -> None:
    for top in (1.0, 255.0):
        ramp = np.linspace(0, top, 256, dtype=np.float32)[None, :]
        opened = open_upright(encoded(Image.fromarray(ramp), "TIFF"), LIMITS)
        assert np.array_equal(np.asarray(opened)[0, :, 0], np.arange(256))


@pytest.mark.parametrize("mode", ["1", "L", "CMYK"])
def test_other_colour_models_become_rgb(mode: str) -> None:
    image = picture().convert(mode)
    data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    opened = open_upright(data, LIMITS)
    assert opened.mode == "RGB"
    assert np.abs(pixels(opened) - pixels(image.convert("RGB"))).mean() < 3.0


@pytest.mark.parametrize(("mode", "colour"), [("LAB", (255, 128, 128)), ("YCbCr", (255, 128, 128))])
def test_rarer_colour_models_become_rgb(mode: str, colour: tuple[int, int, int]) -> None:
    opened = open_upright(encoded(Image.new(mode, (8, 8), colour), "TIFF"), LIMITS)
    assert min(opened.getpixel((4, 4))) > 250  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "transparency"), [("1", 0), ("L", 0), ("RGB", (0, 0, 0)), ("P", 0)]
)
def test_a_colour_that_stands_for_transparency_becomes_white(mode: str, transparency: Any) -> None:
    data = encoded(Image.new(mode, (8, 8), 0), "PNG", transparency=transparency)
    assert open_upright(data, LIMITS).getpixel((4, 4)) == (255, 255, 255)


def test_half_transparent_grey_is_mixed_with_white() -> None:
    data = encoded(Image.new("LA", (8, 8), (100, 128)), "PNG")
    assert open_upright(data, LIMITS).getpixel((4, 4)) == (177, 177, 177)


@pytest.mark.parametrize(("mode", "colour"), [("L", 128), ("LA", (128, 255))])
def test_a_profile_of_grey_is_applied_to_grey(mode: str, colour: Any) -> None:
    plain = Image.new(mode, (16, 16), colour)
    assert open_upright(encoded(plain, "PNG"), LIMITS).getpixel((4, 4)) == (128, 128, 128)
    data = encoded(plain, "PNG", icc_profile=linear_grey())
    # Half of the light is 188 in sRGB.
    assert open_upright(data, LIMITS).getpixel((4, 4)) == (188, 188, 188)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_inks_are_mixed_by_their_profile_or_else_by_the_plain_formula(format: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert open_upright(encoded(cyan, format), LIMITS).getpixel((4, 4)) == (0, 255, 255)
    data = encoded(cyan, format, icc_profile=contrary_inks())
    red, green, blue = open_upright(data, LIMITS).getpixel((4, 4))  # type: ignore[misc]
    assert (red > 240, green < 20, blue < 20) == (True, True, True)


def test_a_colour_profile_is_applied() -> None:
    data = encoded(Image.new("RGB", (32, 32), (200, 0, 0)), "PNG", icc_profile=swapped_primaries())
    red, _, blue = open_upright(data, LIMITS).getpixel((5, 5))  # type: ignore[misc]
    assert (red < 40, blue > 180) == (True, True)


@pytest.mark.parametrize("profile", [b"no profile at all", b"\0" * 5_000_000])
def test_a_useless_colour_profile_is_ignored(profile: bytes) -> None:
    data = encoded(picture(), "TIFF", icc_profile=profile)
    assert corners(open_upright(data, LIMITS)) == UPRIGHT_CORNERS


def test_a_profile_of_another_colour_model_is_ignored() -> None:
    data = encoded(picture().convert("L"), "PNG", icc_profile=swapped_primaries())
    assert open_upright(data, LIMITS).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_of_several_frames_is_used(format: str) -> None:
    second = Image.new("RGB", (64, 48), "black")
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(picture(), format, save_all=True, append_images=[second], **options)
    assert inspect(data, LIMITS).frames == 2
    assert corners(open_upright(data, LIMITS)) == UPRIGHT_CORNERS


def test_a_default_picture_outside_of_an_animation_is_the_one_that_is_used() -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("black", "navy")]
    data = encoded(picture(), "PNG", save_all=True, default_image=True, append_images=frames)
    assert corners(open_upright(data, LIMITS)) == UPRIGHT_CORNERS


def test_a_first_frame_smaller_than_its_screen_lies_on_white() -> None:
    first = Image.new("P", (20, 20), 1)
    first.putpalette([0, 0, 0, 200, 0, 0])
    data = bytearray(encoded(first, "GIF", transparency=0, optimize=False))
    data[6:10] = struct.pack("<HH", 60, 40)  # the screen, larger than the frame at its corner
    opened = open_upright(bytes(data), LIMITS)
    assert opened.size == (60, 40)
    assert opened.getpixel((5, 5)) == (200, 0, 0)
    assert opened.getpixel((50, 30)) == (255, 255, 255)


def test_a_frame_larger_than_its_screen_is_refused_before_decoding() -> None:
    data = bytearray(encoded(Image.new("P", (8, 8)), "GIF"))
    at = data.index(b"\x2c")
    data[at + 5 : at + 9] = struct.pack("<HH", 5000, 3000)
    small = ImageLimits(max_pixels=1_000_000)
    assert reason_of(lambda: open_upright(bytes(data), small)) == "IMAGE_TOO_LARGE"


def test_an_opened_picture_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    data = encoded(picture(), "JPEG", exif=exif, comment=b"a secret")
    assert open_upright(data, LIMITS).info == {}


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP"])
def test_a_truncated_file_is_reported_as_damaged(format: str, cut: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)
    truncated = data[: int(len(data) * cut)]
    assert reason_of(lambda: open_upright(truncated, LIMITS)) == "DAMAGED_IMAGE"


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(format=st.sampled_from(sorted(FORMATS)), data=st.data())
def test_mangled_bytes_never_raise_anything_else(format: str, data: st.DataObject) -> None:
    mangled = bytearray(encoded(picture(), format))
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, min(len(mangled), 400) - 1))
        mangled[position] = data.draw(st.integers(0, 255))
    try:
        image = open_upright(bytes(mangled), ImageLimits(max_pixels=1_000_000), (20, 20))
    except ColonnadeError as error:
        assert error.reason in ("UNSUPPORTED_IMAGE", "DAMAGED_IMAGE", "IMAGE_TOO_LARGE")
    else:
        assert image.mode == "RGB"


@pytest.mark.parametrize(
    "data", [b"plain text", b"<html></html>", b"BX", b"\0\0\0\x18ftypmp42\0\0\0\0isommp42"]
)
def test_what_is_no_picture_is_unsupported(data: bytes) -> None:
    with pytest.raises(InvalidArgument) as raised:
        inspect(data, LIMITS)
    assert raised.value.reason == "UNSUPPORTED_IMAGE"
    assert [violation.field for violation in raised.value.violations] == ["image"]


def test_nothing_at_all_is_damaged() -> None:
    assert reason_of(lambda: inspect(b"", LIMITS)) == "DAMAGED_IMAGE"


def test_heic_without_a_decoder_says_what_to_do() -> None:
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    with pytest.raises(InvalidArgument) as raised:
        inspect(data, LIMITS)
    assert raised.value.reason in ("UNSUPPORTED_IMAGE", "DAMAGED_IMAGE")
    if raised.value.reason == "UNSUPPORTED_IMAGE":
        assert "pi-heif" in raised.value.message


def test_an_avif_with_a_general_major_brand_is_no_heic() -> None:
    data = encoded(picture(), "AVIF")
    general = data[:8] + b"mif1" + data[12:]
    assert inspect(general, LIMITS).format == "AVIF"


def test_too_many_bytes_are_refused() -> None:
    data = encoded(picture(), "PNG")
    exact = ImageLimits(max_bytes=len(data))
    assert inspect(data, exact).format == "PNG"
    assert reason_of(lambda: inspect(data + b"\0", exact)) == "IMAGE_TOO_LARGE"


def lying_png(width: int, height: int) -> bytes:
    """A PNG header that promises far more than its few bytes of data hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png_of((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))


def test_too_many_pixels_are_refused_before_decoding() -> None:
    for call in (inspect, open_upright):
        with pytest.raises(OutOfQuota) as raised:
            call(lying_png(60_000, 60_000), LIMITS)
        assert raised.value.reason == "IMAGE_TOO_LARGE"
        assert "60000 x 60000" in raised.value.message


def test_the_pixel_limit_is_the_caller_s_and_not_pillow_s() -> None:
    # Pillow warns above 89 and refuses above 179 megapixels unless asked otherwise.
    assert inspect(lying_png(19_000, 10_000), LIMITS).width == 19_000
    small = ImageLimits(max_pixels=64 * 48 - 1)
    data = encoded(picture(), "PNG")
    assert reason_of(lambda: open_upright(data, small)) == "IMAGE_TOO_LARGE"
    assert open_upright(data, ImageLimits(max_pixels=64 * 48)).size == (64, 48)


def test_a_thumbnail_is_small_upright_and_bare() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "a secret place"
    stored = picture(900, 600).transpose(Image.Transpose.ROTATE_90)
    data = encoded(stored, "JPEG", exif=exif, comment=b"a secret", icc_profile=swapped_primaries())
    thumbnail = thumbnail_jpeg(data, 300, 80, LIMITS)
    with Image.open(io.BytesIO(thumbnail)) as image:
        assert (image.format, image.size) == ("JPEG", (300, 200))
        assert dict(image.getexif()) == {}
        assert not {"comment", "icc_profile", "exif"} & set(image.info)
    assert b"secret" not in thumbnail


def test_a_thumbnail_is_never_enlarged_nor_flattened_to_nothing() -> None:
    for size, expected in [((40, 30), (40, 30)), ((3000, 2), (300, 1)), ((1, 900), (1, 300))]:
        thumbnail = thumbnail_jpeg(encoded(Image.new("RGB", size), "PNG"), 300, 80, LIMITS)
        assert inspect(thumbnail, LIMITS).width == expected[0]
        assert inspect(thumbnail, LIMITS).height == expected[1]


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind_show_what_was_drawn(name: str) -> None:
    drawn = pixels_of(picture_in(name))
    opened = pixels(open_upright(FILES[name](), LIMITS))
    assert opened.shape == drawn.shape
    off = np.abs(opened - drawn)
    if is_lossy(name):
        assert off.mean() < 3.0
    else:
        assert off.max() <= 1.0


def awkward_files() -> list[tuple[str, str]]:
    table = SHARED / "photos" / "awkward" / "expected.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return [(row["file"], row["decodes"]) for row in csv.DictReader(file)]


@needs_shared
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(("name", "decodes"), awkward_files())
def test_awkward_files_behave_as_expected(name: str, decodes: str) -> None:
    path = Path(SHARED / "photos" / name)
    data = path.read_bytes()
    refused = {
        "awkward/bomb-20000x20000.png": "IMAGE_TOO_LARGE",
        "awkward/lying-header-60000x60000.png": "IMAGE_TOO_LARGE",
        "awkward/truncated-60pct.jpg": "DAMAGED_IMAGE",
        "awkward/truncated-header.jpg": "DAMAGED_IMAGE",
        "awkward/zero-byte.jpg": "DAMAGED_IMAGE",
        "awkward/nested/empty-folder/.keep": "DAMAGED_IMAGE",
    }
    if name in refused:
        assert reason_of(lambda: open_upright(data, LIMITS)) == refused[name]
    elif decodes == "no":
        assert reason_of(lambda: open_upright(data, LIMITS)) == "UNSUPPORTED_IMAGE"
    else:
        info = inspect(data, LIMITS)
        assert open_upright(data, LIMITS).size == (info.width, info.height)
        assert thumbnail_jpeg(data, 128, 80, LIMITS)


def test_damaged_metadata_cost_neither_the_picture_nor_a_word(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    picture(64, 48).save(path, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")
    program = (
        "import sys, pathlib; from libs.images import ImageLimits, inspect;"
        "print(inspect(pathlib.Path(sys.argv[1]).read_bytes(), ImageLimits()).orientation)"
    )
    # In a process of its own, since tests turn warnings into errors.
    command, root = [sys.executable, "-c", program, path], Path(__file__).resolve().parents[2]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "1\n"), ran.stderr
    assert "EXIF" not in ran.stderr


@needs_shared
def test_stored_sideways_is_the_same_picture_as_its_upright_twin() -> None:
    def small(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        data = (SHARED / "photos" / name).read_bytes()
        return pixels(open_upright(data, LIMITS, (60, 80)).resize((60, 80)))

    upright = small("clothing/pants/pants-06.jpg")
    for twin in ("exif-rotated-6.jpg", "cmyk.jpg", "trailing-garbage.jpg", "photo.webp"):
        assert np.abs(small(f"awkward/{twin}") - upright).mean() < 3.0
