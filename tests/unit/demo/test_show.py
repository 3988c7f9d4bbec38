"""How the demo tells what it does."""

import pytest

from demo.show import Show


def test_names_are_told_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show, name = Show(), "[final] cup[/1].jpg"
    show.heading(name)
    show.done(name)
    show.there(name)
    show.step(name)
    show.detail(name)
    told = [line.strip() for line in capsys.readouterr().out.splitlines() if line]
    assert told == [
        f"1. {name}",
        f"✓ {name}",
        f"· {name} (already there)",
        f"… {name}",
        name,
    ]
