"""Cards as JSON files: read, checked field by field, turned into ``card.ModelCard``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from services.embedding.card import (
    ImageCard,
    Layout,
    ModelCard,
    Pooling,
    Preprocessing,
    ResizeFilter,
    ResizeMode,
    TextCard,
    Triple,
)

_MAX_CARD_BYTES = 1 << 20


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
        modality = _Modality.model_validate_json(data).modality
        return _DOCUMENTS[modality].model_validate_json(data).card()
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
_Dimension = Annotated[int, Field(ge=2, le=65536)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_OnnxFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")]
_Cosine = Annotated[float, Field(gt=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Resize(_Strict):
    mode: ResizeMode
    size: list[_Side] = Field(min_length=2, max_length=2)
    filter: ResizeFilter
    short_side: _Side | None = None
    fill: list[Annotated[float, Field(ge=0.0, le=255.0)]] = Field(
        [0.0, 0.0, 0.0], min_length=3, max_length=3
    )


class _Input(_Strict):
    name: str = Field(min_length=1)
    dtype: Literal["float32"]
    shape: list[int | str] = Field(min_length=4, max_length=4)
    layout: Layout
    colour: Literal["RGB"]
    value_range: str = Field("0..255", pattern=r"^0\.\.(255|1)\b")
    mean: list[float] = Field(min_length=3, max_length=3)
    std: list[Annotated[float, Field(gt=0.0)]] = Field(min_length=3, max_length=3)
    resize: _Resize

    @field_validator("shape")
    @classmethod
    def _batch_is_free(cls, shape: list[int | str]) -> list[int | str]:
        if not isinstance(shape[0], str):
            raise ValueError('must be ["N", …]: the batch size must be free')
        return shape

    @model_validator(mode="after")
    def _shape_is_size(self) -> Self:
        width, height = self.resize.size
        shape = [3, height, width] if self.layout == "NCHW" else [height, width, 3]
        if self.shape[1:] != shape:
            raise ValueError(f"layout and resize.size [width, height] ask for the shape {shape}")
        return self

    def preprocessing(self) -> Preprocessing:
        """The same with mean and standard deviation of pixels from 0 to 255."""
        scale = 255.0 if self.value_range.startswith("0..1") else 1.0
        width, height = self.resize.size
        return Preprocessing(
            size=(width, height),
            mode=self.resize.mode,
            filter=self.resize.filter,
            short_side=self.resize.short_side or min(width, height),
            mean=_triple([value * scale for value in self.mean]),
            std=_triple([value * scale for value in self.std]),
            fill=_triple(self.resize.fill),
        )


class _Output(_Strict):
    name: str = Field(min_length=1)
    dtype: Literal["float32"]
    dim: _Dimension


class _NearDuplicate(_Strict):
    at_1_percent_false_matches: _Cosine
    at_0_01_percent_false_matches: _Cosine


class _Tokenizer(_Strict):
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.json$")
    sha256: _Digest


class _TextInputs(_Strict):
    ids: str = Field(min_length=1)
    mask: str | None = None
    types: str | None = None


class _Text(_Strict):
    file: _OnnxFile
    sha256: _Digest
    tokenizer: _Tokenizer
    inputs: _TextInputs
    max_tokens: int = Field(ge=3, le=8192)
    padding: Literal["longest", "max"] = "longest"
    pooling: Pooling
    output: str = Field(min_length=1)
    dim: _Dimension
    near_duplicate_cosine: _Cosine = 0.95
    same_text_cosine: _Cosine = 0.85

    @model_validator(mode="after")
    def _padding_can_be_told_apart(self) -> Self:
        if self.pooling == "mean" and self.inputs.mask is None:
            raise ValueError('pooling "mean" needs inputs.mask, or it averages the padding too')
        return self

    def card(self, id: str) -> TextCard:
        return TextCard(
            id=id,
            file=self.file,
            sha256=self.sha256,
            tokenizer_file=self.tokenizer.file,
            tokenizer_sha256=self.tokenizer.sha256,
            ids_input=self.inputs.ids,
            mask_input=self.inputs.mask,
            types_input=self.inputs.types,
            max_tokens=self.max_tokens,
            fixed_length=self.padding == "max",
            pooling=self.pooling,
            output_name=self.output,
            dimension=self.dim,
            near_duplicate_cosine=self.near_duplicate_cosine,
            same_text_cosine=self.same_text_cosine,
        )


class _Shared(_Strict):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}$")
    name: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    source: dict[str, Any]
    normalise: str = Field(pattern=r"^l2\b")
    metric: Literal["cosine"]

    @property
    def repository(self) -> str:
        return str(self.source.get("repository", ""))


class _TextDocument(_Shared):
    text: _Text

    def card(self) -> ModelCard:
        text = self.text.card(self.id)
        return ModelCard(
            self.id, self.name, self.licence, self.repository, text.dimension, None, text
        )


class _ImageDocument(_Shared):
    file: _OnnxFile
    sha256: _Digest
    input: _Input
    output: _Output
    near_duplicate_cosine: _NearDuplicate
    same_scene_cosine: _Cosine | None = None

    def card(self) -> ModelCard:
        return ModelCard.of_image(self._image())

    def _image(self) -> ImageCard:
        near = self.near_duplicate_cosine
        strict = near.at_0_01_percent_false_matches
        return ImageCard(
            id=self.id,
            name=self.name,
            file=self.file,
            sha256=self.sha256,
            licence=self.licence,
            source=self.repository,
            layout=self.input.layout,
            input_name=self.input.name,
            preprocessing=self.input.preprocessing(),
            output_name=self.output.name,
            dimension=self.output.dim,
            near_duplicate_cosine=strict,
            likeness_cosine=near.at_1_percent_false_matches,
            same_scene_cosine=self.same_scene_cosine or strict,
        )


class _DualDocument(_ImageDocument):
    text: _Text

    @field_validator("text")
    @classmethod
    def _both_share_a_space(cls, text: _Text, info: ValidationInfo) -> _Text:
        output = info.data.get("output")
        if output is not None and text.dim != output.dim:
            raise ValueError(f"dim must be that of output, {output.dim}, not {text.dim}")
        return text

    def card(self) -> ModelCard:
        return replace(super().card(), text=self.text.card(self.id))


_DOCUMENTS: dict[str, type[_TextDocument | _ImageDocument]] = {
    "image": _ImageDocument,
    "text": _TextDocument,
    "image_and_text": _DualDocument,
}


class _Modality(_Strict):
    modality: Literal["image", "text", "image_and_text"] = "image"


def _triple(values: list[float]) -> Triple:
    first, second, third = values
    return first, second, third
