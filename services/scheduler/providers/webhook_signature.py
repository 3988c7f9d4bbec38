"""Signing messages as Standard Webhooks 1.0 says."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"
MIN_SECRET: Final = 24
MAX_SECRET: Final = 64


def secrets_of(token: str) -> list[bytes]:
    """The secrets in a channel's key: one, or while it is being changed several, newest first.

    Raises ValueError for what is no such secret.
    """
    found = [_secret(part) for part in token.split()]
    if not found:
        raise ValueError("the key is empty")
    return found


def signature(secrets: list[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature for each secret.

    ``id`` holds no dot; ``timestamp`` is in seconds since 1970.
    """
    signed = b".".join((id.encode(), str(timestamp).encode(), body))
    digests = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _secret(text: str) -> bytes:
    form = f"{PREFIX} and then base64 of {MIN_SECRET} to {MAX_SECRET} random bytes"
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"the key must be {form}") from None
    if not text.startswith(PREFIX) or not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise ValueError(f"the key must be {form}")
    return secret
