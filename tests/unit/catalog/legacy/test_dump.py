"""The parts of a plain dump that a sample from pg_dump does not show."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.catalog.legacy.dump import read_dump

TEXTS = st.one_of(
    st.none(), st.text(st.sampled_from(string.printable + "\\é🏖'\"\t\n\r"), max_size=30)
)


def written(folder: Path, text: str) -> Path:
    file = folder / "library.sql"
    file.write_text(text, encoding="utf-8", newline="")
    return file


def copied(value: str | None) -> str:
    """A field as COPY writes it."""
    if value is None:
        return r"\N"
    escapes = {
        "\\": "\\\\",
        "\n": "\\n",
        "\t": "\\t",
        "\r": "\\r",
        "\b": "\\b",
        "\v": "\\v",
        "\f": "\\f",
    }
    return "".join(escapes.get(c, c) for c in value)


def quoted(value: str | None) -> str:
    """A value as INSERT has it, with standard_conforming_strings."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_copy_and_insert_give_back_every_text(
    tmp_path_factory: pytest.TempPathFactory, values: list[str | None]
) -> None:
    folder = tmp_path_factory.mktemp("dump")
    lines = "".join(f"{n}\t{copied(value)}\n" for n, value in enumerate(values))
    inserts = "".join(
        f"INSERT INTO public.photos (id, path) VALUES ({n}, {quoted(value)});\n"
        for n, value in enumerate(values)
    )
    copy = f"COPY public.photos (id, path) FROM stdin;\n{lines}\\.\n\n"
    for text in (copy, inserts):
        source = read_dump(written(folder, text))
        assert [row["path"] for row in source.tables["photos"].rows] == values


def test_escaped_strings_octal_and_hexadecimal(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "INSERT INTO photos (id, path) VALUES (1, E'a\\'b\\\\c\\n'), (2, 'x'), (3, NULL);\n"
        "COPY photos (id, path) FROM stdin;\n4\t\\101\\x42\n\\.\n",
    )
    paths = [row["path"] for row in read_dump(file).tables["photos"].rows]
    assert paths == ["a'b\\c\n", "x", None, "AB"]


def test_other_tables_and_commands_are_passed_over(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "\\restrict abc\nSET client_encoding = 'UTF8';\n"
        "COPY public.users (id, secret) FROM stdin;\n1\thunter2\n\\.\n"
        "COPY public.photos (id) FROM stdin;\n\\.\n"
        "SELECT pg_catalog.setval('public.photos_id_seq', 1, true);\n\\unrestrict abc\n",
    )
    source = read_dump(file)
    assert set(source.tables) == {"photos"}
    assert list(source.tables["photos"].rows) == []


@pytest.mark.parametrize(
    "text",
    [
        "COPY public.photos (id, path) FROM stdin;\n1\ta.jpg\n",
        "INSERT INTO photos (id, path) VALUES (1, 'a",
    ],
)
def test_a_dump_that_breaks_off_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidArgument, match="the dump ends in the middle of"):
        read_dump(written(tmp_path, text))


def test_a_row_of_another_width_is_refused(tmp_path: Path) -> None:
    text = "COPY public.photos (id, path) FROM stdin;\n1\n\\.\n"
    with pytest.raises(InvalidArgument, match="a row of photos has 1 values for 2 columns"):
        read_dump(written(tmp_path, text))
