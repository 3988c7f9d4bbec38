import json
from typing import Any

import httpx
import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.buffer_answers import failure_of, refusal_of
from services.scheduler.providers.calls import masked


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(status, content=content, headers=headers)


def error(code: str | None, message: str = "no", **more: Any) -> dict[str, Any]:
    extensions = {"code": code} if code else {}
    return {"data": None, "errors": [{"message": message, "extensions": extensions, **more}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, error("UNAUTHENTICATED"), FailureKind.AUTH),
        (401, "no", FailureKind.AUTH),
        (200, error("UNAUTHORIZED"), FailureKind.AUTH),
        (200, error("UNAUTHENTICATED"), FailureKind.AUTH),
        (200, error("FORBIDDEN"), FailureKind.AUTH),
        (403, error("FORBIDDEN"), FailureKind.AUTH),
        (403, "error code: 1010", FailureKind.EDGE_BLOCK),
        (400, error("GRAPHQL_VALIDATION_FAILED"), FailureKind.CLIENT_BUG),
        (400, error("UNAUTHENTICATED"), FailureKind.AUTH),
        (400, "Bad Request", FailureKind.CLIENT_BUG),
        (200, error("GRAPHQL_VALIDATION_FAILED"), FailureKind.CLIENT_BUG),
        (200, error(None, "The query cost of 200000 is above 175000"), FailureKind.CLIENT_BUG),
        (301, "", FailureKind.CLIENT_BUG),
        (404, "not here", FailureKind.CLIENT_BUG),
        (413, "too large", FailureKind.PERMANENT),
        (422, error(None), FailureKind.PERMANENT),
        (200, error("NOT_FOUND"), FailureKind.PERMANENT),
        (200, error("RATE_LIMIT_EXCEEDED"), FailureKind.THROTTLED),
        (429, "slow down", FailureKind.THROTTLED),
        (200, error("UNEXPECTED"), FailureKind.UNKNOWN),
        (200, error("SOMETHING_NEW"), FailureKind.UNKNOWN),
        (200, error(None), FailureKind.UNKNOWN),
        (200, error("NOT_FOUND", path=["createPost", "post", "channel"]), FailureKind.UNKNOWN),
        (200, "<html>", FailureKind.UNKNOWN),
        (200, "", FailureKind.UNKNOWN),
        (200, [], FailureKind.UNKNOWN),
        (200, {}, FailureKind.UNKNOWN),
        (200, {"data": None}, FailureKind.UNKNOWN),
        (408, "", FailureKind.UNKNOWN),
        (500, error("INTERNAL_SERVER_ERROR"), FailureKind.UNKNOWN),
        (502, "<html>", FailureKind.UNKNOWN),
        (504, "<html>", FailureKind.UNKNOWN),
    ],
)
def test_what_an_answer_means(status: int, body: Any, kind: FailureKind) -> None:
    failure = failure_of(answer(status, body))
    assert failure is not None
    assert failure.kind is kind
    assert failure.message


def test_data_without_errors_is_no_failure() -> None:
    assert failure_of(answer(200, {"data": {"createPost": {}}})) is None
    assert failure_of(answer(200, {"data": {"createPost": {}}, "errors": []})) is None


def test_429_tells_the_window_and_the_time() -> None:
    body = error("RATE_LIMIT_EXCEEDED")
    body["errors"][0]["extensions"]["window"] = "24h"
    failure = failure_of(answer(429, body, **{"Retry-After": "77"}))
    assert failure is not None
    assert (failure.retry_after, failure.window) == (77.0, "24h")


def test_429_in_its_older_form() -> None:
    body = error("RATE_LIMIT_EXCEEDED")
    body["errors"][0]["extensions"] |= {"limitType": "15m", "retryAfter": 33}
    failure = failure_of(answer(429, body))
    assert failure is not None
    assert (failure.retry_after, failure.window) == (33.0, "15m")


def test_several_errors_are_all_told() -> None:
    body = {"errors": [{"message": "first"}, {"message": "second"}]}
    failure = failure_of(answer(400, body))
    assert failure is not None
    assert failure.message == "first; second"


@pytest.mark.parametrize(
    ("typename", "message", "kind"),
    [
        ("InvalidInputError", "Invalid post: needs media.", FailureKind.PERMANENT),
        ("LimitReachedError", "too many scheduled", FailureKind.PERMANENT),
        ("NotFoundError", "Channel not found", FailureKind.PERMANENT),
        ("RestProxyError", "no", FailureKind.PERMANENT),
        ("SomethingNewError", "no", FailureKind.PERMANENT),
        ("UnauthorizedError", "no", FailureKind.AUTH),
        ("InvalidInputError", "This channel is disconnected.", FailureKind.AUTH),
        ("UnexpectedError", "oops", FailureKind.UNKNOWN),
        ("InvalidInputError", "You Posted That One Recently", FailureKind.DUPLICATE),
        ("RestProxyError", "not able to post the same thing again so soon", FailureKind.DUPLICATE),
        ("RestProxyError", "you've already got this one scheduled", FailureKind.DUPLICATE),
        ("UnexpectedError", "the same thing twice so close together", FailureKind.DUPLICATE),
    ],
)
def test_what_a_refusal_means(typename: str, message: str, kind: FailureKind) -> None:
    failure = refusal_of({"__typename": typename, "message": message})
    assert (failure.kind, failure.message) == (kind, message)


@pytest.mark.parametrize(
    "payload", [{}, {"__typename": "PostActionSuccess"}, {"__typename": "NewThing", "message": 3}]
)
def test_a_payload_without_post_and_message_is_unknown(payload: dict[str, Any]) -> None:
    assert refusal_of(payload).kind is FailureKind.UNKNOWN


def test_messages_hold_no_token_and_end() -> None:
    assert masked("bad key s3cret.", "s3cret") == "bad key ***."
    assert len(masked("x" * 9999, "s3cret")) == 500
    assert masked("a\0 b\ud800", "") == "a b?"
