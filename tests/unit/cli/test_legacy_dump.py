"""A dump of the older library's Redis: every key is accounted for."""

import json

from cli.legacy_dump import read_dump

DUMP = {
    "feedback:a1": {
        "id": "a1",
        "project_id": "p1",
        "source": "reddit",
        "external_id": "t3_x",
        "title": "Charged twice",
        "body": "Two debits",
        "metadata": '{"subreddit": "lumen", "score": 12, "tags": ["a"]}',
        "created_at": "2025-11-02T10:00:00",
        "clustered": "True",
    },
    # As a text, as the first version of it kept them.
    "feedback:b2": json.dumps({"source": "github", "title": "T", "body": "", "status": "closed"}),
    "feedback:c3": {"source": "manual", "title": "", "body": "None"},
    "feedback:d4": {"title": "T", "metadata": "[1]"},
    "feedback:e5": {"title": "T", "created_at": "yesterday"},
    "feedback:created": [["a1", 1762077600.0], ["b2", 1762077601.0]],
    "feedback:unclustered:p1": ["b2"],
    "feedback:source:reddit": ["a1"],
    "feedback:external:p1:reddit:t3_x": "a1",
    "cluster:k1": {"id": "k1", "title": "Money", "summary": "Double charges", "status": "new"},
    "cluster:k2": {"id": "k2", "title": "money", "issue_title": "Money"},
    "cluster:items:k1": ["a1", "gone"],
    "cluster:items:k3": [["b2", 1.0]],
    "cluster:items:k4": "a1",
    "clusters:all": ["k1", "k2"],
    "job:7": {"status": "done"},
    "config:reddit:subreddits:p1": '["lumen"]',
    "sessions:9": "x",
}


def test_feedback_becomes_items() -> None:
    dump = read_dump(DUMP)
    assert set(dump.items) == {"a1", "b2"}
    first, second = dump.items["a1"], dump.items["b2"]
    assert (first.source, first.external_id) == ("reddit", "t3_x")
    assert dict(first.metadata) == {"subreddit": "lumen", "score": "12", "tags": '["a"]'}
    assert first.source_time.ToJsonString() == "2025-11-02T10:00:00Z"
    assert not first.closed
    assert (second.external_id, second.closed) == ("legacy:b2", True)


def test_groups_have_titles_of_their_own() -> None:
    groups = {group.id: group for group in read_dump(DUMP).groups}
    assert [group.title for group in groups.values()] == ["Money", "Money (2)", "Group k3"]
    assert groups["k1"].members == ("a1", "gone")
    assert groups["k2"].members == ()
    assert groups["k3"].members == ("b2",)


def test_every_key_is_accounted_for() -> None:
    dump = read_dump(DUMP)
    assert dump.unknown == ["sessions:9"]
    assert dump.left_out == ["job:7", "config:reddit:subreddits:p1"]
    assert dump.missing == ["gone"]
    assert {key for key, _ in dump.broken} == {
        "feedback:c3",
        "feedback:d4",
        "feedback:e5",
        "cluster:items:k4",
    }
    hashes, sets = 2, 2
    counted = (
        len(dump.items)
        + hashes
        + sets
        + dump.derived
        + len(dump.left_out)
        + len(dump.unknown)
        + len(dump.broken)
    )
    assert counted == len(DUMP)


def test_an_empty_dump() -> None:
    assert read_dump({}).groups == []
