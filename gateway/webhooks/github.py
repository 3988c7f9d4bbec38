"""What GitHub tells of issues, their comments and discussions.

Ids and titles must be there; what only decorates is left out where it is not as it should be.
https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Callable, Mapping

from colonnade.clustering.v1.cluster_pb2 import Item

from gateway.webhooks.payloads import Payload, make_item

SOURCE = "github"
# What is gone from the repository, for good or to another one.
_GONE = ("deleted", "transferred")


def items_of(event: str, payload: Payload) -> list[Item]:
    """The items that an event (``X-GitHub-Event``) brings; none for one that says nothing of them.

    Raises InvalidArgument.
    """
    read = _READERS.get(event)
    return read(payload) if read else []


def _issue(payload: Payload) -> list[Item]:
    return [_thread(payload, payload.inner("issue"), "issue")]


def _discussion(payload: Payload) -> list[Item]:
    return [_thread(payload, payload.inner("discussion"), "discussion")]


def _thread(payload: Payload, thread: Payload, kind: str) -> Item:
    """An issue or a discussion, as it is after the event."""
    gone = payload.told("action") in _GONE
    return make_item(
        source=SOURCE,
        external_id=f"{kind}:{thread.required('id')}",
        title=thread.required("title"),
        body=thread.told("body"),
        url=thread.told("html_url"),
        repository=_repository(payload),
        metadata={
            "kind": kind,
            "number": thread.told("number"),
            "author": _author(thread),
            "labels": ", ".join(
                filter(None, (label.told("name") for label in thread.parts("labels")))
            ),
        },
        source_time=thread.told_time("created_at"),
        closed=gone or thread.told("state") == "closed",
    )


def _comment(payload: Payload) -> list[Item]:
    issue, comment = payload.inner("issue"), payload.inner("comment")
    if "pull_request" in issue:
        return []  # about a change, not about the product
    return [
        make_item(
            source=SOURCE,
            external_id=f"comment:{comment.required('id')}",
            title=issue.text("title"),
            body=comment.required("body"),
            url=comment.told("html_url"),
            repository=_repository(payload),
            metadata={
                "kind": "comment",
                "number": issue.told("number"),
                "author": _author(comment),
            },
            source_time=comment.told_time("created_at"),
            closed=payload.told("action") in _GONE,
        )
    ]


_READERS: Mapping[str, Callable[[Payload], list[Item]]] = {
    "issues": _issue,
    "issue_comment": _comment,
    "discussion": _discussion,
}


def _repository(payload: Payload) -> str:
    return payload.part("repository").told("full_name")


def _author(thread: Payload) -> str:
    """Empty for one whose account is gone."""
    return thread.part("user").told("login")
