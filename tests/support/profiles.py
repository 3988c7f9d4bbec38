"""Small ICC profiles, most of them written byte by byte (ICC.1:2001-04).

Each says something that no default would: a test sees at once whether it was obeyed.
"""

import struct

from PIL import ImageCms

# D50, which every profile must name as its white: X, Y, Z.
_D50 = (0.9642, 1.0, 0.8249)


def swapped_primaries() -> bytes:
    """sRGB with the red and the blue primary exchanged, under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")


def linear_grey() -> bytes:
    """A profile for grey pictures whose numbers are amounts of light, so that 128 is light grey."""
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(1.0), b"wtpt": _xyz(_D50)})


def contrary_inks() -> bytes:
    """A profile for CMYK whose cyan ink is red; of the others only black leaves a trace."""
    paper, red, black = (255, 128, 128), (138, 208, 195), (0, 128, 128)
    unmixed = [paper, black] * 4 + [red, black] * 4  # the last channel varies fastest
    table = _lut(4, [value for colour in unmixed for value in colour])
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"wtpt": _xyz(_D50)})


def _profile(kind: bytes, colours: bytes, space: bytes, tags: dict[bytes, bytes]) -> bytes:
    named = {b"desc": _description(b"for tests"), b"cprt": b"text\0\0\0\0CC0\0", **tags}
    start = 128 + 4 + 12 * len(named)
    entries, bodies = b"", b""
    for name, body in named.items():
        entries += name + struct.pack(">II", start + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    header = struct.pack(
        ">I4sI4s4s4s6H4sII4sIQI3i",
        *(start + len(bodies), b"\0\0\0\0", 0x02400000, kind, colours, space),
        *(2026, 1, 1, 0, 0, 0),
        *(b"acsp", 0, 0, b"\0\0\0\0", 0, 0, 0),
        *(round(value * 65536) for value in _D50),
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(named)) + entries + bodies


def _description(text: bytes) -> bytes:
    ascii_text = text + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_text)) + ascii_text + bytes(78)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _lut(channels: int, points: list[int]) -> bytes:
    """An 8-bit table with two points a channel, and straight curves before and behind it."""
    identity = struct.pack(">9i", *(65536 if at % 4 == 0 else 0 for at in range(9)))
    straight = bytes(range(256))
    head = b"mft1\0\0\0\0" + struct.pack(">BBBB", channels, 3, 2, 0) + identity
    return head + straight * channels + bytes(points) + straight * 3
