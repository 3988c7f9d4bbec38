"""Puts the project's own packages on the path of the virtual environment that runs this."""

import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Read by the shell first, as a path with spaces, or a long one, cannot stand in the first line.
SCRIPT = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
from cli.main import main

main()
"""


def link() -> None:
    """Writes a path file and the ``colonnade`` command; no build back end is needed for that."""
    paths = sysconfig.get_paths()
    (Path(paths["purelib"]) / "colonnade.pth").write_text(f"{ROOT}\n{ROOT / 'protos' / 'gen'}\n")
    command = Path(paths["scripts"]) / "colonnade"
    command.write_text(SCRIPT.format(python=Path(paths["scripts"]) / "python"))
    command.chmod(0o755)


if __name__ == "__main__":
    link()
