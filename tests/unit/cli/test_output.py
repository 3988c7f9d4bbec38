"""What is printed for people and for programs."""

import json
from datetime import UTC, datetime

import pytest
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoEmbedding
from google.protobuf.timestamp_pb2 import Timestamp

from cli.names import below, persona_name, split_list
from cli.output import print_json, table, timestamp, when, word


def test_json_has_every_scalar_and_keeps_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Persona(name="personas/zoe", display_name="Zoé 🏖")])
    printed = capsys.readouterr().out
    (persona,) = json.loads(printed)
    assert (persona["name"], persona["displayName"]) == ("personas/zoe", "Zoé 🏖")
    assert persona["voice"] == "", "what is empty is there, so that programs need no defaults"
    assert "Zoé 🏖" in printed


def test_a_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table("Files", ("file", "#size"), [("[red] (1).jpg", 3)])
    assert "[red] (1).jpg" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("enum", "value", "expected"),
    [
        (Photo.Usage, Photo.USAGE_UNUSED, "unused"),
        (PhotoEmbedding.State, PhotoEmbedding.STATE_READY, "ready"),
        (PhotoEmbedding.State, 0, "unspecified"),
    ],
)
def test_enums_are_words(enum: object, value: int, expected: str) -> None:
    assert word(enum, value) == expected


def test_times_are_those_of_this_machine_and_none_is_a_dash() -> None:
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert when(timestamp(noon)) == noon.astimezone().strftime("%Y-%m-%d %H:%M")
    assert when(None) == when(Timestamp()) == "-"


def test_short_names_stand_for_long_ones() -> None:
    assert persona_name("nora") == persona_name("personas/nora") == "personas/nora"
    assert below("personas/nora", "pillars", "sea") == "personas/nora/pillars/sea"
    assert below("personas/nora", "pillars", "personas/x/pillars/y") == "personas/x/pillars/y"


def test_lists_may_be_repeated_or_have_commas() -> None:
    assert split_list(["a, b", "c", " ,"]) == ["a", "b", "c"]
