"""What is known of a model besides its weights: a JSON file beside the ONNX files.

The card says which files, from where and under which licence; how pixels or words become the input;
what the output is; and which cosines mean something, because thresholds belong to the model.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

# Part of every fingerprint: to be raised whenever decoding or colour handling changes pixels.
PIXEL_RULES = 2
# The same for texts: to be raised whenever one of the tokenizers gives other tokens.
TOKEN_RULES = 1

_REVISION_LENGTH = 12
_USUAL_OUTPUT = "embedding"

Triple = tuple[float, float, float]
Layout = Literal["NCHW", "NHWC"]
Pooling = Literal["output", "mean", "cls"]
ResizeMode = Literal["stretch", "centre_crop", "pad"]
ResizeFilter = Literal["bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From an upright sRGB picture to float32 [3, height, width]: (pixel - mean) / std.

    ``size`` is (width, height). ``stretch`` gives up the aspect ratio; ``centre_crop`` shrinks the
    shorter side to ``short_side`` and cuts ``size`` from the middle; ``pad`` fits the whole picture
    into ``size`` and centres it on ``fill``. Pixels are 0 to 255, RGB.
    """

    size: tuple[int, int]
    mode: ResizeMode
    filter: ResizeFilter
    short_side: int
    mean: Triple
    std: Triple
    fill: Triple = (0.0, 0.0, 0.0)

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes what a model sees of the same file."""
        rules = (PIXEL_RULES, self.size, self.mode, self.filter, self.short_side)
        border = (self.fill,) if self.mode == "pad" else ()
        text = json.dumps([*rules, self.mean, self.std, *border])
        return hashlib.sha256(text.encode()).hexdigest()[:_REVISION_LENGTH]


@dataclass(frozen=True, slots=True)
class ImageCard:
    """What turns pictures into vectors. Cosines are for vectors of unit length.

    Two unrelated photos reach ``near_duplicate_cosine`` once in 10,000 pairs and
    ``likeness_cosine`` once in 100; two photos of one scene usually reach ``same_scene_cosine``.
    """

    id: str
    name: str
    file: str
    sha256: str
    licence: str
    source: str
    layout: Layout
    input_name: str
    preprocessing: Preprocessing
    output_name: str
    dimension: int
    near_duplicate_cosine: float
    likeness_cosine: float
    same_scene_cosine: float

    @property
    def revision(self) -> str:
        """Changes when the weights do: the start of the file's SHA-256."""
        return self.sha256[:_REVISION_LENGTH]

    @property
    def fingerprint(self) -> str:
        """Changes with what the model sees of the same file, and with which of its outputs counts.

        Most files have one output, of the usual name, which therefore is left out.
        """
        seen = self.preprocessing.fingerprint
        if self.output_name == _USUAL_OUTPUT:
            return seen
        text = json.dumps([seen, self.output_name])
        return hashlib.sha256(text.encode()).hexdigest()[:_REVISION_LENGTH]


@dataclass(frozen=True, slots=True)
class TextCard:
    """What turns texts into vectors.

    ``mask_input`` and ``types_input`` are None if the model takes none. ``max_tokens`` counts the
    tokens that frame a text too. ``fixed_length`` pads every text to ``max_tokens``. ``pooling``
    makes one vector of the output: ``output`` is one already, ``mean`` averages those of all
    tokens, ``cls`` takes the first. Two texts are copies of one another from
    ``near_duplicate_cosine`` on; versions of one text usually reach ``same_text_cosine``.
    """

    id: str
    file: str
    sha256: str
    tokenizer_file: str
    tokenizer_sha256: str
    ids_input: str
    mask_input: str | None
    types_input: str | None
    max_tokens: int
    fixed_length: bool
    pooling: Pooling
    output_name: str
    dimension: int
    near_duplicate_cosine: float = 0.95
    same_text_cosine: float = 0.85

    @property
    def revision(self) -> str:
        """Changes when the weights do: the start of the file's SHA-256."""
        return self.sha256[:_REVISION_LENGTH]

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes what a model reads of the same text or answers."""
        rules = (TOKEN_RULES, self.tokenizer_sha256, self.max_tokens, self.fixed_length)
        text = json.dumps([*rules, self.mask_input is None, self.pooling, self.output_name])
        return hashlib.sha256(text.encode()).hexdigest()[:_REVISION_LENGTH]


@dataclass(frozen=True, slots=True)
class NgramCard:
    """The rules of ``libs.text.similarity``, which need no file: ``version`` of them.

    Two texts of different topics have a cosine of 0.3 once in 1,000 pairs and of 0.41 once in
    100,000; one that lost two of its words still has 0.94 with what it was.
    """

    version: int
    dimension: int
    max_tokens: int = 0
    near_duplicate_cosine: float = 0.9
    same_text_cosine: float = 0.75

    @property
    def revision(self) -> str:
        """Changes when the rules do."""
        return str(self.version)

    @property
    def fingerprint(self) -> str:
        """Of the rules as well: nothing lies between a text and them."""
        return f"ngrams-{self.version}"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A validated card: of a model for images, for texts, or for both in one space."""

    id: str
    name: str
    licence: str
    source: str
    dimension: int
    image: ImageCard | None
    text: TextCard | NgramCard | None

    @classmethod
    def of_image(cls, image: ImageCard) -> "ModelCard":
        """The card of a model for images only."""
        return cls(image.id, image.name, image.licence, image.source, image.dimension, image, None)

    @property
    def revision(self) -> str:
        """Changes when the weights do. In a model for both, those for images count: what was made
        of photos stays comparable with what a better tower for texts makes."""
        if self.image is not None:
            return self.image.revision
        return self.text.revision if self.text is not None else ""

    @property
    def fingerprint(self) -> str:
        """Changes with what a model sees; in a model for both, with what it sees of images."""
        if self.image is not None:
            return self.image.fingerprint
        return self.text.fingerprint if self.text is not None else ""

    @property
    def files(self) -> dict[str, str]:
        """Every file that it needs beside the card, and its SHA-256."""
        files = {self.image.file: self.image.sha256} if self.image is not None else {}
        if isinstance(self.text, TextCard):
            files[self.text.file] = self.text.sha256
            files[self.text.tokenizer_file] = self.text.tokenizer_sha256
        return files
