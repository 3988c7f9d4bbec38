"""Qdrant's gRPC messages and stubs, without the rest of its client.

Measured: ``import qdrant_client`` takes 1.5 s and 60 MB on top of grpc, because it builds all
its REST models, which a gRPC caller never touches; the stubs alone take 0.1 s and 4 MB. They lie
in a package of their own with only relative imports, so they load under another name without
running the client's ``__init__``. A process may import the whole client besides.
"""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["qdrant"]


def _load() -> ModuleType:
    client = find_spec("qdrant_client")
    if client is None or not client.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'qdrant_client'", name="qdrant_client")
    folder = Path(client.submodule_search_locations[0]) / "grpc"
    name = f"{__name__}.qdrant"
    spec = spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from qdrant_client import grpc as qdrant
else:
    qdrant = _load()
