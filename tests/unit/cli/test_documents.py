"""JSON files: what is in them, and what is wrong with them, by place."""

import json
from pathlib import Path

import pytest
from colonnade.catalog.v1.campaign_pb2 import Campaign
from hypothesis import given
from hypothesis import strategies as st

from cli.documents import read_message
from libs.errors import InvalidArgument, Violation


def read(folder: Path, text: str) -> Campaign:
    file = folder / "plan.json"
    file.write_text(text)
    return read_message(file, Campaign(), "campaign")


def refused(folder: Path, text: str) -> list[Violation]:
    with pytest.raises(InvalidArgument) as raised:
        read(folder, text)
    return list(raised.value.violations)


def test_both_spellings_of_a_field_are_read(tmp_path: Path) -> None:
    time = "2026-03-20T07:30:00+01:00"
    campaign = read(
        tmp_path,
        f'{{"displayName": "A", "posts": [{{"scheduledTime": "{time}"}},'
        f' {{"scheduled_time": "{time}"}}]}}',
    )
    assert campaign.display_name == "A"
    assert [post.scheduled_time.ToJsonString() for post in campaign.posts] == [
        "2026-03-20T06:30:00Z"
    ] * 2


def test_every_unknown_field_is_told_by_its_path(tmp_path: Path) -> None:
    wrong = refused(
        tmp_path,
        '{"name": "", "title": 1, "posts": [{"pillar": "x"}, {"when": "now", "Title": 1}]}',
    )
    assert [violation.field for violation in wrong] == [
        "campaign.title",
        "campaign.posts[1].when",
        "campaign.posts[1].Title",
    ]


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('{"displayName": "A"', "plan.json", "line 1, column"),
        ("", "plan.json", "is not JSON"),
        ('{"displayName": 5}', "campaign.displayName", "expected string"),
        ('{"posts": [{}, {"scheduledTime": "soon"}]}', "campaign.posts[1].scheduledTime", "zone"),
        ('{"posts": [{"hashtags": "a"}]}', "campaign.posts[0].hashtags", "must be in []"),
        ('{"posts": "none"}', "campaign.posts", "must be a list in brackets"),
        ('{"posts": ["none"]}', "campaign.posts[0]", "must be an object in braces"),
        ("[]", "campaign", "must be an object in braces"),
        ("null", "campaign", "not null"),
    ],
)
def test_what_cannot_be_read_says_where(tmp_path: Path, text: str, field: str, words: str) -> None:
    (violation,) = refused(tmp_path, text)
    assert violation.field == field
    assert words in violation.description
    assert "Failed to parse" not in violation.description


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes('{"displayName": "Café"}'.encode("latin-1"))
    with pytest.raises(InvalidArgument, match=r"plan\.json: is not UTF-8"):
        read_message(file, Campaign(), "campaign")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["posts", "displayName", "hashtags", "scheduledTime", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_document_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    folder = tmp_path_factory.mktemp("json")
    try:
        read(folder, json.dumps(document))
    except InvalidArgument as error:
        assert error.violations
