"""Reads a plain-text dump of PostgreSQL: ``COPY`` blocks and ``INSERT`` statements.

Nothing of it is executed. Only the tables of the older shape are kept in memory.
"""

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from libs.errors import InvalidArgument
from services.catalog.legacy.rows import TABLES, Row, Source, Table, is_vector

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_TABLE = rf"(?:{_NAME}\.)?({_NAME})"
_COPY = re.compile(rf"COPY {_TABLE} \((.*)\) FROM stdin;$")
_INSERT = re.compile(rf"INSERT INTO {_TABLE} (?:\((.*?)\) )?(?:OVERRIDING SYSTEM VALUE )?VALUES")
_CREATE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{_TABLE} \($")
_COLUMN = re.compile(rf"\s+({_NAME}) (.*?),?$")
_NO_COLUMN = ("CONSTRAINT ", "PRIMARY KEY", "UNIQUE ", "CHECK ", "FOREIGN KEY", "EXCLUDE ")
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.S)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CUSTOM = b"PGDMP"


def read_dump(path: Path) -> Source:
    """The library in the dump at ``path``; it may be compressed with gzip.

    Raises InvalidArgument for what is no plain-text dump, and OSError.
    """
    if path.is_dir():
        raise _not_plain(path, "is a folder")
    with path.open("rb") as file:
        start = file.read(len(_CUSTOM))
    if start == _CUSTOM:
        raise _not_plain(path, "is a dump in PostgreSQL's custom format")
    try:
        with _opened(path, packed=start.startswith(b"\x1f\x8b")) as text:
            return _Dump(text).read(path.name)
    except UnicodeDecodeError as error:
        raise _not_plain(path, "is not a text in UTF-8") from error


def _opened(path: Path, *, packed: bool) -> TextIO:
    if packed:
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def _not_plain(path: Path, problem: str) -> InvalidArgument:
    advice = f"pg_restore --file=library.sql {path.name}"
    return InvalidArgument.of(
        "source", f"{path.name} {problem}; make plain SQL of it first, with `{advice}`"
    )


class _Dump:
    def __init__(self, lines: TextIO) -> None:
        self._lines = lines
        self._columns: dict[str, list[str]] = {}
        self._rows: dict[str, list[Row]] = {}
        self._vectors: set[tuple[str, str]] = set()

    def read(self, label: str) -> Source:
        for line in self._lines:
            if found := _COPY.match(line):
                self._copy(_bare(found[1]), _names(found[2]))
            elif found := _INSERT.match(line):
                self._insert(_bare(found[1]), found[2], line, found.end())
            elif found := _CREATE.match(line):
                self._create(_bare(found[1]))
        if not self._columns:
            raise InvalidArgument.of("source", f"{label} holds no table of an older library")
        left_out = sorted(f"{table}.{column}" for table, column in self._vectors)
        tables = {name: self._table(name) for name in TABLES if name in self._columns}
        return Source(label, tables, left_out)

    def _table(self, name: str) -> Table:
        kept = [c for c in self._columns[name] if (name, c) not in self._vectors]
        return Table(tuple(kept), self._rows.get(name, []))

    def _create(self, table: str) -> None:
        if table not in TABLES:
            return
        self._columns[table] = []
        for line in self._lines:
            if line.startswith(");"):
                return
            column = _COLUMN.match(line)
            if column and not line.lstrip().startswith(_NO_COLUMN):
                self._note(table, _bare(column[1]), column[2])

    def _note(self, table: str, column: str, kind: str = "") -> None:
        known = self._columns.setdefault(table, [])
        if column not in known:
            known.append(column)
        if is_vector(column, kind):
            self._vectors.add((table, column))

    def _copy(self, table: str, columns: Sequence[str]) -> None:
        for column in columns if table in TABLES else ():
            self._note(table, column)
        for line in self._lines:
            if line == "\\.\n":
                return
            if table in TABLES:
                values = [_copied(field) for field in line.rstrip("\n").split("\t")]
                self._keep(table, columns, values)
        raise InvalidArgument.of("source", f"the dump ends in the middle of the table {table}")

    def _insert(self, table: str, named: str | None, line: str, start: int) -> None:
        if table not in TABLES:
            return
        columns = _names(named) if named else self._columns.get(table, [])
        for column in columns:
            self._note(table, column)
        for values in _Values(self._lines, line, start):
            self._keep(table, columns, values)

    def _keep(self, table: str, columns: Sequence[str], values: Sequence[str | None]) -> None:
        if len(columns) != len(values):
            text = f"a row of {table} has {len(values)} values for {len(columns)} columns"
            raise InvalidArgument.of("source", text)
        pairs = zip(columns, values, strict=True)
        row = {c: value for c, value in pairs if (table, c) not in self._vectors}
        self._rows.setdefault(table, []).append(row)


class _Values:
    """The rows after ``VALUES``; a text may go on over several lines."""

    def __init__(self, lines: TextIO, line: str, start: int) -> None:
        self._lines = lines
        self._text = line
        self._at = start

    def __iter__(self) -> Iterator[list[str | None]]:
        while (mark := self._mark()) != ";":
            if mark == "(":
                yield list(self._row())

    def _mark(self) -> str:
        """The next character that is no space."""
        while (character := self._next()).isspace():
            pass
        return character

    def _next(self) -> str:
        while self._at >= len(self._text):
            self._text, self._at = next(self._lines, ""), 0
            if not self._text:
                raise InvalidArgument.of("source", "the dump ends in the middle of an INSERT")
        self._at += 1
        return self._text[self._at - 1]

    def _row(self) -> Iterator[str | None]:
        word, quoted = "", None
        while True:
            mark = self._next()
            if mark == "'":
                quoted = self._string(escaped=word.strip().upper() == "E")
            elif mark in ",)":
                bare = word.strip()
                yield quoted if quoted is not None else None if bare.upper() == "NULL" else bare
                word, quoted = "", None
                if mark == ")":
                    return
            else:
                word += mark

    def _string(self, *, escaped: bool) -> str:
        text: list[str] = []
        while True:
            mark = self._next()
            if mark == "\\" and escaped:
                text.append(mark + self._next())
            elif mark != "'":
                text.append(mark)
            elif self._peek() == "'":
                text.append(self._next())
            else:
                return _unescaped("".join(text)) if escaped else "".join(text)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]


def _copied(field: str) -> str | None:
    return None if field == r"\N" else _unescaped(field)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_meant, text) if "\\" in text else text


def _meant(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _names(listed: str) -> list[str]:
    return [_bare(name) for name in re.findall(_NAME, listed)]
