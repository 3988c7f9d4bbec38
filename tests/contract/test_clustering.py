"""Every method of the clustering service is called by a test of it, over gRPC."""

import ast
from pathlib import Path

from colonnade.clustering.v1 import clustering_service_pb2

from services.clustering.servicer import ClusteringServicer

TESTS = Path(__file__).parents[1]
FOLDERS = (TESTS / "integration" / "clustering", TESTS / "support" / "clustering")
SERVICE = clustering_service_pb2.DESCRIPTOR.services_by_name["ClusteringService"]


def called() -> set[str]:
    """The methods that are called on something named ``stub``."""
    found = set()
    for folder in FOLDERS:
        for file in folder.glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    owner = node.func.value
                    if "stub" in (getattr(owner, "id", ""), getattr(owner, "attr", "")):
                        found.add(node.func.attr)
    return found


def test_every_method_is_served_and_called() -> None:
    methods = {method.name for method in SERVICE.methods}
    assert methods - called() == set()
    assert methods - vars(ClusteringServicer).keys() == set()
