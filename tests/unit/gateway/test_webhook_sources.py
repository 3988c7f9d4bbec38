"""What recorded webhooks become: items, or nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from colonnade.clustering.v1.cluster_pb2 import Item
from google.protobuf.json_format import MessageToDict

from gateway.webhooks import github, plain, reddit, sentry
from gateway.webhooks.payloads import Payload
from libs.errors import InvalidArgument
from tests.support.webhooks import payload_of


def shown(item: Item) -> dict[str, Any]:
    return MessageToDict(item, preserving_proto_field_name=True)


def of_github(event: str, name: str, **changes: Any) -> list[Item]:
    return github.items_of(event, Payload(payload_of(name) | changes))


def test_an_issue_of_github() -> None:
    (item,) = of_github("issues", "github_issues_opened")
    assert shown(item) == {
        "source": "github",
        "external_id": "issue:2718281828",
        "title": "Upload of large videos stops at 99 percent",
        "body": "### What happens\r\nFiles over 2 GB never get through.",
        "url": "https://github.com/acme/lumen/issues/412",
        "repository": "acme/lumen",
        "metadata": {
            "kind": "issue",
            "number": "412",
            "author": "ada",
            "labels": "bug, uploads",
        },
        "source_time": "2026-03-04T09:15:00Z",
        "closed": False,
    }


@pytest.mark.parametrize(
    ("action", "state", "closed"),
    [
        ("closed", "closed", True),
        ("reopened", "open", False),
        ("edited", "closed", True),
        ("deleted", "open", True),
        ("transferred", "open", True),
    ],
)
def test_an_issue_that_is_closed_or_gone_closes_the_item(
    action: str, state: str, closed: bool
) -> None:
    payload = payload_of("github_issues_opened")
    payload["action"], payload["issue"]["state"] = action, state
    (item,) = github.items_of("issues", Payload(payload))
    assert item.closed is closed


def test_a_comment_of_github_carries_the_title_of_its_issue() -> None:
    (item,) = of_github("issue_comment", "github_issue_comment_created")
    assert item.external_id == "comment:1099511627776"
    assert item.title == "Upload of large videos stops at 99 percent"
    assert item.body == "Same here with a 4 GB file."
    assert not item.closed
    (gone,) = of_github("issue_comment", "github_issue_comment_created", action="deleted")
    assert gone.closed


def test_comments_on_pull_requests_are_no_feedback() -> None:
    payload = payload_of("github_issue_comment_created")
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/acme/lumen/pulls/412"}
    assert github.items_of("issue_comment", Payload(payload)) == []


@pytest.mark.parametrize("odd", [None, 7, True, "x", [None, 7, "x", []], {"name": []}])
def test_what_only_decorates_an_issue_is_left_out_where_it_is_odd(odd: Any) -> None:
    names = ("labels", "user", "html_url", "number", "created_at", "body", "state")
    for name in names:
        payload = payload_of("github_issues_opened")
        payload["issue"][name], payload["repository"] = odd, odd
        (item,) = github.items_of("issues", Payload(payload))
        assert (item.external_id, item.repository) == ("issue:2718281828", "")


def test_labels_that_can_be_read_are_kept() -> None:
    payload = payload_of("github_issues_opened")
    payload["issue"]["labels"] = [None, {"name": "bug"}, "x", {"name": None}, {"name": "uploads"}]
    (item,) = github.items_of("issues", Payload(payload))
    assert item.metadata["labels"] == "bug, uploads"


def test_a_closed_discussion() -> None:
    (item,) = of_github("discussion", "github_discussion_closed")
    assert (item.external_id, item.closed) == ("discussion:5772156", True)


def test_a_ping_and_events_about_other_things_bring_nothing() -> None:
    assert of_github("ping", "github_ping") == []
    assert of_github("push", "github_ping") == []


def test_authors_whose_account_is_gone() -> None:
    payload = payload_of("github_issues_opened")
    payload["issue"]["user"] = None
    (item,) = github.items_of("issues", Payload(payload))
    assert "author" not in item.metadata


def test_an_issue_of_sentry() -> None:
    (item,) = sentry.items_of("issue", Payload(payload_of("sentry_issue_created")))
    assert shown(item) == {
        "source": "sentry",
        "external_id": "issue:1170820242",
        "title": "DeadlockDetected: deadlock detected while waiting for ShareLock",
        "body": (
            "orders.tasks in settle\n"
            "DeadlockDetected: deadlock detected while waiting for ShareLock\n"
            "orders/tasks.py settle"
        ),
        "url": "https://acme.sentry.io/issues/1170820242/",
        "metadata": {
            "kind": "issue",
            "short_id": "LUMEN-2K",
            "level": "error",
            "project": "lumen",
        },
        "source_time": "2026-04-04T18:17:18.320Z",
        "closed": False,
    }


@pytest.mark.parametrize(
    ("status", "closed"), [("resolved", True), ("ignored", True), ("unresolved", False)]
)
def test_an_issue_of_sentry_is_open_while_unresolved(status: str, closed: bool) -> None:
    payload = payload_of("sentry_issue_created")
    payload["data"]["issue"]["status"] = status
    (item,) = sentry.items_of("issue", Payload(payload))
    assert item.closed is closed


def test_an_alert_of_sentry_is_about_its_issue() -> None:
    (item,) = sentry.items_of("event_alert", Payload(payload_of("sentry_event_alert")))
    assert item.external_id == "issue:1170820242"
    assert item.body.splitlines() == [
        "orders.tasks in settle",
        "DeadlockDetected: deadlock detected while waiting for ShareLock",
        "celery/app/trace.py in trace_task",
        "orders/tasks.py in settle",
    ]
    assert item.metadata["rule"] == "Deadlocks in production"
    assert not item.closed


@pytest.mark.parametrize("odd", [None, 7, True, "x", [], [None, 7, "x", {}], {"values": 3}])
def test_an_alert_is_taken_whatever_its_exceptions_are(odd: Any) -> None:
    payload = payload_of("sentry_event_alert")
    event = payload["data"]["event"]
    for place in ({"exception": odd}, {"exception": {"values": odd}}, {"culprit": odd}):
        changed = {"data": {**payload["data"], "event": event | place, "triggered_rule": odd}}
        (item,) = sentry.items_of("event_alert", Payload(changed))
        assert item.external_id == "issue:1170820242"


def test_the_exceptions_and_frames_that_can_be_read_are_kept() -> None:
    payload = payload_of("sentry_event_alert")
    frames = [None, {"filename": "a.py", "function": None}, "x", {"filename": "b.py"}, {}]
    payload["data"]["event"]["exception"] = {
        "values": [
            None,
            {"type": None, "value": "broken", "stacktrace": 3},
            {"type": "E", "value": ["x"], "stacktrace": {"frames": frames}},
        ]
    }
    (item,) = sentry.items_of("event_alert", Payload(payload))
    assert item.body.splitlines()[1:] == ["broken", "E", "a.py", "b.py"]


@pytest.mark.parametrize("name", ["issue_id", "title"])
def test_an_alert_without_an_id_or_a_title_is_refused(name: str) -> None:
    payload = payload_of("sentry_event_alert")
    payload["data"]["event"][name] = None
    with pytest.raises(InvalidArgument) as caught:
        sentry.items_of("event_alert", Payload(payload))
    assert caught.value.violations[0].field == f"data.event.{name}"


def test_what_sentry_tells_of_other_things_brings_nothing() -> None:
    payload = Payload(payload_of("sentry_issue_created"))
    assert sentry.items_of("installation", payload) == []
    assert sentry.items_of("comment", payload) == []


def test_a_listing_of_reddit() -> None:
    post, comment = reddit.items_of(Payload(payload_of("reddit_listing")))
    assert shown(post) == {
        "source": "reddit",
        "external_id": "t3_1abcde",
        "title": "Is anybody else charged twice?",
        "body": "My card shows two debits this month.",
        "url": "https://www.reddit.com/r/lumen/comments/1abcde/is_anybody_else_charged_twice/",
        "metadata": {"kind": "post", "subreddit": "lumen", "author": "someone", "flair": "Help"},
        "source_time": "2026-03-04T09:00:00Z",
        "closed": False,
    }
    assert (comment.external_id, comment.closed) == ("t1_kx9", True)


def test_a_single_thing_and_the_plain_shape_of_reddit() -> None:
    thing = payload_of("reddit_listing")["data"]["children"][0]
    assert [item.external_id for item in reddit.items_of(Payload(thing))] == ["t3_1abcde"]
    (item,) = reddit.items_of(Payload({"external_id": "x", "title": "T"}))
    assert (item.source, item.external_id, item.title) == ("reddit", "x", "T")


def test_the_plain_shape() -> None:
    first, second = plain.items_of("desk", Payload(payload_of("plain_items")))
    assert first.source == "desk"
    assert dict(first.metadata) == {"channel": "phone", "priority": "2"}
    assert first.source_time.ToDatetime(UTC) == datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
    assert not first.HasField("closed")
    assert second.closed


@pytest.mark.parametrize(
    ("event", "name", "field", "change"),
    [
        ("issues", "github_issues_opened", "issue", {"issue": None}),
        ("issues", "github_issues_opened", "issue.id", {"issue": {"title": "T"}}),
        ("issues", "github_issues_opened", "issue.title", {"issue": {"id": 1, "title": ""}}),
        ("issue_comment", "github_issue_comment_created", "comment", {"comment": "x"}),
    ],
)
def test_what_is_wrong_is_named(event: str, name: str, field: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        of_github(event, name, **change)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"titel": "T"}, "titel"),
        ({"title": ["T"]}, "title"),
        ({"title": "T", "source_time": "yesterday"}, "source_time"),
        ({"title": "T", "closed": "no"}, "closed"),
        ({"items": [{"title": "T"}, 7]}, "items[1]"),
        ({"items": [{"title": "T", "metadata": {"a": []}}]}, "items[0].metadata.a"),
        ({"items": [], "title": "T"}, "title"),
        ({"items": [{"title": "T"}] * 501}, "items"),
    ],
)
def test_what_is_wrong_with_the_plain_shape_is_named(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        plain.items_of("desk", Payload(payload))
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b"null"])
def test_a_body_that_is_no_json_object(body: bytes) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Payload.of_body(body)
    assert caught.value.violations[0].field == "body"


def test_what_is_too_long_is_cut_for_those_who_cannot_know() -> None:
    payload = payload_of("github_issues_opened")
    payload["issue"]["title"] = "x" * 900
    payload["issue"]["labels"] = [{"name": "l" * 600}, {"name": "m" * 600}]
    (item,) = github.items_of("issues", Payload(payload))
    assert (len(item.title), len(item.metadata["labels"])) == (500, 1000)
