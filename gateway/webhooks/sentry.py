"""What Sentry tells of issues, and the alerts that its rules raise.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

from collections.abc import Iterator

from colonnade.clustering.v1.cluster_pb2 import Item

from gateway.webhooks.payloads import Payload, make_item

SOURCE = "sentry"
_OPEN = "unresolved"
# Of a stack trace: the frames nearest to the error.
_FRAMES = 5


def items_of(resource: str, payload: Payload) -> list[Item]:
    """The items that a message about a resource (``Sentry-Hook-Resource``) brings; none for one
    that is about no issue. Raises InvalidArgument."""
    match resource:
        case "issue":
            return [_issue(payload.inner("data").inner("issue"))]
        case "event_alert":
            return [_event(payload.inner("data"), "event")]
        case "error":
            return [_event(payload.inner("data"), "error")]
    return []


def _issue(issue: Payload) -> Item:
    meta = issue.inner("metadata") if "metadata" in issue else Payload({})
    lines = [
        issue.text("culprit"),
        ": ".join(part for part in (meta.text("type"), meta.text("value")) if part),
        " ".join(part for part in (meta.text("filename"), meta.text("function")) if part),
    ]
    return make_item(
        source=SOURCE,
        external_id=f"issue:{issue.required('id')}",
        title=issue.required("title"),
        body="\n".join(line for line in lines if line),
        url=issue.text("web_url") or issue.text("permalink"),
        metadata={
            "kind": "issue",
            "short_id": issue.text("shortId"),
            "level": issue.text("level"),
            "project": issue.inner("project").text("slug") if "project" in issue else "",
        },
        source_time=issue.time("firstSeen"),
        closed=(issue.text("status") or _OPEN) != _OPEN,
    )


def _event(data: Payload, name: str) -> Item:
    """An event counts as the issue that it belongs to, which is open, as it happened again."""
    event = data.inner(name)
    lines = [event.text("culprit"), event.text("message"), *_exceptions(event)]
    return make_item(
        source=SOURCE,
        external_id=f"issue:{event.required('issue_id')}",
        title=event.required("title"),
        body="\n".join(dict.fromkeys(line for line in lines if line)),
        url=event.text("web_url"),
        metadata={
            "kind": "issue",
            "level": event.text("level"),
            "platform": event.text("platform"),
            "environment": event.text("environment"),
            "rule": data.text("triggered_rule"),
        },
        source_time=event.time("datetime"),
        closed=False,
    )


def _exceptions(event: Payload) -> Iterator[str]:
    if "exception" not in event:
        return
    for exception in event.inner("exception").list("values"):
        yield f"{exception.text('type')}: {exception.text('value')}".strip(": ")
        if "stacktrace" not in exception:
            continue
        for frame in exception.inner("stacktrace").list("frames")[-_FRAMES:]:
            yield f"{frame.text('filename')} in {frame.text('function')}".strip()
