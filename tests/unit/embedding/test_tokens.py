"""Tokenizers: the same tokens as the ``tokenizers`` library gives, and refusal of unknown rules.

``tokens.json`` holds three small tokenizers of the kinds of BERT, CLIP and SigLIP, trained with
that library (0.23.3) on a page of the documentation, and what it made of the texts there.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from libs.errors import FailedPrecondition
from services.embedding.tokens.tokenizer import Tokenizer, read_tokenizer

GOLDEN: dict[str, Any] = json.loads(
    Path(__file__).with_name("tokens.json").read_text(encoding="utf-8")
)
KINDS: dict[str, Any] = GOLDEN["kinds"]


def written(folder: Path, rules: dict[str, Any]) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(rules), encoding="utf-8")
    return path


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def tokenizer(folder: Path, kind: str, max_tokens: int = 1000) -> Tokenizer:
    return read_tokenizer(written(folder, KINDS[kind]["rules"]), max_tokens)


def test_tokens_are_those_of_the_library(tmp_path: Path, kind: str) -> None:
    reader = tokenizer(tmp_path, kind)
    for text, ids in zip(GOLDEN["texts"], KINDS[kind]["ids"], strict=True):
        found = reader.encode(text)
        assert found.ids == ids, text
        assert not found.truncated


def test_a_long_text_is_cut_inside_its_frame_and_says_so(tmp_path: Path, kind: str) -> None:
    whole = tokenizer(tmp_path, kind).encode("a dog on the beach " * 20).ids
    cut = tokenizer(tmp_path, kind, 16).encode("a dog on the beach " * 20)
    assert (len(cut.ids), cut.truncated) == (16, True)
    assert cut.ids[:15] == whole[:15]
    assert cut.ids[-1] == whole[-1]


def test_a_text_that_just_fits_is_not_cut(tmp_path: Path, kind: str) -> None:
    ids = tokenizer(tmp_path, kind).encode("a dog").ids
    found = tokenizer(tmp_path, kind, len(ids)).encode("a dog")
    assert (found.ids, found.truncated) == (ids, False)
    assert tokenizer(tmp_path, kind, len(ids) - 1).encode("a dog").truncated


def test_what_people_write_is_never_a_special_token(tmp_path: Path) -> None:
    reader = tokenizer(tmp_path, "clip")
    start, end = reader.encode("").ids
    assert reader.encode("<|startoftext|>").ids[1:-1].count(start) == 0
    assert reader.encode("").ids == [start, end]


def test_what_shorter_texts_are_filled_with(tmp_path: Path) -> None:
    rules = KINDS["siglip"]["rules"]
    assert tokenizer(tmp_path, "siglip").padding == 0
    assert read_tokenizer(written(tmp_path, {**rules, "padding": {"pad_id": 7}}), 9).padding == 7
    assert tokenizer(tmp_path, "clip").padding == 1


@pytest.mark.parametrize(
    ("part", "rules", "text"),
    [
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": ""}, "'Precompiled'"),
        ("pre_tokenizer", {"type": "UnicodeScripts"}, "'UnicodeScripts'"),
        ("model", {"type": "WordLevel", "vocab": {}}, "'WordLevel'"),
        ("post_processor", {"type": "Sequence", "processors": []}, "'Sequence'"),
        ("model", {"type": "WordPiece"}, "vocab"),
        (
            "pre_tokenizer",
            {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Removed"},
            "is not understood",
        ),
        (
            "pre_tokenizer",
            {"type": "Split", "pattern": {"String": "-"}, "behavior": "MergedWithNext"},
            "MergedWithNext",
        ),
    ],
)
def test_unknown_rules_are_refused_by_name(
    tmp_path: Path, part: str, rules: dict[str, Any], text: str
) -> None:
    path = written(tmp_path, {**KINDS["bert"]["rules"], part: rules})
    with pytest.raises(FailedPrecondition, match=text) as raised:
        read_tokenizer(path, 10)
    assert raised.value.reason == "MODEL_NOT_READY"


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(b"\x00")
    with pytest.raises(FailedPrecondition, match=r"tokenizer\.json cannot be used"):
        read_tokenizer(path, 10)
    with pytest.raises(FailedPrecondition, match=r"absent\.json"):
        read_tokenizer(tmp_path / "absent.json", 10)


def test_bytes_stand_for_what_no_piece_holds(tmp_path: Path) -> None:
    rules = {
        "model": {
            "type": "BPE",
            "vocab": {"a": 0, "<0xC3>": 1, "<0xA9>": 2, "<unk>": 3},
            "merges": [],
            "unk_token": "<unk>",
            "byte_fallback": True,
        }
    }
    reader = read_tokenizer(written(tmp_path, rules), 10)
    assert reader.encode("aé").ids == [0, 1, 2]
    assert reader.encode("ax").ids == [0, 3]
