"""Settings: defaults that run on a laptop, files over them, and no secret shown."""

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from libs.settings import DatabaseSettings, ListenSettings, Part, differences
from services.settings import DatabaseOverrides, PeerSettings, Settings, load_settings

SECRET = "correct-horse-battery-staple"


def parts(model: BaseModel, path: str = "") -> list[tuple[str, BaseModel]]:
    """The settings and every part of them, by path."""
    found = [(path, model)]
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found += parts(value, f"{path}.{name}".lstrip("."))
    return found


def written(folder: Path, text: str) -> Path:
    file = folder / "suite.toml"
    file.write_text(text)
    return file


def test_everything_has_a_default_and_says_what_it_is() -> None:
    for path, part in parts(Settings()):
        for name, field in type(part).model_fields.items():
            assert not field.is_required(), f"{path}.{name}"
            nested = isinstance(getattr(part, name), BaseModel)
            assert nested or field.description, f"{path}.{name} has no description"


def test_a_file_wins_over_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, 'env = "staging"\n[catalog]\nmax_bytes = 1000\n')
    settings = load_settings(file)
    assert (settings.env, settings.catalog.max_bytes) == ("staging", 1000)
    assert settings.catalog.max_pixels == Settings().catalog.max_pixels


def test_what_the_command_line_says_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'data = "from-file"\n')
    assert load_settings(file).data == Path("from-file")
    assert load_settings(file, data=tmp_path).data == tmp_path


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[catalog]\nmax_byte = 1000\n", "catalog.max_byte"),
        ("[catalogue]\nmax_bytes = 1000\n", "catalogue"),
        ("[grpc]\nport = 70000\n", "grpc.port"),
        ('env = "Not Fit"\n', "env"),
        ('[log]\nlevel = "loud"\n', "log.level"),
        ('[scheduler]\nmedia_base_url = "ftp://here"\n', "scheduler.media_base_url"),
        ('[worker]\nqueues = ["mail"]\n', "worker.queues.0"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        load_settings(written(tmp_path, text))
    places = [".".join(str(part) for part in error["loc"]) for error in refused.value.errors()]
    assert places == [named]


@pytest.mark.parametrize("content", [b"port = [\n", b"\xff\xfe"], ids=["broken", "no text"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "suite.toml"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"suite\.toml is no TOML: "):
        load_settings(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no settings file .*nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_settings_cannot_be_changed() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        setattr(settings, "env", "other")  # noqa: B010  # mypy knows that it is frozen
    with pytest.raises(ValidationError):
        setattr(settings.catalog, "max_bytes", 1)  # noqa: B010


def test_a_service_may_have_a_database_of_its_own() -> None:
    settings = Settings(
        database=DatabaseSettings(url=SecretStr("postgresql+psycopg://shared")),
        databases=DatabaseOverrides(
            catalog=DatabaseSettings(url=SecretStr("postgresql+psycopg://own"))
        ),
    )
    assert settings.database_url("catalog") == "postgresql+psycopg://own"
    assert settings.database_url("scheduler") == "postgresql+psycopg://shared"
    assert Settings().database_url("catalog") is None


def test_a_service_may_be_more_patient_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLONNADE_DATABASE__TIMEOUT", "60")
    monkeypatch.setenv("COLONNADE_DATABASE__POOL_SIZE", "6")
    monkeypatch.setenv("COLONNADE_DATABASES__CLUSTERING__TIMEOUT", "5")
    settings = Settings()
    told = {name: settings.database_of(name) for name in ("catalog", "clustering")}
    assert {name: (of.timeout, of.pool_size) for name, of in told.items()} == {
        "catalog": (60, 6),
        "clustering": (5, 6),
    }


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_what_only_this_machine_can_reach(host: str, expected: bool) -> None:
    assert ListenSettings(host=host).is_loopback is expected


class Account(Part):
    """A part with a secret."""

    name: str = "nobody"
    password: SecretStr | None = None


class Sample(Part):
    """Settings with a part."""

    size: int = 3
    account: Account = Account()


def test_differences_are_shown_and_secrets_are_not() -> None:
    settings = Sample(account=Account(password=SecretStr(SECRET)))
    shown = differences(settings, Sample())
    assert shown.keys() == {"account"}
    assert shown["account"].keys() == {"password"}
    assert SECRET not in str(shown)


def test_without_differences_nothing_is_shown() -> None:
    assert differences(Settings(), Settings()) == {}


def test_peers_are_where_the_services_listen_by_default() -> None:
    assert PeerSettings().scheduler == "127.0.0.1:50054"
