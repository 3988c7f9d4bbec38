"""What an update changes, and what it may not."""

import pytest
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.catalog.v1.pillar_pb2 import Guidelines, Pillar
from google.protobuf.field_mask_pb2 import FieldMask

from libs.errors import InvalidArgument
from libs.rpc.masks import clear_output_only, merged

CURRENT = Pillar(
    name="personas/a/pillars/b",
    display_name="Coffee",
    weight=40,
    guidelines=Guidelines(tone="warm", topics=["latte", "beans"]),
    photo_count=7,
    etag="3",
)


def test_without_a_mask_what_is_set_changes() -> None:
    result = merged(CURRENT, Pillar(display_name="Tea"), FieldMask(), "pillar")
    assert (result.display_name, result.weight) == ("Tea", 40)


def test_a_masked_field_can_be_emptied() -> None:
    result = merged(CURRENT, Pillar(), FieldMask(paths=["weight", "guidelines"]), "pillar")
    assert (result.weight, result.HasField("guidelines")) == (0, False)
    assert result.display_name == "Coffee"


def test_a_mask_reaches_inside_and_replaces_lists() -> None:
    patch = Pillar(guidelines=Guidelines(topics=["tea"]))
    result = merged(CURRENT, patch, FieldMask(paths=["guidelines.topics"]), "pillar")
    assert (result.guidelines.tone, list(result.guidelines.topics)) == ("warm", ["tea"])


def test_a_mask_empties_what_lies_inside_something_that_is_not_sent() -> None:
    result = merged(CURRENT, Pillar(), FieldMask(paths=["guidelines.topics"]), "pillar")
    assert (result.guidelines.tone, list(result.guidelines.topics)) == ("warm", [])
    result = merged(CURRENT, Pillar(), FieldMask(paths=["guidelines.tone"]), "pillar")
    assert (result.guidelines.tone, list(result.guidelines.topics)) == ("", ["latte", "beans"])


def test_a_star_replaces_all_that_can_change() -> None:
    result = merged(CURRENT, Pillar(display_name="Tea"), FieldMask(paths=["*"]), "pillar")
    assert (result.display_name, result.weight, result.photo_count) == ("Tea", 0, 7)
    assert (result.name, result.etag) == (CURRENT.name, "3")


def test_output_only_fields_are_ignored() -> None:
    patch = Pillar(photo_count=99, display_name="Tea")
    result = merged(CURRENT, patch, FieldMask(paths=["photo_count", "display_name"]), "pillar")
    assert (result.photo_count, result.display_name) == (7, "Tea")


def test_an_unknown_path_is_named_with_those_that_exist() -> None:
    with pytest.raises(InvalidArgument, match=r"no field 'colour'; fields that can change: disp"):
        merged(CURRENT, Pillar(), FieldMask(paths=["colour"]), "pillar")
    with pytest.raises(InvalidArgument, match=r"guidelines\.mood"):
        merged(CURRENT, Pillar(), FieldMask(paths=["guidelines.mood"]), "pillar")


def test_an_immutable_field_may_be_repeated_but_not_changed() -> None:
    photo = Photo(name="personas/a/photos/b", pillar="personas/a/pillars/b")
    assert merged(photo, Photo(pillar=photo.pillar), FieldMask(), "photo") == photo
    with pytest.raises(InvalidArgument) as raised:
        merged(photo, Photo(pillar="personas/a/pillars/c"), FieldMask(), "photo")
    assert raised.value.violations[0].field == "photo.pillar"


def test_clear_output_only_works_at_every_depth() -> None:
    photo = Photo(tags=["a"], sha256="00")
    photo.analysis.measures.add(id="sharpness")
    assert clear_output_only(photo) == Photo(tags=["a"])
