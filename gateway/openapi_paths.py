"""Path templates as OpenAPI writes them: one named parameter for each wildcard."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.template import ONE, REST, Template, Variable

_WILDCARDS = (ONE, REST)


@dataclass(frozen=True, slots=True)
class PathParameter:
    """A parameter of a path, and the dotted path of the request field that it is part of."""

    name: str
    field_path: str


class PathNames:
    """Names the wildcards of paths.

    Two paths that differ only in the names of their parameters are the same path in OpenAPI, so
    the names that a shape got first are kept for all paths of that shape.
    """

    def __init__(self) -> None:
        self._by_shape: dict[str, tuple[str, ...]] = {}

    def convert(self, template: Template) -> tuple[str, tuple[PathParameter, ...]]:
        """The path with its parameters in braces, and the parameters in order."""
        shape = _render(template, lambda at: "{}")
        names = self._by_shape.setdefault(shape, tuple(_names(template)))
        by_place = dict(zip(_wildcards(template), names, strict=True))
        path = _render(template, lambda at: f"{{{by_place[at]}}}")
        parameters = (
            PathParameter(name, variable.field_path if variable else "")
            for name, variable in ((by_place[at], _variable(template, at)) for at in by_place)
        )
        return path, tuple(parameters)


def _render(template: Template, wildcard: Callable[[int], str]) -> str:
    segments = (
        wildcard(at) if part in _WILDCARDS else part for at, part in enumerate(template.segments)
    )
    verb = f":{template.verb}" if template.verb else ""
    return f"/{'/'.join(segments)}{verb}"


def _wildcards(template: Template) -> Iterator[int]:
    return (at for at, part in enumerate(template.segments) if part in _WILDCARDS)


def _names(template: Template) -> Iterator[str]:
    used: set[str] = set()
    for at in _wildcards(template):
        base = _name(template, at)
        name, count = base, 1
        while name in used:
            count += 1
            name = f"{base}{count}"
        used.add(name)
        yield name


def _name(template: Template, at: int) -> str:
    """``personas/*`` is a ``persona``; a wildcard that is a field of its own has its name."""
    variable = _variable(template, at)
    before = template.segments[at - 1] if at else ""
    collection = before if before not in _WILDCARDS else ""
    if variable is not None and (variable.start == at or not collection):
        return variable.field_path.rpartition(".")[2]
    return _singular(collection) or "part"


def _variable(template: Template, at: int) -> Variable | None:
    for variable in template.variables:
        if variable.start <= at and (variable.stop is None or at < variable.stop):
            return variable
    return None


def _singular(collection: str) -> str:
    if collection.endswith("ies"):
        return f"{collection[:-3]}y"
    return collection.removesuffix("s")
