"""Edits are remembered as they were, and taken back in time and in order."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.errors import FailedPrecondition
from services.clustering.domain.cluster import Hero, HeroPart
from services.clustering.domain.edit import (
    Before,
    Edit,
    EditKind,
    Place,
    Refusal,
    RefusalKind,
    require_undoable,
)
from tests.support.clustering.photos import NOON

EDIT = Edit("id", "personas/nora", EditKind.MERGE, ("a", "b"), 3, NOON)


def test_how_it_was_survives_being_stored() -> None:
    before = Before(
        clusters={"a": {"title": "Old", "title_pinned": False}},
        heroes={"a": Hero("x", 0.5, (HeroPart("quality", 0.5, 1.0),), pinned=True), "b": None},
        places=(Place("x", "a", 0.9), Place("y", "b", None, "x", locked=True)),
        outside=("z",),
        added=(Refusal("a", "x", RefusalKind.HERO),),
        removed=(Refusal("b", "y", RefusalKind.MEMBER),),
        made="c",
    )
    assert Before.from_json(json.loads(json.dumps(before.to_json()))) == before
    assert before.items == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("edit", "later", "hours", "reason"),
    [
        (replace(EDIT, undo_time=NOON), None, 1, "EDIT_UNDONE"),
        (EDIT, None, 24.001, "EDIT_EXPIRED"),
        (EDIT, "personas/nora/clusterEdits/x", 1, "EDIT_OVERLAID"),
    ],
)
def test_what_cannot_be_undone(edit: Edit, later: str | None, hours: float, reason: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        require_undoable(edit, later, NOON + timedelta(hours=hours))
    assert caught.value.reason == reason


def test_it_can_be_undone_until_the_last_moment() -> None:
    require_undoable(EDIT, None, EDIT.expire_time)
