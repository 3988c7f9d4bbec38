"""Who may import whom. The rules themselves are in pyproject.toml, under ``tool.importlinter``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from libs.app import closure
from services.targets import MODULES

ROOT = Path(__file__).parents[2]


def test_the_import_rules_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == 0, capsys.readouterr().out


def imported_by(target: str) -> set[str]:
    """The top-level packages that opening the modules of ``target`` imports."""
    openers = [module.open for module in closure(MODULES, target) if module.open]
    script = (
        "import json, sys\n"
        "from libs.app import resolve\n"
        f"for opener in {openers!r}: resolve(opener)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(ran.stdout))


@pytest.mark.parametrize(
    ("target", "without"),
    [
        ("catalog", {"onnxruntime", "qdrant_client", "celery"}),
        ("embedding", {"sqlalchemy", "celery", "qdrant_client"}),
        ("gateway", {"onnxruntime", "sqlalchemy", "celery", "qdrant_client", "PIL"}),
        ("relay", {"onnxruntime", "celery", "qdrant_client", "PIL"}),
    ],
)
def test_a_part_does_not_load_what_only_others_need(target: str, without: set[str]) -> None:
    assert imported_by(target) & without == set()
