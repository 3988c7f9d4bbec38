"""What is known of a model besides its weights: a JSON file beside the ONNX file.

The card says which file, from where and under which licence; how pixels become the input; what the
output is; and which cosines mean something, because thresholds belong to the model.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from libs.errors import FailedPrecondition, InvalidArgument, Violation

# Part of every fingerprint: to be raised whenever decoding or colour handling changes pixels.
PIXEL_RULES = 1

_REVISION_LENGTH = 12
_MAX_CARD_BYTES = 1 << 20

Triple = tuple[float, float, float]
ResizeMode = Literal["stretch", "centre_crop"]
ResizeFilter = Literal["bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From an upright sRGB picture to float32 [3, height, width]: (pixel - mean) / std.

    ``size`` is (width, height). ``stretch`` gives up the aspect ratio; ``centre_crop`` shrinks the
    shorter side to ``short_side`` and cuts ``size`` from the middle. Pixels are 0 to 255, RGB.
    """

    size: tuple[int, int]
    mode: ResizeMode
    filter: ResizeFilter
    short_side: int
    mean: Triple
    std: Triple

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes what a model sees of the same file."""
        rules = (PIXEL_RULES, self.size, self.mode, self.filter, self.short_side)
        text = json.dumps([*rules, self.mean, self.std])
        return hashlib.sha256(text.encode()).hexdigest()[:_REVISION_LENGTH]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A validated card. Cosines are for vectors of unit length.

    Two unrelated photos reach ``near_duplicate_cosine`` once in 10,000 pairs and
    ``likeness_cosine`` once in 100; two photos of one scene usually reach ``same_scene_cosine``.
    """

    id: str
    name: str
    file: str
    sha256: str
    licence: str
    source: str
    modality: Literal["image"]
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


def read_card(path: Path) -> ModelCard:
    """The card in the JSON file ``path``.

    Raises ``FailedPrecondition`` (MODEL_NOT_READY) if there is none and ``InvalidArgument``
    (INVALID_MODEL_CARD) with a violation for each wrong field.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_CARD_BYTES)
    except OSError as error:
        raise FailedPrecondition(
            f"the model card {path} cannot be read: {error.strerror}", reason="MODEL_NOT_READY"
        ) from error
    return parse_card(data)


def parse_card(data: bytes | str) -> ModelCard:
    """The card in a JSON text. Raises ``InvalidArgument`` (INVALID_MODEL_CARD)."""
    try:
        return _Document.model_validate_json(data).card()
    except ValidationError as error:
        violations = [
            Violation(".".join(("card", *map(str, found["loc"]))), found["msg"])
            for found in error.errors(include_url=False)
        ]
        text = "; ".join(f"{each.field}: {each.description}" for each in violations)
        raise InvalidArgument(
            f"the model card is wrong: {text}", violations, reason="INVALID_MODEL_CARD"
        ) from error


# What follows mirrors the JSON; fields that nothing here reads are allowed and ignored.

_Side = Annotated[int, Field(ge=1, le=4096)]
_Cosine = Annotated[float, Field(gt=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Resize(_Strict):
    mode: ResizeMode
    size: list[_Side] = Field(min_length=2, max_length=2)
    filter: ResizeFilter
    short_side: _Side | None = None


class _Input(_Strict):
    name: str = Field(min_length=1)
    dtype: Literal["float32"]
    shape: list[int | str] = Field(min_length=4, max_length=4)
    layout: Literal["NCHW"]
    colour: Literal["RGB"]
    mean: list[float] = Field(min_length=3, max_length=3)
    std: list[Annotated[float, Field(gt=0.0)]] = Field(min_length=3, max_length=3)
    resize: _Resize

    @field_validator("shape")
    @classmethod
    def _batch_is_free(cls, shape: list[int | str]) -> list[int | str]:
        if not isinstance(shape[0], str) or shape[1] != 3:
            raise ValueError('must be ["N", 3, height, width]: the batch size must be free')
        return shape


class _Output(_Strict):
    name: str = Field(min_length=1)
    dtype: Literal["float32"]
    dim: int = Field(ge=2, le=65536)


class _NearDuplicate(_Strict):
    at_1_percent_false_matches: _Cosine
    at_0_01_percent_false_matches: _Cosine


class _Document(_Strict):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}$")
    name: str = Field(min_length=1)
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str = Field(min_length=1)
    source: dict[str, Any]
    modality: Literal["image"] = "image"
    input: _Input
    output: _Output
    normalise: str = Field(pattern=r"^l2\b")
    metric: Literal["cosine"]
    near_duplicate_cosine: _NearDuplicate
    same_scene_cosine: _Cosine | None = None

    @field_validator("input")
    @classmethod
    def _shape_is_size(cls, value: _Input) -> _Input:
        if value.shape[2:] != value.resize.size[::-1]:
            raise ValueError("shape [N, 3, height, width] and resize.size [width, height] differ")
        return value

    def card(self) -> ModelCard:
        near = self.near_duplicate_cosine
        strict = near.at_0_01_percent_false_matches
        return ModelCard(
            id=self.id,
            name=self.name,
            file=self.file,
            sha256=self.sha256,
            licence=self.licence,
            source=str(self.source.get("repository", "")),
            modality=self.modality,
            input_name=self.input.name,
            preprocessing=self._preprocessing(),
            output_name=self.output.name,
            dimension=self.output.dim,
            near_duplicate_cosine=strict,
            likeness_cosine=near.at_1_percent_false_matches,
            same_scene_cosine=self.same_scene_cosine or strict,
        )

    def _preprocessing(self) -> Preprocessing:
        resize = self.input.resize
        width, height = resize.size
        return Preprocessing(
            size=(width, height),
            mode=resize.mode,
            filter=resize.filter,
            short_side=resize.short_side or min(width, height),
            mean=_triple(self.input.mean),
            std=_triple(self.input.std),
        )


def _triple(values: list[float]) -> Triple:
    first, second, third = values
    return first, second, third
