"""Short texts that carry something and that nobody else can make up."""

import base64
import hashlib
import hmac
from typing import Any

import orjson

_SIGNATURE_BYTES = 16


class Signer:
    """Signs what is handed out and is to come back as it was. ``purpose`` keeps the texts of one
    use from being taken for those of another."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._secret = hashlib.sha256(purpose.encode() + secret).digest()

    def token(self, content: list[Any]) -> str:
        """``content`` (JSON values) and its signature, in letters fit for a URL."""
        body = orjson.dumps(content)
        return base64.urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode()

    def read(self, token: str) -> list[Any]:
        """The content of a token. Raises ValueError for one that was not made here."""
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise ValueError("signed with another secret, or not at all")
        content: list[Any] = orjson.loads(body)
        return content

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[:_SIGNATURE_BYTES]
