"""Requests are checked by the rules of their contracts, and every broken rule names its field."""

import pytest
from colonnade.catalog.v1.catalog_service_pb2 import CreatePillarRequest, GetPhotoRequest
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, Persona
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.scheduler.v1.post_pb2 import Post

from libs.errors import InvalidArgument
from libs.rpc.validation import RequestValidator

CHECK = RequestValidator()


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


def test_items_of_lists_are_numbered() -> None:
    assert fields_of(Post(hashtags=["#fine", "not fine"])) == ["hashtags[1]"]


def test_names_of_another_shape_are_refused() -> None:
    for name in ("", "photos/1", "personas/a/photos/1", "personas/a/photos/../x"):
        assert fields_of(GetPhotoRequest(name=name)) == ["name"]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (Persona(display_name="a\0b"), "display_name"),
        (Persona(caption_config=CaptionConfig(topics=["fine", "\0"])), "caption_config.topics"),
    ],
)
def test_a_text_with_nul_is_refused_before_a_database_would(message: Persona, path: str) -> None:
    assert fields_of(message) == [path]
