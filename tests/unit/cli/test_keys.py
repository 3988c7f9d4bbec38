"""Keys that the command makes are keys that the suite takes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from libs.errors import PermissionDenied, Unauthenticated
from libs.rpc.auth import Authenticator, read_keys


def create(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", "create", *arguments, "--file", str(file)])


def test_a_key_is_printed_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    made = create(file, "nora", "--scope", "catalog.read")
    assert made.exit_code == 0
    key = made.stdout.strip()
    assert made.stdout == f"{key}\n", "nothing but the key, for scripts"
    assert key not in file.read_text() + made.stderr
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_suite_takes_the_key_for_its_scopes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    reader = create(file, "nora", "--scope", "catalog.read,scheduler.*").stdout.strip()
    owner = create(file, "owner").stdout.strip()
    authenticator = Authenticator(read_keys(file))

    def check(key: str, scope: str) -> str:
        return authenticator.check({"authorization": f"Bearer {key}"}, scope)

    assert check(reader, "catalog.read") == check(reader, "scheduler.write") == "nora"
    assert check(owner, "catalog.write") == "owner"
    with pytest.raises(PermissionDenied):
        check(reader, "catalog.write")
    with pytest.raises(Unauthenticated):
        check(reader[:-1], "catalog.read")


@pytest.mark.parametrize("scope", ["catalog.fly", "catalog", "public", "Catalog.read"])
def test_a_scope_that_no_method_asks_for_makes_no_key(tmp_path: Path, scope: str) -> None:
    file = tmp_path / "keys"
    refused = create(file, "nora", "--scope", f"{scope},scheduler.read")
    assert refused.exit_code == 2
    told = " ".join(refused.stderr.split())
    assert told.startswith(f"scope: there is no {scope}; there are *, catalog.*, catalog.read, ")
    assert not file.exists()
    assert refused.stdout == ""


def test_the_list_shows_holders_and_scopes_only(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    create(file, "nora", "--scope", "catalog.read")
    create(file, "owner")
    shown = CliRunner().invoke(app, ["keys", "list", "--file", str(file)])
    assert shown.stdout.splitlines() == ["nora: catalog.read", "owner: *"]


def test_a_holder_must_fit_into_the_file(tmp_path: Path) -> None:
    refused = create(tmp_path / "keys", "nora:*")
    assert refused.exit_code == 2
    assert "holder" in refused.stderr
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("line", ["nora", "nora:*", "nora:*:short", f"nora::{'0' * 64}", "a:b:c:d"])
def test_a_line_that_is_no_key_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "keys"
    create(file, "owner")
    file.write_text(f"# who may call\n\n{file.read_text()}{line}\n")
    with pytest.raises(ValueError, match=r"keys:4: a line is holder:scope"):
        read_keys(file)


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# nobody yet\n")
    with pytest.raises(Unauthenticated):
        Authenticator(read_keys(file)).check({}, "catalog.read")
