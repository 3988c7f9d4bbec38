"""Every method of the clustering service is called by a test of it, over gRPC."""

import ast
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from services.clustering.module import GENERATIONS, SEARCH, SERVICE
from services.clustering.servicer import ClusteringServicer
from services.clustering.servicers.generations import GenerationServicer
from services.clustering.servicers.search import SearchServicer

TESTS = Path(__file__).parents[1]
FOLDERS = (TESTS / "integration" / "clustering", TESTS / "support" / "clustering")
SERVED = (
    (SERVICE, ClusteringServicer),
    (SEARCH, SearchServicer),
    (GENERATIONS, GenerationServicer),
)


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


@pytest.mark.parametrize(("service", "servicer"), SERVED)
def test_every_method_is_served_and_called(service: ServiceDescriptor, servicer: type) -> None:
    methods = {method.name for method in service.methods}
    assert methods - called() == set()
    assert methods - vars(servicer).keys() == set()
