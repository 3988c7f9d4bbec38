"""From whatever colours a picture is stored in to plain 8-bit sRGB."""

import io
from contextlib import suppress

import numpy as np
from PIL import ExifTags, Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

# Larger profiles exist only to waste time: the biggest printing profiles in use are about 3 MB.
_MAX_PROFILE_BYTES = 4 * 1024 * 1024


def to_eight_bits(image: Image.Image) -> Image.Image:
    """8 bits a channel without a palette: mode L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return _grey_from_integers(image)
    if image.mode == "F":
        return _grey_from_floats(image)
    if image.mode in ("LA", "La"):
        return image.convert("LA")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A new RGB picture in sRGB from one of mode L, LA, RGB, RGBA or CMYK and its ICC ``profile``.

    What is transparent becomes white. A profile that is broken or belongs to another kind of
    picture is ignored.
    """
    opaque = _on_white(image) if image.mode in ("LA", "RGBA") else image
    if profile and len(profile) <= _MAX_PROFILE_BYTES:
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return _through_profile(opaque, profile)
    return opaque.convert("RGB")


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if image.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(source):
        return image.convert("RGB")
    target = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(source, target, image.mode, "RGB")
    return transform.apply(image)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "LA":  # stays grey: its profile is one of grey
        white = Image.new("L", image.size, "white")
        return Image.composite(image.getchannel("L"), white, image.getchannel("A"))
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image).convert("RGB")


def _grey_from_integers(image: Image.Image) -> Image.Image:
    """0 to 65535 to 0 to 255; Pillow's own conversion clips everything above 255 to white."""
    values = (np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8)
    return Image.fromarray(255 - values if _is_negative(image) else values)


def _is_negative(image: Image.Image) -> bool:
    """Whether 0 is white, as in scans; Pillow turns such pictures over at 8 bits, but not at 16."""
    if not isinstance(image, TiffImageFile):
        return False
    return bool(image.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0)


def _grey_from_floats(image: Image.Image) -> Image.Image:
    """0 to 1 to 0 to 255, or 0 to 255 as it is if any value exceeds 1."""
    values = np.nan_to_num(np.asarray(image))
    scale = 255.0 if values.max() <= 1.0 else 1.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
