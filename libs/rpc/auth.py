"""API keys: made once, kept as hashes, checked against the scope of the method."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from libs.errors import PermissionDenied, Unauthenticated
from libs.rpc.policy import PUBLIC

_PREFIX = "cln_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: who holds it, what it may do, and the SHA-256 of its text.

    The text is 32 random bytes, so a plain hash is enough; a slow one would only slow each call.
    """

    holder: str
    scopes: frozenset[str]
    digest: str

    def allows(self, scope: str) -> bool:
        """Whether it carries ``scope``, itself or by ``catalog.*`` or ``*``."""
        service = scope.partition(".")[0]
        return not self.scopes.isdisjoint({scope, f"{service}.*", "*"})

    def line(self) -> str:
        """The line that stands for it in a keys file."""
        return f"{self.holder}:{','.join(sorted(self.scopes))}:{self.digest}"


def digest_of(text: str) -> str:
    """The SHA-256 of a key's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_key(holder: str, scopes: Iterable[str]) -> tuple[str, ApiKey]:
    """A fresh key: its text, shown once to its holder, and what is kept of it."""
    text = _PREFIX + secrets.token_urlsafe(32)
    return text, ApiKey(holder, frozenset(scopes), digest_of(text))


def read_keys(path: Path) -> list[ApiKey]:
    """The keys in a file of lines ``holder:scope,scope:sha256``; ValueError names a bad line."""
    keys = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.strip().split(":")
        if len(parts) != 3 or len(parts[2]) != 64 or not parts[1]:
            raise ValueError(f"{path}:{number}: a line is holder:scope,scope:sha256-of-the-key")
        keys.append(ApiKey(parts[0], frozenset(parts[1].split(",")), parts[2]))
    return keys


class Authenticator:
    """Tells who calls and whether they may. Without a list of keys, everybody may do everything;
    with an empty one, nobody may do anything."""

    def __init__(self, keys: Iterable[ApiKey] | None = None, internal_key: str = "") -> None:
        self.required = keys is not None
        self._by_digest = {key.digest: key for key in keys or ()}
        if internal_key:
            digest = digest_of(internal_key)
            self._by_digest[digest] = ApiKey("suite", frozenset({"*"}), digest)

    def check(self, metadata: Mapping[str, str], scope: str) -> str:
        """The holder of the key in ``metadata``. Raises Unauthenticated or PermissionDenied."""
        if scope == PUBLIC or not self.required:
            return "anonymous"
        text = _key_text(metadata)
        if not text:
            raise Unauthenticated(
                "this suite asks for an API key: send it as authorization: Bearer <key>"
            )
        key = self._find(text)
        if key is None:
            raise Unauthenticated("the API key is not known")
        if not key.allows(scope):
            raise PermissionDenied(
                f"the API key of {key.holder} lacks the scope {scope}", metadata={"scope": scope}
            )
        return key.holder

    def _find(self, text: str) -> ApiKey | None:
        digest = digest_of(text)
        key = self._by_digest.get(digest)
        return key if key and hmac.compare_digest(key.digest, digest) else None


def _key_text(metadata: Mapping[str, str]) -> str:
    scheme, _, token = metadata.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else metadata.get("x-api-key", "")
