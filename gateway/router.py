"""Finding the binding for a method and a path: one trie of segments for each method and verb."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.routes import Binding
from gateway.template import ONE, REST


@dataclass(frozen=True, slots=True)
class Match:
    """A binding and the texts of its template's variables, in order, still percent-encoded."""

    binding: Binding
    captures: tuple[str, ...]


class NoRoute(LookupError):
    """No binding has the path with this method. ``allowed`` are the methods that do have it."""

    def __init__(self, allowed: frozenset[str]) -> None:
        super().__init__(f"allowed: {', '.join(sorted(allowed)) or 'nothing'}")
        self.allowed = allowed


class Router:
    """Matches paths against bindings that do not overlap (``build_bindings`` sees to that)."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._roots: dict[tuple[str, str], _Node] = {}
        for binding in bindings:
            key = (binding.http_method, binding.template.verb)
            self._roots.setdefault(key, _Node()).add(binding)
        self._verbs = {verb for _, verb in self._roots if verb}
        self._methods = sorted({method for method, _ in self._roots})

    def match(self, method: str, path: str) -> Match:
        """The binding for ``path``, which is as it was sent: percent-encoded, without a query.

        A colon in the last segment starts a verb only if some binding has that verb at that path;
        so ids may hold colons.

        Raises:
            NoRoute: nothing has that path with that method.
        """
        segments = path[1:].split("/")
        head, _, verb = segments[-1].rpartition(":")
        if head and verb in self._verbs:
            verbal = [*segments[:-1], head]
            found = self._find(method, verb, verbal)
            if found is not None:
                return found
            allowed = self._allowed(verb, verbal)
            if allowed:
                raise NoRoute(allowed)
        found = self._find(method, "", segments)
        if found is None:
            raise NoRoute(self._allowed("", segments))
        return found

    def _find(self, method: str, verb: str, segments: list[str]) -> Match | None:
        root = self._roots.get((method, verb))
        if root is None:
            return None
        keys = [unquote(each) if "%" in each else each for each in segments]
        binding = root.find(keys, 0)
        if binding is None:
            return None
        captures = tuple(
            "/".join(segments[variable.start : variable.stop])
            for variable in binding.template.variables
        )
        return Match(binding, captures)

    def _allowed(self, verb: str, segments: list[str]) -> frozenset[str]:
        return frozenset(
            method for method in self._methods if self._find(method, verb, segments) is not None
        )


class _Node:
    __slots__ = ("binding", "literals", "one", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.one: _Node | None = None
        self.rest: Binding | None = None
        self.binding: Binding | None = None

    def add(self, binding: Binding) -> None:
        node = self
        for segment in binding.template.segments:
            if segment == REST:
                node.rest = binding
                return
            node = node._child(segment)
        node.binding = binding

    def find(self, keys: list[str], at: int) -> Binding | None:
        if at == len(keys):
            return self.binding or self.rest
        key = keys[at]
        child = self.literals.get(key)
        found = child.find(keys, at + 1) if child is not None else None
        if found is None and self.one is not None and key:
            found = self.one.find(keys, at + 1)
        return found or self.rest

    def _child(self, segment: str) -> "_Node":
        if segment == ONE:
            self.one = self.one or _Node()
            return self.one
        return self.literals.setdefault(segment, _Node())
