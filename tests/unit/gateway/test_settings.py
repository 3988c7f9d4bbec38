"""The secrets of webhooks: an empty or short one would let anybody in."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from libs.settings import problems_of
from services.settings import load_settings

LONG = "0123456789abcdef"
# What base64 says behind the prefix has 16 bytes.
STANDARD = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="


@pytest.mark.parametrize(
    ("name", "secret"),
    [("github", LONG), ("desk", STANDARD), ("acme/github", LONG), ("help-desk-2", "é" * 8)],
)
def test_names_and_secrets_that_are_taken(name: str, secret: str) -> None:
    found = GatewaySettings.model_validate({"webhooks": {name: secret}}).webhooks
    assert found[name].get_secret_value() == secret


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("github", ""),
        ("github", LONG[1:]),
        ("desk", "whsec_"),
        ("desk", "whsec_MDEyMzQ1Njc4OWFiY2Rl"),
        ("desk", "whsec_no base64, however long"),
        ("desk", "whsec_é" * 4),
        ("", LONG),
        ("Git Hub", LONG),
        ("/github", LONG),
        ("acme/", LONG),
        ("Not A Project/github", LONG),
        ("acme/lumen/github", LONG),
    ],
)
def test_names_and_secrets_that_are_refused(name: str, secret: str) -> None:
    with pytest.raises(ValidationError) as caught:
        GatewaySettings.model_validate({"webhooks": {name: secret}})
    assert name in problems_of(caught.value)
    assert not secret or secret not in problems_of(caught.value)


def test_an_empty_secret_in_the_environment_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "suite.toml"
    file.write_text("")
    monkeypatch.setenv("COLONNADE_GATEWAY__WEBHOOKS__GITHUB", LONG)
    assert load_settings(file).gateway.webhooks["github"].get_secret_value() == LONG
    monkeypatch.setenv("COLONNADE_GATEWAY__WEBHOOKS__GITHUB", "")
    with pytest.raises(ValueError, match="secret of github"):
        load_settings(file)
