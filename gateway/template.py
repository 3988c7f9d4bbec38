"""Path templates of ``google.api.http``: parsing, and telling whether two can match one path.

    Template = "/" Segments [ Verb ]
    Segments = Segment { "/" Segment }
    Segment  = "*" | "**" | LITERAL | Variable
    Variable = "{" FieldPath [ "=" Segments ] "}"
    Verb     = ":" LITERAL

``*`` stands for one segment that is not empty, ``**`` for any number of segments at the end.
Grammar: the comment of ``google.api.HttpRule``.
"""

import re
from dataclasses import dataclass
from itertools import zip_longest
from urllib.parse import unquote

ONE = "*"
REST = "**"

_LITERAL = re.compile(r"(?:[A-Za-z0-9._~!$&'()+,;@-]|%[0-9A-Fa-f]{2})+")
_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_ESCAPED_SLASH = re.compile(r"(%2[fF])")


class TemplateError(ValueError):
    """The text is not a path template; the message shows where it goes wrong."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A field that takes its value from the segments ``start`` up to ``stop`` of the path.

    ``stop`` is None where the variable ends with ``**`` and so takes all that is left.
    """

    field_path: str
    start: int
    stop: int | None
    multi: bool

    def decode(self, text: str) -> str:
        """The value of the percent-encoded ``text``.

        A variable of several segments keeps ``%2F``, or its slashes would turn ambiguous.

        Raises:
            UnicodeDecodeError: the escaped bytes are not UTF-8.
        """
        if "%" not in text:
            return text
        if not self.multi:
            return unquote(text, errors="strict")
        parts = _ESCAPED_SLASH.split(text)
        parts[::2] = [unquote(part, errors="strict") for part in parts[::2]]
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: decoded literals, ``*`` and ``**`` in order, the verb, the variables."""

    text: str
    segments: tuple[str, ...]
    verb: str
    variables: tuple[Variable, ...]

    def overlaps(self, other: "Template") -> bool:
        """Whether some path matches both."""
        if self.verb != other.verb:
            return False
        for mine, theirs in zip_longest(self.segments, other.segments):
            if REST in (mine, theirs):
                return True
            if None in (mine, theirs):
                return False
            if mine != theirs and ONE not in (mine, theirs):
                return False
        return True


def parse(text: str) -> Template:
    """Parses ``text``.

    Raises:
        TemplateError: it is not a template; says at which character.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._segments: list[str] = []
        self._variables: list[Variable] = []

    def parse(self) -> Template:
        self._expect("/")
        self._read_segments(in_variable=False)
        verb = unquote(self._match(_LITERAL, "a verb")) if self._take(":") else ""
        if self._at < len(self._text):
            raise self._error("expected the end")
        if REST in self._segments[:-1]:
            raise self._error("** must be the last segment")
        return Template(self._text, tuple(self._segments), verb, tuple(self._variables))

    def _read_segments(self, *, in_variable: bool) -> None:
        self._read_segment(in_variable=in_variable)
        while self._take("/"):
            self._read_segment(in_variable=in_variable)

    def _read_segment(self, *, in_variable: bool) -> None:
        if self._take(REST):
            self._segments.append(REST)
        elif self._take(ONE):
            self._segments.append(ONE)
        elif self._take("{"):
            if in_variable:
                raise self._error("a variable cannot hold another one")
            self._read_variable()
        else:
            self._segments.append(unquote(self._match(_LITERAL, "a segment")))

    def _read_variable(self) -> None:
        field_path = self._match(_FIELD_PATH, "a field path")
        start = len(self._segments)
        if self._take("="):
            self._read_segments(in_variable=True)
        else:
            self._segments.append(ONE)
        self._expect("}")
        if any(field_path == variable.field_path for variable in self._variables):
            raise self._error(f"{field_path} appears twice")
        rest = self._segments[-1] == REST
        stop = None if rest else len(self._segments)
        multi = rest or len(self._segments) - start > 1
        self._variables.append(Variable(field_path, start, stop, multi))

    def _take(self, token: str) -> bool:
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._error(f"expected {token!r}")

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._error(f"expected {what}")
        self._at = found.end()
        return found.group()

    def _error(self, problem: str) -> TemplateError:
        return TemplateError(f"{problem} at character {self._at} of {self._text!r}")
