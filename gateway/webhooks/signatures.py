"""Whether a webhook comes from who it says: the schemes of the senders, over the bytes as sent."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from libs.errors import Unauthenticated

# How far the clocks of a sender and of this machine may be apart, and how long a message may be
# kept back and sent again.
WINDOW = timedelta(minutes=5)
_STANDARD_SECRET = "whsec_"
_VERSION = "v1,"
_SHA256 = "sha256="

Headers = Mapping[str, str]
Verify = Callable[[Headers, bytes, str, datetime], str]
"""Checks the signature of a message (its headers, its bytes, the secret, the present moment) and
answers the id of the delivery, empty where the sender gives none. Raises Unauthenticated."""


def of_github(headers: Headers, body: bytes, secret: str, now: datetime) -> str:
    """``X-Hub-Signature-256``: the HMAC of the body. GitHub signs no time."""
    _require(headers.get("x-hub-signature-256", ""), _SHA256 + _hexdigest(secret, body))
    return headers.get("x-github-delivery", "")


def of_sentry(headers: Headers, body: bytes, secret: str, now: datetime) -> str:
    """``Sentry-Hook-Signature``: the HMAC of the body. Sentry's time is not part of it."""
    _require(headers.get("sentry-hook-signature", ""), _hexdigest(secret, body))
    return headers.get("request-id", "")


def of_anybody(headers: Headers, body: bytes, secret: str, now: datetime) -> str:
    """Standard Webhooks where its headers are there, else ``X-Signature-256`` in GitHub's form."""
    if "webhook-signature" not in headers:
        _require(headers.get("x-signature-256", ""), _SHA256 + _hexdigest(secret, body))
        return headers.get("x-delivery-id", "")
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    _require_recent(timestamp, now)
    signed = b".".join((id.encode(), timestamp.encode(), body))
    digest = hmac.digest(key_of(secret), signed, "sha256")
    wanted = _VERSION + base64.b64encode(digest).decode()
    given = headers["webhook-signature"].split()
    # A sender that changes its secret sends several.
    if not any(_same(each, wanted) for each in given):
        raise _refused("its signature is not one of this secret")
    return id


def key_of(secret: str) -> bytes:
    """The bytes of a secret: what base64 says behind ``whsec_``, else the text itself.

    Raises ValueError if there is no base64 behind ``whsec_``.
    """
    if not secret.startswith(_STANDARD_SECRET):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD_SECRET), validate=True)
    except ValueError:
        raise ValueError(f"there is no base64 behind {_STANDARD_SECRET}") from None


def _require(given: str, wanted: str) -> None:
    if not given:
        raise _refused("it has no signature")
    if not _same(given, wanted):
        raise _refused("its signature is not one of this secret")


def _require_recent(timestamp: str, now: datetime) -> None:
    try:
        age = now.timestamp() - int(timestamp)
    except (ValueError, OverflowError):
        raise _refused("webhook-timestamp holds no seconds since 1970") from None
    if abs(age) > WINDOW.total_seconds():
        raise _refused(f"it was signed more than {WINDOW.seconds // 60} minutes from now")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _hexdigest(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the webhook is refused: {why}", reason="WEBHOOK_SIGNATURE")
