"""What is PostgreSQL's own: roles and schemas, users, sockets and what a kill leaves behind."""

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from libs.embedded.postgres import UNSAFE_FOR_TESTS, PostgresServer, running_url

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give its rights up")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    folder = tmp_path_factory.mktemp("postgres")
    with PostgresServer(folder, settings=UNSAFE_FOR_TESTS) as started:
        yield started


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def value(url: str, query: str) -> object:
    with connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_a_service_works_in_its_own_schema_by_default(server: PostgresServer) -> None:
    url = server.ensure_service("catalog")
    with connect(url) as connection:
        connection.execute("CREATE TABLE photo (id int)")

    schema = value(url, "SELECT schemaname FROM pg_tables WHERE tablename = 'photo'")

    assert schema == "catalog"
    assert value(url, "SELECT current_user") == "catalog"


def test_another_process_finds_the_server_by_its_folder(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.ensure_service("catalog")
    url = running_url(server.data, "catalog")
    assert url is not None
    assert value(url, "SELECT current_user") == "catalog"
    assert running_url(tmp_path, "catalog") is None
    with PostgresServer(tmp_path / "own", settings=UNSAFE_FOR_TESTS) as other:
        assert running_url(other.data, "catalog") is not None
    assert running_url(other.data, "catalog") is None


def test_a_service_has_no_right_on_the_schema_of_another(server: PostgresServer) -> None:
    mine, other = server.ensure_service("clustering"), server.ensure_service("embedding")
    with connect(mine) as connection:
        connection.execute("CREATE TABLE run (id int)")

    for statement in (
        "SELECT * FROM clustering.run",
        "CREATE TABLE clustering.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
    ):
        with connect(other) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
    assert value(other, "SELECT has_schema_privilege('public', 'USAGE')") is False


def test_ensuring_a_service_again_changes_nothing(server: PostgresServer) -> None:
    url = server.ensure_service("scheduler")
    with connect(url) as connection:
        connection.execute("CREATE TABLE post AS SELECT 7 AS id")

    assert server.ensure_service("scheduler") == url
    assert value(url, "SELECT id FROM post") == 7


def test_a_service_name_is_a_plain_word(server: PostgresServer) -> None:
    with pytest.raises(ValueError, match="service name"):
        server.ensure_service('x"; DROP ROLE colonnade; --')


def test_a_password_is_needed_on_the_port_and_on_the_socket(
    server: PostgresServer, tmp_path: Path
) -> None:
    for host in ("127.0.0.1", str(server.data / "run")):
        where = f"host={host} port={server.port} user=colonnade dbname=postgres"
        for password in (None, "guess"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(where, password=password, passfile=str(tmp_path / "none"))
    assert stat.S_IMODE((server.data / "run").stat().st_mode) == 0o700


def test_a_database_is_a_copy_with_its_schemas_and_rights(server: PostgresServer) -> None:
    server.create_database("prepared", template="template1")
    server.ensure_service("publisher", database="prepared")
    with connect(server.url_of("publisher", database="prepared")) as connection:
        connection.execute("CREATE TABLE post AS SELECT 7 AS id")

    server.create_database("copy", template="prepared")

    copied = server.url_of("publisher", database="copy")
    with connect(copied) as open_meanwhile:
        assert open_meanwhile.execute("SELECT id FROM publisher.post").fetchone() == (7,)
        server.drop_database("copy")
    server.drop_database("copy")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        connect(copied)


def test_it_is_set_up_for_text_of_any_kind_and_a_small_machine(server: PostgresServer) -> None:
    assert value(server.url, "SHOW server_encoding") == "UTF8"
    assert value(server.url, "SHOW shared_buffers") == "32MB"
    assert value(server.url, "SHOW fsync") == "off"
    assert value(server.url, "SHOW listen_addresses") == "127.0.0.1"


def test_an_open_connection_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path)
    url = server.start()
    with connect(url) as idle:
        server.stop()
        assert server.child is not None and server.child.exit_code == 0
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")


def test_a_crash_then_leftovers_of_every_kind(tmp_path: Path) -> None:
    """Killed; its process id now belongs to a stranger; and an unfinished initdb lies about."""
    server = PostgresServer(tmp_path)
    url = server.start()
    assert server.child is not None and server.child.pid is not None
    os.kill(server.child.pid, signal.SIGKILL)
    server.stop()
    pid_file = tmp_path / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]))
    (tmp_path / "cluster.new").mkdir()
    (tmp_path / "cluster.new" / "half").write_text("made")

    assert server.start() == url
    assert value(url, "SELECT 1") == 1
    server.stop()


def test_a_long_data_folder_moves_the_socket_and_cleans_up(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    server = PostgresServer(folder, settings=UNSAFE_FOR_TESTS)
    url = server.start()

    socket_folder = Path(str(value(url, "SHOW unix_socket_directories")))

    assert str(socket_folder).startswith(f"{tempfile.gettempdir()}/colonnade-")
    assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    server.stop()
    assert not socket_folder.exists()


@as_root
def test_as_root_in_a_folder_that_everybody_may_enter_it_runs_as_nobody() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        with PostgresServer(folder / "data", settings=UNSAFE_FOR_TESTS) as server:
            assert server.child is not None
            assert Path(f"/proc/{server.child.pid}").stat().st_uid == 65534
            assert (folder / "data" / "cluster").stat().st_uid == 65534
            assert (folder / "data" / "passwords.json").stat().st_uid == 0
            server.ensure_service("catalog")
        # The same data where nobody cannot come: it changes hands and opens all the same.
        folder.chmod(0o700)
        with PostgresServer(folder / "data", settings=UNSAFE_FOR_TESTS) as server:
            assert value(server.url_of("catalog"), "SELECT current_user") == "catalog"
            assert (folder / "data" / "cluster" / "base").stat().st_uid == 0
    finally:
        shutil.rmtree(folder)
