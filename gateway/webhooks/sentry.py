"""What Sentry tells of issues, and the alerts that its rules raise.

Ids and titles must be there; what only decorates is left out where it is not as it should be.
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
    meta = issue.part("metadata")
    lines = [
        issue.told("culprit"),
        ": ".join(part for part in (meta.told("type"), meta.told("value")) if part),
        " ".join(part for part in (meta.told("filename"), meta.told("function")) if part),
    ]
    return make_item(
        source=SOURCE,
        external_id=f"issue:{issue.required('id')}",
        title=issue.required("title"),
        body="\n".join(line for line in lines if line),
        url=issue.told("web_url") or issue.told("permalink"),
        metadata={
            "kind": "issue",
            "short_id": issue.told("shortId"),
            "level": issue.told("level"),
            "project": issue.part("project").told("slug"),
        },
        source_time=issue.told_time("firstSeen"),
        closed=(issue.told("status") or _OPEN) != _OPEN,
    )


def _event(data: Payload, name: str) -> Item:
    """An event counts as the issue that it belongs to, which is open, as it happened again."""
    event = data.inner(name)
    lines = [event.told("culprit"), event.told("message"), *_exceptions(event)]
    return make_item(
        source=SOURCE,
        external_id=f"issue:{event.required('issue_id')}",
        title=event.required("title"),
        body="\n".join(dict.fromkeys(line for line in lines if line)),
        url=event.told("web_url"),
        metadata={
            "kind": "issue",
            "level": event.told("level"),
            "platform": event.told("platform"),
            "environment": event.told("environment"),
            "rule": data.told("triggered_rule"),
        },
        source_time=event.told_time("datetime"),
        closed=False,
    )


def _exceptions(event: Payload) -> Iterator[str]:
    for exception in event.part("exception").parts("values"):
        yield f"{exception.told('type')}: {exception.told('value')}".strip(": ")
        for frame in exception.part("stacktrace").parts("frames")[-_FRAMES:]:
            named = frame.told("filename"), frame.told("function")
            yield " in ".join(part for part in named if part)
