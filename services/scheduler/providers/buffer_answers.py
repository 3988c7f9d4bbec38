"""Reading Buffer's answers: what went wrong, and whether a post can have been created.

The HTTP status is not the truth: refusals come with 200. What is not understood counts as an
unknown outcome, never as a failure that may be repeated.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from libs.http import retry_after_seconds
from services.scheduler.domain.counts import Counts, total
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.calls import UNDECIDED, Failure

_CODES: Final = {
    "UNAUTHENTICATED": FailureKind.AUTH,
    "UNAUTHORIZED": FailureKind.AUTH,
    "FORBIDDEN": FailureKind.AUTH,
    "NOT_FOUND": FailureKind.PERMANENT,
    "RATE_LIMIT_EXCEEDED": FailureKind.THROTTLED,
    "GRAPHQL_VALIDATION_FAILED": FailureKind.CLIENT_BUG,
    "GRAPHQL_PARSE_FAILED": FailureKind.CLIENT_BUG,
    "BAD_USER_INPUT": FailureKind.CLIENT_BUG,
}
_TYPENAMES: Final = {
    "UnauthorizedError": FailureKind.AUTH,
    "UnexpectedError": FailureKind.UNKNOWN,
}
_DUPLICATE: Final = (
    "posted that one recently",
    "not able to post the same thing again so soon",
    "already got this one scheduled",
    "same thing twice so close together",
)
_CHANNEL_TROUBLE: Final = ("channel is disconnected", "channel is locked", "reconnect")
_QUERY_COST: Final = ("query is too", "query cost", "complexity", "depth limit", "too many tokens")

_REFUSED_CONTENT: Final = frozenset({413, 422})


def failure_of(response: httpx.Response) -> Failure | None:
    """What failed on the way to a result; None if the answer holds data without errors."""
    body = _json_object(response)
    errors = _errors(body)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return _throttled(response, errors)
    if not response.is_success:
        return _http_failure(response, errors)
    if body is None:
        return Failure(FailureKind.UNKNOWN, "the answer is not JSON")
    if errors:
        return _graphql_failure(response, errors)
    if not isinstance(body.get("data"), dict):
        return Failure(FailureKind.UNKNOWN, "the answer has neither data nor errors")
    return None


def refusal_of(payload: Mapping[str, Any]) -> Failure:
    """What a mutation's payload means that is not a success."""
    message = payload.get("message")
    if not isinstance(message, str):
        return Failure(FailureKind.UNKNOWN, "the answer holds neither a post nor a reason")
    lower = message.lower()
    if any(sentence in lower for sentence in _DUPLICATE):
        return Failure(FailureKind.DUPLICATE, message)
    if any(sentence in lower for sentence in _CHANNEL_TROUBLE):
        return Failure(FailureKind.AUTH, message)
    kind = _TYPENAMES.get(str(payload.get("__typename")), FailureKind.PERMANENT)
    return Failure(kind, message)


def counts_of(post: Mapping[str, Any]) -> Counts | None:
    """What a post reached; None until Buffer has asked the network for the first time."""
    if post["metricsUpdatedAt"] is None:
        return None
    values = {metric["type"]: round(metric["value"]) for metric in post["metrics"] or ()}
    return Counts(
        reach=values.get("reach"),
        impressions=values.get("impressions", values.get("views")),
        likes=values.get("reactions"),
        comments=values.get("comments"),
        saves=values.get("saves"),
        shares=total(values.get("shares"), values.get("reposts"), values.get("quotes")),
    )


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _errors(body: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    errors = (body or {}).get("errors")
    return [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []


def _extensions(error: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = error.get("extensions")
    return extensions if isinstance(extensions, dict) else {}


def _message(errors: Sequence[Mapping[str, Any]], otherwise: str) -> str:
    return "; ".join(str(error.get("message", "")) for error in errors) or otherwise


def _throttled(response: httpx.Response, errors: Sequence[Mapping[str, Any]]) -> Failure:
    extensions = _extensions(errors[0]) if errors else {}
    retry_after = retry_after_seconds(response.headers)
    if retry_after is None and isinstance(extensions.get("retryAfter"), int | float):
        retry_after = float(extensions["retryAfter"])
    window = extensions.get("window") or extensions.get("limitType")
    return Failure(
        FailureKind.THROTTLED,
        _message(errors, "too many requests"),
        retry_after,
        str(window) if window else None,
        "RATE_LIMIT_EXCEEDED",
    )


def _http_failure(response: httpx.Response, errors: Sequence[Mapping[str, Any]]) -> Failure:
    status = response.status_code
    message = _message(errors, f"HTTP {status}")
    if status == httpx.codes.UNAUTHORIZED:
        return Failure(FailureKind.AUTH, message)
    if status == httpx.codes.FORBIDDEN:
        if errors:
            return Failure(FailureKind.AUTH, message)
        text = response.text.strip()[:100]
        return Failure(FailureKind.EDGE_BLOCK, f"the provider's front door refuses us: {text}")
    if response.is_server_error or status in UNDECIDED:
        return Failure(FailureKind.UNKNOWN, message)
    if status in _REFUSED_CONTENT:
        return Failure(FailureKind.PERMANENT, message)
    code = str(_extensions(errors[0]).get("code", "")) if errors else ""
    return Failure(_CODES.get(code, FailureKind.CLIENT_BUG), message, code=code)


def _graphql_failure(response: httpx.Response, errors: Sequence[Mapping[str, Any]]) -> Failure:
    error = errors[0]
    code = str(_extensions(error).get("code", ""))
    message = _message(errors, "an error without a text")
    # Below the mutation's own field: it ran, only its result could not be shown.
    if len(error.get("path") or ()) > 1:
        return Failure(FailureKind.UNKNOWN, message, code=code)
    kind = _CODES.get(code, FailureKind.UNKNOWN)
    if kind is FailureKind.THROTTLED:
        return _throttled(response, errors)
    if not code and any(sentence in message.lower() for sentence in _QUERY_COST):
        kind = FailureKind.CLIENT_BUG
    return Failure(kind, message, code=code)
