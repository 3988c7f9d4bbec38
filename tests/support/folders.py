"""A folder of 120 entries as people have them: photos, copies, rubbish."""

import io
from pathlib import Path

from PIL import Image

from tests.support.pictures import encoded, waves

FORMATS = (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"))
PHOTOS, COPIES, BROKEN, OTHERS, LINKS = 96, 10, 6, 6, 2


def mixed_folder(root: Path) -> None:
    """96 photos, 10 copies of some, 6 files that only claim to be pictures, 6 that do not, and 2
    links out of the folder. Links count as what is passed over."""
    for number in range(PHOTOS):
        format, suffix = FORMATS[number % len(FORMATS)]
        folder = root / f"trip {number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        data = encoded(waves(64, 48, 0.11 * number), format)
        (folder / f"{number:03}.{suffix}").write_bytes(data)
        if number < COPIES:
            copies = root / "zz copies"
            copies.mkdir(exist_ok=True)
            (copies / f"copy of {number:03}.{suffix}").write_bytes(data)
    whole = encoded(waves(200, 150, 99.0), "JPEG")
    broken = (b"", b"plain text", whole[:200], whole[: len(whole) // 2], b"GIF89a", b"<html>")
    for number, data in enumerate(broken):
        (root / f"broken {number}.jpg").write_bytes(data)
    for name in ("notes.txt", "Thumbs.db", "sidecar.xmp", ".keep", "list.csv", "film.mov"):
        (root / name).write_bytes(b"" if name == ".keep" else b"no picture " * 3)
    outside = root.parent / f"{root.name} outside.jpg"
    outside.write_bytes(whole)
    for number in range(LINKS):
        (root / f"link {number}.jpg").symlink_to(outside)


def tiny_photo(number: int) -> bytes:
    """A JPEG of a few hundred bytes that differs from those of other numbers."""
    image = Image.new("RGB", (16, 16))
    for bit in range(24):
        if number >> bit & 1:
            image.paste(
                (255, 255, 255), (bit % 8 * 2, bit // 8 * 5, bit % 8 * 2 + 2, bit // 8 * 5 + 5)
            )
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
