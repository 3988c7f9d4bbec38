"""The models, made once for all tests of this folder."""

from pathlib import Path

import pytest

from services.embedding.recipes import find_weights
from services.embedding.repository import ModelRepository, StoredModel


@pytest.fixture(scope="session")
def weights() -> Path:
    """The weights of the built-in network; skips where their package is not installed."""
    found = find_weights()
    if found is None:
        pytest.skip("the package of the weights is not installed")
    return found


@pytest.fixture(scope="session")
def lite0(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredModel:
    """The built-in network."""
    return ModelRepository(tmp_path_factory.mktemp("lite0"), weights).built_in()


@pytest.fixture(scope="session")
def descriptor(tmp_path_factory: pytest.TempPathFactory) -> StoredModel:
    """What takes its place without the package."""
    return ModelRepository(tmp_path_factory.mktemp("descriptor"), None).built_in()
