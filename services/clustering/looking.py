"""Comparing the pictures of photos themselves. Blocking: call it in a thread."""

from PIL import Image

from libs.image_hash import hash_of
from libs.image_match import Match, match
from libs.images import ImageLimits, open_upright
from services.clustering.domain.verdict import Look

# Of the suite's own thumbnails, which are small.
_LIMITS = ImageLimits(max_bytes=16 * 1024 * 1024, max_pixels=16_000_000)
_SIDE = 160
_UPRIGHT = 1
_MIRRORED = 2
# A picture whose hash is farther than this was turned by chance only. Mirrored ones are common,
# and may be cropped too.
_TURNED = 36
_MIRRORED_AND_CROPPED = 48


def hash_file(data: bytes) -> bytes | None:
    """The perceptual hash of an image file; None if it has too little detail.

    Raises InvalidArgument (UNSUPPORTED_IMAGE, DAMAGED_IMAGE) and OutOfQuota (IMAGE_TOO_LARGE).
    """
    return hash_of(_opened(data))


def look_at(
    first: bytes, second: bytes, distance: int | None, orientation: int
) -> tuple[Look, int]:
    """What two image files show when laid over each other, and how the second is turned for that.

    ``orientation`` is the one in which their hashes are ``distance`` bits apart. It is believed if
    that is little; upright is always tried, since a crop changes the hash more than the picture.
    Raises as ``hash_file``.
    """
    one, other = _opened(first), _opened(second)
    farthest = _MIRRORED_AND_CROPPED if orientation == _MIRRORED else _TURNED
    believed = distance is not None and distance <= farthest
    tried = {_UPRIGHT, orientation} if believed else {_UPRIGHT}
    found = {each: match(one, other, each) for each in sorted(tried)}
    best = max(found, key=lambda each: found[each].structure)
    return _look(found[best]), best


def _opened(data: bytes) -> Image.Image:
    return open_upright(data, _LIMITS, (_SIDE, _SIDE))


def _look(found: Match) -> Look:
    return Look(found.structure, found.agreement, found.overlap, min(1.0, found.colour))
