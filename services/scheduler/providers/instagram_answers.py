"""Reading the Graph API's answers: what went wrong, and whether a post can have been made."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from services.scheduler.domain.counts import Counts
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.calls import Failure, failure_of_status, json_object

_K: Final = FailureKind
_NO_SUCH_OBJECT: Final = 33
_INVALID: Final = "100/"  # no such object, or none that has what is asked for

# The subcode is the more exact, so it is asked first.
_SUBCODES: Final = {
    2207001: _K.UNKNOWN,
    2207032: _K.UNKNOWN,
    2207053: _K.UNKNOWN,
    2207082: _K.UNKNOWN,
    # A post of a user was out although this was answered.
    2207051: _K.UNKNOWN,
    # The picture could not be fetched, or the container is too old or gone: a new one may do.
    _NO_SUCH_OBJECT: _K.NOT_SENT,
    2207003: _K.NOT_SENT,
    2207008: _K.NOT_SENT,
    2207020: _K.NOT_SENT,
    2207052: _K.NOT_SENT,
    2207027: _K.NOT_READY,
    2207042: _K.THROTTLED,
    2207004: _K.PERMANENT,
    2207005: _K.PERMANENT,
    2207009: _K.PERMANENT,
    2207010: _K.PERMANENT,
    2207050: _K.AUTH,
}
_CODES: Final = {
    4: _K.THROTTLED,
    9: _K.THROTTLED,
    10: _K.AUTH,
    17: _K.THROTTLED,
    32: _K.THROTTLED,
    102: _K.AUTH,
    190: _K.AUTH,
    613: _K.THROTTLED,
    80001: _K.THROTTLED,
    80002: _K.THROTTLED,
    9004: _K.NOT_SENT,
    9007: _K.NOT_READY,
    36000: _K.PERMANENT,
    36003: _K.PERMANENT,
}
_NO_RIGHTS: Final = "10/"
# What is asked for, and what we call it.
INSIGHTS: Final = {
    "reach": "reach",
    "views": "impressions",
    "likes": "likes",
    "comments": "comments",
    "saved": "saves",
    "shares": "shares",
}
_POSTING_QUOTA: Final = 2207042
_QUOTA_WAIT: Final = 3600.0
_USAGE: Final = "x-business-use-case-usage"
_SUBCODE: Final = re.compile(r"\b22070\d\d\b")


def failure_of(response: httpx.Response) -> Failure | None:
    """What failed of an answer; None for one that is as it should be."""
    body = json_object(response)
    error = body.get("error")
    if not isinstance(error, dict):
        failure = failure_of_status(response, "")
        if failure is None and not body:
            return Failure(_K.UNKNOWN, "the answer is not a JSON object")
        return failure
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    message = str(error.get("error_user_msg") or error.get("message") or f"code {code}")
    kind = _SUBCODES.get(subcode) or _CODES.get(code)
    if kind is None:
        kind = _other_kind(response, error, message)
    wait = _wait(response, subcode) if kind is _K.THROTTLED else None
    window = "24h" if subcode == _POSTING_QUOTA else None
    return Failure(kind, message, wait, window, code=f"{code}/{subcode}")


def is_unknown_object(failure: Failure) -> bool:
    """Whether the server says that there is no such thing; it says so of live posts, too."""
    return (failure.code or "").startswith(_INVALID)


def is_untold(failure: Failure) -> bool:
    """Whether the refusal of insights means that there are none to be had for this post, now.

    The code of missing rights is also that of "not enough viewers".
    """
    return (failure.code or "").startswith((_INVALID, _NO_RIGHTS))


def counts_of(data: Sequence[Mapping[str, Any]]) -> Counts | None:
    """What insights tell; what is not there is left out, and never 0."""
    values = {
        INSIGHTS[entry["name"]]: int(entry["values"][0]["value"])
        for entry in data
        if entry["name"] in INSIGHTS and entry["values"]
    }
    return Counts(**values) if values else None


def failure_of_container(status: str) -> tuple[FailureKind, str]:
    """What a container's ``status`` tells that has failed: whether a new one may do."""
    found = _SUBCODE.search(status)
    kind = _SUBCODES.get(int(found.group())) if found else None
    text = f"Instagram could not process the picture: {status}"
    return (_K.PERMANENT if kind is _K.PERMANENT else _K.NOT_SENT), text


def _other_kind(response: httpx.Response, error: dict[str, Any], message: str) -> FailureKind:
    failure = failure_of_status(response, message)
    if error.get("is_transient") or failure is None:
        return _K.UNKNOWN
    return failure.kind


def _number(value: object) -> int:
    """A code; 0 for what is none."""
    try:
        return int(str(value))
    except ValueError:
        return 0


def _wait(response: httpx.Response, subcode: object) -> float | None:
    """How long to wait, in seconds, as the usage header tells, in minutes."""
    if subcode == _POSTING_QUOTA:
        return _QUOTA_WAIT
    try:
        usage = json.loads(response.headers.get(_USAGE, "{}"))
        entries = [entry for entries in usage.values() for entry in entries]
        minutes = max(float(entry["estimated_time_to_regain_access"]) for entry in entries)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return minutes * 60 or None
