"""Checks that several resources share."""

import unicodedata

from libs.errors import Conflict, InvalidArgument

MAX_DISPLAY_NAME = 100


def display_name(text: str, field: str) -> str:
    """``text`` without spaces around it. Raises InvalidArgument on ``field`` if it is too short.

    Its upper limit is part of the contract and checked there.
    """
    name = text.strip()
    if not name:
        raise InvalidArgument.of(field, f"give a name of 1 to {MAX_DISPLAY_NAME} characters")
    return name


def comparable(name: str) -> str:
    """What two names have in common if they differ only in case or in how they are encoded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def check_etag(etag: str, version: int) -> None:
    """Raises Conflict (STALE_ETAG) if ``etag`` is given and is not that of ``version``."""
    if etag and etag != str(version):
        raise Conflict(
            "this was changed since you read it; read it again and repeat your change",
            reason="STALE_ETAG",
            metadata={"etag": etag, "current": str(version)},
        )
