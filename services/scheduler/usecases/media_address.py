"""The addresses of pictures: they say themselves what they open, and for how long at most."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from libs.blobs.store import content_key
from libs.signing import Signer
from services.scheduler.domain.photo import Snapshot

_FOLDER: Final = "publications"


def key_of(digest: str) -> str:
    """Where the picture with this SHA-256 (hex) is kept."""
    return content_key(_FOLDER, digest, "jpg")


@dataclass(frozen=True, slots=True)
class Grant:
    """What an address opened when it was made: this picture, until then at the latest."""

    snapshot: Snapshot
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class MediaAddress:
    """The publication's token, and the grant that was signed with it; None without one."""

    token: str
    grant: Grant | None


class MediaAddresses:
    """Makes and reads addresses. ``base_url`` is where providers reach the gateway."""

    def __init__(self, base_url: str, signer: Signer) -> None:
        self._base_url = base_url.rstrip("/")
        self._signer = signer

    def url(self, token: str, grant: Grant) -> str:
        """Where the picture is fetched; the same for the same grant.

        The token stands in it for itself: it is what stays when the secret or the picture is
        another one, and what an address is known by.
        """
        snapshot = grant.snapshot
        content = [
            token,
            snapshot.sha256,
            snapshot.mime_type,
            snapshot.size_bytes,
            snapshot.width,
            snapshot.height,
            int(grant.ends_at.timestamp()),
        ]
        return f"{self._base_url}/m/{token}.{self._signer.token(content)}.jpg"

    def read(self, text: str) -> MediaAddress:
        """The address that ``text`` is. What was not signed here, or with another secret, is no
        more than its token."""
        token, _, signed = text.partition(".")
        try:
            owner, digest, mime_type, size_bytes, width, height, end = self._signer.read(signed)
        except ValueError:
            return MediaAddress(token, None)
        if owner != token:
            return MediaAddress(token, None)
        snapshot = Snapshot(key_of(digest), digest, mime_type, size_bytes, width, height)
        return MediaAddress(token, Grant(snapshot, datetime.fromtimestamp(end, UTC)))
