"""What the demo starts, and what has a say in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo import children
from demo.children import Ports, running
from services.engines import Engines
from services.settings import Settings


class Told(Exception):
    """Ends the demo where it would start its engines, and tells by which settings."""


def test_settings_of_other_suites_have_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def told(settings: Settings, _data: Path) -> Iterator[Engines]:
        raise Told(settings)
        yield

    class Nothing:
        def __getattr__(self, _name: str) -> object:
            return lambda *_arguments: None

    # What it forgets comes back for the tests after this one.
    monkeypatch.setenv("COLONNADE_SHARED", "/somewhere")
    monkeypatch.setattr(children, "engines", told)
    monkeypatch.setattr(children, "_buffer", lambda *_arguments: Nothing())
    monkeypatch.setenv("COLONNADE_REDIS__URL", "redis://production:6379/0")
    monkeypatch.setenv("colonnade_scheduler__tick_every", "not a number")
    with pytest.raises(Told) as raised, running(tmp_path, Ports(1, 2, 3, 4)):
        pass
    (settings,) = raised.value.args
    assert settings == Settings(data=(tmp_path / "suite").absolute())
    assert not [name for name in os.environ if name.upper().startswith("COLONNADE_")]
