"""What can be found out about a picture, besides its embedding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from PIL import Image

from libs import image_hash
from libs.errors import FailedPrecondition
from libs.image_quality import MEASURES, Sample
from services.embedding.detection import Finding

EMBEDDING = "embedding"

# A place for models by card: what they find out and how it is told to people.
OPTIONAL = {
    "faces": "Finds faces. Needs a detector.",
    "detection": "Finds things and tells what they are. Needs a detector.",
    "classification": "Tells what an image shows. Needs a classifier.",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What an operation looks at: pixels, perhaps shrunk, and the size that they had, in pixels."""

    pixels: Image.Image
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an operation has found out: each kind fills one field."""

    measures: Mapping[str, float] = field(default_factory=dict)
    hash: bytes = b""
    findings: tuple[Finding, ...] = ()

    @property
    def nbytes(self) -> int:
        """What it takes in memory, roughly."""
        return 100 * (len(self.measures) + len(self.hash) + 4 * len(self.findings))


class Operation(Protocol):
    """One thing that can be found out. ``look`` blocks for milliseconds and may run in threads."""

    @property
    def description(self) -> str:
        """What it finds out, for people."""
        ...

    @property
    def implementation(self) -> str:
        """``{id}@{revision}``; reports of different ones must not be compared."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        ...

    @property
    def side(self) -> int:
        """It needs pictures no larger than this."""
        ...

    def look(self, picture: Picture) -> Report:
        """Raises ``libs.errors`` if it cannot."""
        ...


class Quality:
    """How sharp, well exposed, large and colourful a picture is."""

    description = "Measures sharpness, exposure, resolution and colourfulness, each 0 to 1."
    implementation = "quality@1"
    labels = ()
    side = 512

    def look(self, picture: Picture) -> Report:
        """See ``Operation.look``."""
        sample = Sample(picture.pixels, picture.width, picture.height)
        return Report({name: round(measure(sample), 4) for name, measure in MEASURES.items()})


class PerceptualHash:
    """What a picture is like, for finding copies of one file."""

    description = "Computes a hash by which copies of one file are found."
    implementation = image_hash.ALGORITHM
    labels = ()
    side = 512

    def look(self, picture: Picture) -> Report:
        """See ``Operation.look``. Raises ``FailedPrecondition`` (NO_DETAIL)."""
        bits = image_hash.hash_of(picture.pixels)
        if bits is None:
            raise FailedPrecondition(
                "the picture has too little detail to be told apart from others",
                reason="NO_DETAIL",
            )
        return Report(hash=bits)


def built_in() -> dict[str, Operation]:
    """The operations that need no model."""
    return {"quality": Quality(), "perceptual_hash": PerceptualHash()}
