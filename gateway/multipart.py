"""Reading a form with one file as it streams in: first the fields, then the file's bytes."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.scalars import Mismatch

FILE = "file"
_MAX_FIELD_BYTES = 64 * 2**10
_MAX_FIELDS = 200


@dataclass(slots=True)
class _Part:
    """A part that has begun. ``data`` collects the bytes of a field, or those not yet taken of
    the file."""

    name: str
    file_name: str
    data: deque[bytes] = field(default_factory=deque)
    size: int = 0

    @property
    def is_file(self) -> bool:
        return self.name == FILE


class FormReader:
    """Reads ``multipart/form-data`` whose last part is the file, in the part named ``file``.

    The fields must come first, because what they say is sent on before the file's bytes are.
    """

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._parts: list[_Part] = []
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._parser = self._make_parser(content_type)

    async def fields(self) -> list[tuple[str, str]]:
        """The fields before the file, with their texts.

        Raises:
            Mismatch: the form is malformed, has no file, or has too much before it.
        """
        while self._file() is None:
            if not await self._advance():
                raise Mismatch(f"the form has no file in a part named {FILE!r}").within(FILE)
        return [(part.name, _text(part)) for part in self._parts if not part.is_file]

    @property
    def file_name(self) -> str:
        """The file's name as the form says it, or empty. Known once ``fields`` has returned."""
        file = self._file()
        return file.file_name if file is not None else ""

    async def file(self) -> AsyncIterator[bytes]:
        """The bytes of the file as they come in.

        Raises:
            Mismatch: the form is malformed, or goes on after the file.
        """
        file = self._file()
        more = True
        while more and file is not None:
            while file.data:
                yield file.data.popleft()
            more = await self._advance()
            self._check_file_is_last()

    def _file(self) -> _Part | None:
        return next((part for part in self._parts if part.is_file), None)

    def _check_file_is_last(self) -> None:
        if not self._parts[-1].is_file or sum(part.is_file for part in self._parts) > 1:
            raise Mismatch("comes after the file; send it before").within(self._parts[-1].name)

    async def _advance(self) -> bool:
        """Parses the next chunk; False at the end of the body."""
        try:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._parser.finalize()
                return False
            self._parser.write(chunk)
        except FormParserError as error:
            raise Mismatch(f"is not a form: {error}") from None
        return True

    def _make_parser(self, content_type: str) -> MultipartParser:
        _, options = parse_options_header(content_type)
        try:
            return MultipartParser(
                options[b"boundary"],
                {
                    "on_header_field": self._on_header_name,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                },
            )
        except (KeyError, FormParserError):
            raise Mismatch("has no usable boundary").within("content-type") from None

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = b""
        name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        self._parts.append(_Part(name, file_name))
        if len(self._parts) > _MAX_FIELDS:
            raise Mismatch(f"has more than {_MAX_FIELDS} parts")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.data.append(data[start:end])
        part.size += end - start
        if not part.is_file and part.size > _MAX_FIELD_BYTES:
            raise Mismatch(f"is longer than {_MAX_FIELD_BYTES} bytes").within(part.name)


def _text(part: _Part) -> str:
    try:
        return b"".join(part.data).decode("utf-8")
    except UnicodeDecodeError:
        raise Mismatch("is not UTF-8").within(part.name) from None
