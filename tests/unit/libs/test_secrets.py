"""What is derived from the secret of an installation."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libs.errors import InvalidArgument
from libs.secrets import Secrets


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret"
    sealed = Secrets.of_file(file).seal("token")
    assert file.stat().st_mode & 0o777 == 0o600
    assert Secrets.of_file(file).unseal(sealed) == "token"
    assert [entry.name for entry in file.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("text", ["", "\n", "short"])
def test_a_secret_that_anybody_can_guess_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    with pytest.raises(ValueError, match="at least 32"):
        Secrets.of_file(file)


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: Secrets.of_file(tmp_path / "secret"), range(64)))
    sealed = made[0].seal("token")
    assert {secrets.unseal(sealed) for secrets in made} == {"token"}


def test_what_is_sealed_does_not_show_and_needs_the_same_secret() -> None:
    sealed = Secrets(b"one").seal("token")
    assert "token" not in sealed
    assert Secrets(b"one").unseal(sealed) == "token"
    with pytest.raises(ValueError, match="another secret"):
        Secrets(b"two").unseal(sealed)


def test_page_tokens_of_one_installation_are_refused_by_another() -> None:
    token = Secrets(b"one").page_tokens().token(("a", 1), "photos")
    assert Secrets(b"one").page_tokens().request(10, token, "photos").after == ("a", 1)
    with pytest.raises(InvalidArgument):
        Secrets(b"two").page_tokens().request(10, token, "photos")
