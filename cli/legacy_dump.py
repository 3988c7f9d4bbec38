"""What a dump of the older library's Redis holds: feedback and the groups that it was in.

A dump is one JSON object of keys and values: a hash is an object (of texts, as Redis has them) or
the text of one, a set or sorted set is a list.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from colonnade.clustering.v1.cluster_pb2 import Item

SOURCE = "legacy"
_FEEDBACK, _CLUSTER, _MEMBERS = "feedback:", "cluster:", "cluster:items:"
# What follows from the rest: lists of ids.
_DERIVED = (
    "feedback:created",
    "feedback:unclustered",
    "feedback:source:",
    "feedback:external:",
    "clusters:all",
    "cluster:all",
)
# What has no place here.
_LEFT_OUT = ("job:", "jobs:", "cluster:jobs:", "config:", "user:", "project:")
_TITLE, _LONGEST_TITLE, _LONGEST_SUMMARY = 500, 100, 300
_LONGEST_VALUE, _MOST_VALUES = 1000, 50


@dataclass(frozen=True, slots=True)
class LegacyGroup:
    """A group of the older library and the ids of the feedback that is in it."""

    id: str
    title: str
    summary: str
    members: tuple[str, ...]


@dataclass(slots=True)
class LegacyDump:
    """What was found. ``broken`` are keys that cannot be read and why; ``missing`` are members of
    groups that the dump lacks."""

    items: dict[str, Item] = field(default_factory=dict)
    groups: list[LegacyGroup] = field(default_factory=list)
    derived: int = 0
    left_out: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def read_dump(document: Mapping[str, Any]) -> LegacyDump:
    """What is in a dump. Every key is accounted for."""
    dump = LegacyDump()
    members: dict[str, tuple[str, ...]] = {}
    groups: dict[str, Mapping[str, Any]] = {}
    for key, value in document.items():
        try:
            if key.startswith(_DERIVED):
                dump.derived += 1
            elif key.startswith(_LEFT_OUT):
                dump.left_out.append(key)
            elif key.startswith(_MEMBERS):
                members[key.removeprefix(_MEMBERS)] = tuple(_ids(value))
            elif key.startswith(_FEEDBACK):
                dump.items[key.removeprefix(_FEEDBACK)] = _item(key, _hash(value))
            elif key.startswith(_CLUSTER):
                groups[key.removeprefix(_CLUSTER)] = _hash(value)
            else:
                dump.unknown.append(key)
        except ValueError as error:
            dump.broken.append((key, str(error)))
    # Sets without the hash of their group: its title is lost, not what was in it.
    titles: Counter[str] = Counter()
    for id in [*groups, *(id for id in members if id not in groups)]:
        found = members.get(id, ())
        dump.groups.append(_group(id, groups.get(id, {}), found, titles))
        dump.missing += [member for member in found if member not in dump.items]
    return dump


def _item(key: str, row: Mapping[str, Any]) -> Item:
    id = key.removeprefix(_FEEDBACK)
    title, body = _text(row, "title"), _text(row, "body") or _text(row, "raw_text")
    if not title and not body:
        raise ValueError("has neither title nor body")
    item = Item(
        source=_text(row, "source") or SOURCE,
        external_id=_text(row, "external_id") or f"legacy:{id}",
        title=title[:_TITLE],
        body=body,
        url=_text(row, "url") or _text(row, "github_issue_url"),
        repository=_text(row, "repo"),
        metadata=dict(_metadata(row)),
        closed=_text(row, "status") == "closed",
    )
    if made := _text(row, "created_at"):
        moment = datetime.fromisoformat(made)
        item.source_time.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return item


def _metadata(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What else its source told, as far as there is room."""
    given = row.get("metadata") or {}
    if isinstance(given, str):
        given = json.loads(given)
    if not isinstance(given, dict):
        raise ValueError("metadata is no object")
    for name, value in list(given.items())[:_MOST_VALUES]:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name[:64], text[:_LONGEST_VALUE]


def _group(
    id: str, row: Mapping[str, Any], members: tuple[str, ...], titles: Counter[str]
) -> LegacyGroup:
    """A group; of those with one title, all but the first get a number."""
    title = (_text(row, "issue_title") or _text(row, "title") or f"Group {id[:8]}").strip()
    title = title[:_LONGEST_TITLE]
    titles[title.casefold()] += 1
    if (number := titles[title.casefold()]) > 1:
        mark = f" ({number})"
        title = title[: _LONGEST_TITLE - len(mark)] + mark
    summary = _text(row, "summary") or _text(row, "issue_description")
    return LegacyGroup(id, title, summary[:_LONGEST_SUMMARY], members)


def _hash(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        value = json.loads(value)
    if not isinstance(value, dict):
        raise ValueError("is no hash")
    return value


def _ids(value: Any) -> Iterator[str]:
    """The members of a set, or of a sorted set with or without its scores."""
    if not isinstance(value, list):
        raise ValueError("is no set")
    for each in value:
        yield str(each[0] if isinstance(each, list) and each else each)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None or value == "None" else str(value)
