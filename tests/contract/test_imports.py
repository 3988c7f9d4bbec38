"""Who may import whom. The rules themselves are in pyproject.toml, under ``tool.importlinter``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from libs.app import closure
from services.targets import MODULES

ROOT = Path(__file__).parents[2]


def test_the_import_rules_hold() -> None:
    # In a process of its own: the linter sets up logging and silences every logger there is.
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    ran = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


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
        ("catalog", {"onnxruntime", "qdrant_client"}),
        ("embedding", {"sqlalchemy", "celery", "qdrant_client"}),
        ("gateway", {"onnxruntime", "sqlalchemy", "celery", "qdrant_client", "PIL"}),
        ("relay", {"onnxruntime", "celery", "qdrant_client", "PIL"}),
    ],
)
def test_a_part_does_not_load_what_only_others_need(target: str, without: set[str]) -> None:
    assert imported_by(target) & without == set()
