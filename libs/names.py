"""Resource names: ``personas/nora/photos/0192…`` and back."""

import re
from functools import cache

from libs.errors import InvalidArgument

_VARIABLE = re.compile(r"\{(\w+)\}")
_USER_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class NamePattern:
    """One shape of resource name, such as ``personas/{persona}/photos/{photo}``."""

    def __init__(self, template: str) -> None:
        self.template = template
        self._regex = re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", template))
        self._keys = _VARIABLE.findall(template)

    def parse(self, name: str, field: str = "name") -> tuple[str, ...]:
        """The ids in ``name``, in order. Raises InvalidArgument on ``field`` if it does not fit."""
        match = self._regex.fullmatch(name)
        if match is None:
            raise InvalidArgument.of(field, f"must look like {self.template}, not {name!r}")
        return match.groups()

    def fits(self, name: str) -> bool:
        """Whether ``name`` has this shape."""
        return self._regex.fullmatch(name) is not None

    def format(self, *ids: str) -> str:
        """The name made of ``ids``, in the order of the template."""
        return self.template.format(**dict(zip(self._keys, ids, strict=True)))


@cache
def pattern(template: str) -> NamePattern:
    """The pattern of ``template``, compiled once."""
    return NamePattern(template)


def is_user_id(id: str) -> bool:
    """Whether ``id`` is one that people may choose: 1 to 63 letters, digits and hyphens."""
    return _USER_ID.fullmatch(id) is not None


def id_from_title(title: str, field: str) -> str:
    """A user-style id made of a title: ``Nora & Friends`` gives ``nora-friends``.

    Raises InvalidArgument on ``field`` when nothing usable is left of the title.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    slug = slug.lstrip("0123456789-")[:63].rstrip("-")
    if not _USER_ID.fullmatch(slug):
        raise InvalidArgument.of(
            field, f"no id can be made of {title!r}; give one of 1 to 63 letters, digits, hyphens"
        )
    return slug
