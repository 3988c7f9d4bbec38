"""Where the shared test photos and models are, if they are here at all."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("COLONNADE_SHARED", Path(__file__).parents[3] / "shared"))

needs_shared = pytest.mark.skipif(
    not (SHARED / "photos").is_dir(),
    reason="the folder of shared test photos and models is not beside the project",
)
