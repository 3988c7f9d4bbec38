"""Forms with a file, streamed."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.multipart import FormReader
from gateway.scalars import Mismatch

KIND = "multipart/form-data; boundary=XyZ"


def part(name: str, content: bytes, file_name: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"'
    if file_name is not None:
        disposition += f'; filename="{file_name}"'
    return f"--XyZ\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


END = b"--XyZ--\r\n"


async def chunked(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(
    body: bytes, size: int = 7, kind: str = KIND
) -> tuple[list[tuple[str, str]], str, bytes]:
    form = FormReader(kind, chunked(body, size))
    fields = await form.fields()
    return fields, form.file_name, b"".join([chunk async for chunk in form.file()])


@given(st.binary(max_size=300), st.integers(1, 64))
async def test_fields_and_file_however_they_are_cut(content: bytes, size: int) -> None:
    body = part("tags", b"a") + part("tags", "é".encode()) + part("file", content, "p 1.jpg") + END
    fields, file_name, data = await read(body, size)
    assert fields == [("tags", "a"), ("tags", "é")]
    assert file_name == "p 1.jpg"
    assert data == content


async def test_a_file_without_a_name() -> None:
    assert await read(part("file", b"x") + END) == ([], "", b"x")


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        (part("tags", b"a") + END, "file", "has no file in a part named 'file'"),
        (END, "file", "has no file"),
        (b"", "file", "has no file"),
        (b"garbage", "", "is not a form"),
        (part("file", b"x") + part("tags", b"a") + END, "tags", "comes after the file"),
        (part("file", b"x") + part("file", b"y") + END, "file", "comes after the file"),
        (part("tags", b"\xff") + part("file", b"x") + END, "tags", "is not UTF-8"),
        (part("tags", b"a" * 70_000) + part("file", b"x") + END, "tags", "is longer than 65536"),
        (part("t", b"") * 300 + part("file", b"x") + END, "", "has more than 200 parts"),
    ],
)
async def test_forms_that_are_refused(body: bytes, path: str, text: str) -> None:
    with pytest.raises(Mismatch) as caught:
        await read(body, 1000)
    assert caught.value.path == path
    assert text in caught.value.description


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 300}"]
)
async def test_a_form_needs_a_boundary(kind: str) -> None:
    with pytest.raises(Mismatch, match="has no usable boundary"):
        await read(END, kind=kind)


async def test_the_file_is_handed_on_as_it_comes_in() -> None:
    seen: list[int] = []

    async def slowly() -> AsyncIterator[bytes]:
        yield part("file", b"")[:-2]
        for number in range(5):
            seen.append(number)
            yield b"0123456789" * 10
        yield b"\r\n" + END

    form = FormReader(KIND, slowly())
    await form.fields()
    assert seen == []
    first = await anext(form.file())
    assert first
    assert len(seen) == 1
