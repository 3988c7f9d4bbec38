"""Entity tags and conditional requests (RFC 9110, section 8.8.3 and 13)."""

import re

_TAG = re.compile(r'(W/)?("[^"]*")')


def quoted(tag: str) -> str:
    """The tag as a header writes it. One that is quoted already stays as it is."""
    return tag if _TAG.fullmatch(tag) else '"' + tag.replace('"', "") + '"'


def etag_matches(if_none_match: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` lists the tag, by the weak comparison that it asks for."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    wanted = etag.removeprefix("W/")
    return any(found[2] == wanted for found in _TAG.finditer(if_none_match))


def is_same(validator: str, etag: str) -> bool:
    """Whether ``If-Range`` names exactly this strong tag."""
    return validator == etag and not etag.startswith("W/")
