"""Model cards: what is read, what is refused, and what changes a fingerprint."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.embedding.card import TextCard
from services.embedding.card_file import parse_card, read_card
from services.embedding.recipes import descriptor_recipe, lite0_recipe
from tests.support.shared import SHARED, needs_shared
from tests.unit.embedding.cards import card, document, dual, parsed, text_only


def test_a_card_tells_all_about_its_model() -> None:
    model = card()
    assert (model.id, model.revision, model.dimension) == ("test-model", "0123456789ab", 4)
    assert (model.input_name, model.output_name) == ("input", "embedding")
    assert (model.source, model.licence, model.layout) == ("own work", "CC0-1.0", "NCHW")
    assert (model.likeness_cosine, model.near_duplicate_cosine) == (0.5, 0.8)
    assert model.same_scene_cosine == 0.7
    assert model.preprocessing.size == (32, 24)
    assert (model.preprocessing.mode, model.preprocessing.filter) == ("stretch", "bicubic")


def test_without_a_threshold_for_scenes_the_one_for_copies_holds() -> None:
    assert card(same_scene_cosine=None).same_scene_cosine == 0.8


@pytest.mark.parametrize(
    ("change", "value", "field"),
    [
        ("id", "Not An Id", "card.id"),
        ("sha256", "abc", "card.sha256"),
        ("file", "../elsewhere.onnx", "card.file"),
        ("file", "model.pth", "card.file"),
        ("metric", "euclidean", "card.metric"),
        ("normalise", "none", "card.normalise"),
        ("modality", "smell", "card.modality"),
        ("input__std", [1.0, 0.0, 1.0], "card.input.std.1"),
        ("input__mean", [1.0, 2.0], "card.input.mean"),
        ("input__layout", "HWC", "card.input.layout"),
        ("input__layout", "NHWC", "card.input"),
        ("input__value_range", "-1..1", "card.input.value_range"),
        ("input__colour", "BGR", "card.input.colour"),
        ("input__shape", [1, 3, 24, 32], "card.input.shape"),
        ("input__shape", ["N", 3, 32, 24], "card.input"),
        ("input__resize__mode", "letterbox", "card.input.resize.mode"),
        ("input__resize__fill", [0.0, 0.0, 256.0], "card.input.resize.fill.2"),
        ("input__resize__size", [32], "card.input.resize.size"),
        ("output__dim", 0, "card.output.dim"),
        ("output__dtype", "uint8", "card.output.dtype"),
        ("near_duplicate_cosine__at_1_percent_false_matches", 1.5, "card.near_duplicate_cosine"),
    ],
)
def test_each_wrong_field_is_named(change: str, value: Any, field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        card(**{change: value})
    assert raised.value.reason == "INVALID_MODEL_CARD"
    assert any(violation.field.startswith(field) for violation in raised.value.violations)
    assert field in raised.value.message


def test_all_wrong_fields_are_named_at_once() -> None:
    wrong = document(id="", metric="none")
    del wrong["output"]
    with pytest.raises(InvalidArgument) as raised:
        parse_card(json.dumps(wrong))
    fields = {violation.field for violation in raised.value.violations}
    assert fields == {"card.id", "card.metric", "card.output"}


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="model card is wrong"):
        parse_card(b"PK\x03\x04")


def test_a_missing_card_is_a_precondition(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"absent\.json"):
        read_card(tmp_path / "absent.json")


def test_the_fingerprint_depends_on_all_that_changes_pixels_and_on_nothing_else() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"input__resize__mode": "centre_crop"},
        {"input__resize__mode": "pad"},
        {"input__resize__mode": "pad", "input__resize__fill": [127.0, 127.0, 127.0]},
        {"input__resize__filter": "bilinear"},
        {"input__resize__short_side": 40},
        {"input__resize__size": [24, 32], "input__shape": ["N", 3, 32, 24]},
        {"input__mean": [127.5, 127.5, 127.0]},
        {"input__std": [128.0, 127.5, 127.5]},
    ]
    prints = [card(**change).preprocessing.fingerprint for change in changes]
    assert len(set(prints)) == len(prints)
    assert card(sha256="f" * 64, id="other").preprocessing.fingerprint == prints[0]
    assert card().fingerprint == prints[0]
    assert card(output__name="pooled").fingerprint not in prints
    assert card(input__resize__fill=[9.0, 9.0, 9.0]).preprocessing.fingerprint == prints[0]


def test_fingerprints_of_the_built_in_models_change_only_on_purpose() -> None:
    # Whoever changes one of these makes every stored vector incomparable with new ones.
    cards = [
        parsed({**recipe.card, "sha256": "0" * 64})
        for recipe in (lite0_recipe(Path("unused")), descriptor_recipe())
    ]
    assert [each.fingerprint for each in cards] == ["de10a2527c56", "ae4b5ae67dec"]


@needs_shared
@pytest.mark.parametrize(
    ("name", "dimension", "near"),
    [
        ("handcrafted714", 714, 0.98),
        ("mobilenet-edgetpu-1.0-224", 1280, 0.648),
        ("mobilenet-v2-1.0-224", 1280, 0.689),
        ("squeezenet-1.1-224", 512, 0.787),
    ],
)
def test_the_shared_cards_load_as_they_are(name: str, dimension: int, near: float) -> None:
    model = read_card(SHARED / "models" / f"{name}.json").image
    assert model is not None
    assert (model.id, model.dimension, model.near_duplicate_cosine) == (name, dimension, near)


def test_values_from_0_to_1_and_pixels_mean_the_same() -> None:
    rules = card(
        input__value_range="0..1 after division by 255",
        input__mean=[0.5, 0.5, 0.5],
        input__std=[0.5, 0.5, 0.5],
    ).preprocessing
    assert rules == card().preprocessing


def test_channels_may_come_last() -> None:
    model = card(input__layout="NHWC", input__shape=["N", 24, 32, 3])
    assert (model.layout, model.preprocessing.size) == ("NHWC", (32, 24))


def test_a_model_for_both_is_known_by_its_images() -> None:
    model = parsed(dual())
    assert model.image == card()
    assert isinstance(model.text, TextCard)
    assert (model.revision, model.fingerprint) == (
        card().revision,
        card().preprocessing.fingerprint,
    )
    assert set(model.files) == {"test-model.onnx", "test-text.onnx", "tokenizer.json"}
    better = parsed(dual(text__sha256="ef" * 32))
    assert (better.revision, better.fingerprint) == (model.revision, model.fingerprint)


def test_a_model_for_texts_is_known_by_its_texts() -> None:
    model = parsed(text_only())
    assert isinstance(model.text, TextCard)
    assert (model.image, model.dimension, model.revision) == (None, 4, "ab" * 6)
    assert model.fingerprint == model.text.fingerprint
    assert model.text.tokenizer_sha256 == "cd" * 32


def test_the_fingerprint_of_texts_depends_on_all_that_changes_tokens() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"text__tokenizer": {"file": "tokenizer.json", "sha256": "ef" * 32}},
        {"text__max_tokens": 64},
        {"text__padding": "max"},
        {"text__pooling": "cls"},
        {"text__inputs": {"ids": "input_ids"}},
        {"text__output": "pooled"},
    ]
    prints = [parsed(text_only(**change)).fingerprint for change in changes]
    assert len(set(prints)) == len(prints)
    assert parsed(text_only(text__file="other.onnx", id="other")).fingerprint == prints[0]


@pytest.mark.parametrize(
    ("change", "value", "field"),
    [
        ("text__file", "text.bin", "card.text.file"),
        ("text__tokenizer", {"file": "../tokenizer.json", "sha256": "cd" * 32}, "card.text"),
        ("text__tokenizer", {"file": "tokenizer.json", "sha256": ""}, "card.text.tokenizer"),
        ("text__pooling", "max", "card.text.pooling"),
        ("text__max_tokens", 1, "card.text.max_tokens"),
        ("text__inputs", {"mask": "attention_mask"}, "card.text.inputs.ids"),
        ("text__dim", 5, "card.text"),
    ],
)
def test_each_wrong_field_of_texts_is_named(change: str, value: Any, field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        parsed(dual(**{change: value}))
    assert raised.value.reason == "INVALID_MODEL_CARD"
    assert any(violation.field.startswith(field) for violation in raised.value.violations)


def test_averaging_needs_to_know_the_padding() -> None:
    with pytest.raises(InvalidArgument, match=r"needs inputs\.mask"):
        parsed(text_only(text__pooling="mean", text__inputs={"ids": "input_ids"}))


def test_a_model_for_both_needs_both() -> None:
    half = dual()
    del half["text"]
    with pytest.raises(InvalidArgument, match=r"card\.text"):
        parsed(half)


def test_the_card_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```jsonc\n(.*?)```", page, re.DOTALL)
    plain = re.sub(r"(^|\s)//.*", "", shown).replace("<64 hexadecimal digits>", "ab" * 32)
    model = parsed(json.loads(plain))
    assert (model.id, model.dimension) == ("clip-vit-base-patch32", 512)
    assert isinstance(model.text, TextCard)
