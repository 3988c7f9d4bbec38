"""Requests are checked by the rules of their contracts, and every broken rule names its field."""

import re
from pathlib import Path

import pytest
from colonnade.catalog.v1.catalog_service_pb2 import (
    CreatePersonaRequest,
    CreatePillarRequest,
    GetPhotoRequest,
)
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.catalog.v1.planning_service_pb2 import GetSuggestionBatchRequest
from colonnade.clustering.v1.cluster_pb2 import Item
from colonnade.clustering.v1.item_service_pb2 import BatchCreateItemsRequest, CreateItemRequest
from colonnade.scheduler.v1.post_pb2 import Post, Publication
from google.protobuf.message import Message

from libs.errors import InvalidArgument
from libs.rpc.patterns import in_words
from libs.rpc.validation import RequestValidator

CHECK = RequestValidator()
PROTOS = Path(__file__).parents[3] / "protos" / "colonnade"
PATTERNS = {
    bytes(pattern, "utf-8").decode("unicode_escape")
    for file in PROTOS.rglob("*.proto")
    for pattern in re.findall(r'pattern(?: =|:) "(\^[^"]*)"', file.read_text())
}


def fields_of(message: object) -> list[str]:
    with pytest.raises(InvalidArgument) as raised:
        CHECK(message)  # type: ignore[arg-type]
    return [violation.field for violation in raised.value.violations]


def test_a_good_message_passes() -> None:
    CHECK(CreatePillarRequest(parent="personas/nora", pillar=Pillar(display_name="Coffee")))


def test_every_broken_rule_names_its_field() -> None:
    request = CreatePillarRequest(
        parent="personas/Nora", pillar_id="9", pillar=Pillar(weight=101, priority=6)
    )
    assert fields_of(request) == ["parent", "pillar_id", "pillar.weight", "pillar.priority"]


def test_what_a_service_looks_at_one_by_one_is_left_to_it() -> None:
    spoiled = Item(source="notes", title="spo\0iled")
    assert fields_of(CreateItemRequest(parent="projects/radar", item=spoiled)) == ["item.title"]
    CHECK(BatchCreateItemsRequest(parent="projects/radar", items=[spoiled]))


def test_items_of_lists_are_numbered() -> None:
    assert fields_of(Post(hashtags=["#fine", "not fine"])) == ["hashtags[1]"]
    post = Post(publications=[Publication(), Publication(permalink="spo\0iled")])
    assert fields_of(post) == ["publications[1].permalink"]


def test_names_of_another_shape_are_refused() -> None:
    for name in ("", "photos/1", "personas/a/photos/1", "personas/a/photos/../x"):
        assert fields_of(GetPhotoRequest(name=name)) == ["name"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            GetPhotoRequest(name="personas/a/photos/nope"),
            "name: must be a name such as personas/{persona}/photos/{photo}, "
            "not 'personas/a/photos/nope'",
        ),
        (
            GetSuggestionBatchRequest(name="x"),
            "name: must be a name such as "
            "personas/{persona}/suggestionBatches/{suggestion_batch}, not 'x'",
        ),
        (
            CreatePersonaRequest(persona_id="9", persona=Persona()),
            "persona_id: must be 1 to 63 lower-case letters, digits and hyphens, "
            "starting with a letter, not '9'",
        ),
    ],
)
def test_patterns_are_told_in_words(message: Message, words: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        CHECK(message)
    assert raised.value.message == words


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_every_pattern_of_the_contracts_has_words(pattern: str) -> None:
    assert in_words(pattern), pattern


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (Persona(display_name="a\0b"), "display_name"),
        (Persona(caption_config=CaptionConfig(topics=["fine", "\0"])), "caption_config.topics[1]"),
    ],
)
def test_a_text_with_nul_is_refused_before_a_database_would(message: Persona, path: str) -> None:
    assert fields_of(message) == [path]
