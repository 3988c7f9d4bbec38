"""Reading an older library: from its database, and from every plain form that pg_dump writes."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from libs.errors import InvalidArgument, Unavailable
from services.catalog.legacy.account import digest_of
from services.catalog.legacy.rows import Source
from services.catalog.legacy.shape import fit_of, library_of
from services.catalog.legacy.source import read_source
from tests.support.engines import Databases
from tests.support.legacy.database import LegacyDatabase


@pytest.fixture(scope="module")
def newest(databases: Databases) -> LegacyDatabase:
    return LegacyDatabase(databases.fresh())


@pytest.fixture(scope="module")
def older(databases: Databases) -> LegacyDatabase:
    return LegacyDatabase(databases.fresh(), older=True)


def meaning(source: Source) -> object:
    return library_of({name: table.rows for name, table in source.tables.items()})


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--inserts",),
        ("--column-inserts",),
        ("--inserts", "--rows-per-insert=3"),
        ("--inserts", "--quote-all-identifiers"),
        ("--data-only",),
    ],
    ids=" ".join,
)
def test_a_dump_says_what_the_database_says(
    newest: LegacyDatabase, tmp_path: Path, options: Sequence[str]
) -> None:
    dumped = read_source(str(newest.dump(tmp_path / "library.sql", *options)))
    live = read_source(newest.url)
    assert meaning(dumped) == meaning(live)
    assert dumped.left_out == live.left_out == ["photos.embedding"]
    assert {name: set(t.columns) for name, t in dumped.tables.items()} == {
        name: set(t.columns) for name, t in live.tables.items()
    }


def test_a_dump_may_be_compressed(newest: LegacyDatabase, tmp_path: Path) -> None:
    plain = newest.dump(tmp_path / "library.sql")
    packed = tmp_path / "library.sql.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert digest_of(read_source(str(packed))) == digest_of(read_source(str(plain)))


def test_texts_arrive_as_they_were(newest: LegacyDatabase, tmp_path: Path) -> None:
    for place in (newest.url, str(newest.dump(tmp_path / "library.sql", "--inserts"))):
        library = library_of({n: t.rows for n, t in read_source(place).tables.items()})
        assert library.persona_of["1"].voice == 'dry,\tand\nshort \\ "quoted"'
        assert library.cluster_of["100"].prompt == "a cup,\nsteaming"
        assert library.runs[0].prompt == "it's \\ steaming"
        assert library.photo_of["20"].path == ""


def test_an_older_version_lacks_columns_and_says_so(older: LegacyDatabase) -> None:
    source = read_source(older.url)
    fit = fit_of(source)
    assert "pillar_cluster_assignments.primary" in fit.absent_columns
    assert "personas.caption_config" in fit.absent_columns
    assert "pipeline_runs.persona_id" in fit.absent_columns
    library = library_of({name: table.rows for name, table in source.tables.items()})
    assert not any(assignment.primary for assignment in library.assignments)
    assert [a.pillar for a in library.assignments_of["102"]] == ["10", "11"], (
        "by id, for want of a time"
    )


def test_unknown_columns_are_told_and_kept(newest: LegacyDatabase) -> None:
    source = read_source(newest.url)
    fit = fit_of(source)
    assert "photos.detected_objects" in fit.unknown_columns
    assert "pillar_cluster_assignments.notes" in fit.unknown_columns
    rows = {row["id"]: row for row in source.tables["photos"].rows}
    assert rows["1"]["detected_objects"] == '["cup"]'
    assert "embedding" not in rows["1"]


def test_a_dump_of_another_format_is_refused_with_the_way_out(
    newest: LegacyDatabase, tmp_path: Path
) -> None:
    custom = newest.dump(tmp_path / "library.dump", "--format=custom")
    with pytest.raises(InvalidArgument, match=r"pg_restore --file=library.sql library.dump"):
        read_source(str(custom))
    folder = newest.dump(tmp_path / "folder", "--format=directory")
    with pytest.raises(InvalidArgument, match="pg_restore"):
        read_source(str(folder))


def test_reading_takes_no_part_in_the_older_library(newest: LegacyDatabase) -> None:
    with psycopg.connect(newest.url) as other:
        # A writer of the older program that is not done yet neither waits nor is waited for.
        other.execute("UPDATE photos SET caption = 'changed'")
        source = read_source(newest.url)
        captions = {row["caption"] for row in source.tables["photos"].rows}
        assert "changed" not in captions
        other.rollback()


def test_what_is_no_older_library_is_refused(databases: Databases, tmp_path: Path) -> None:
    empty = databases.fresh().replace("+psycopg", "")
    with pytest.raises(InvalidArgument, match="holds no table of an older library"):
        read_source(empty)
    with pytest.raises(InvalidArgument, match="there is no file"):
        read_source(str(tmp_path / "nothing.sql"))
    with pytest.raises(Unavailable):
        read_source("postgresql://127.0.0.1:1/nobody")
    partial = tmp_path / "partial.sql"
    partial.write_text("COPY public.photos (id, path) FROM stdin;\n1\ta.jpg\n\\.\n")
    with pytest.raises(InvalidArgument, match=r"personas.*content_pillars.*photos\.persona_id"):
        fit_of(read_source(str(partial)))
