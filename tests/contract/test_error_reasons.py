"""Every reason that an error can carry is declared: in its service's contract, or as a shared one.

The code is read, not run: each ``reason="…"`` of an error that is made, and each class attribute
``reason`` of an error class.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from colonnade.catalog.v1.error_reason_pb2 import CatalogErrorReason
from colonnade.clustering.v1.error_reason_pb2 import ClusteringErrorReason
from colonnade.embedding.v1.error_reason_pb2 import EmbeddingErrorReason
from colonnade.scheduler.v1.error_reason_pb2 import SchedulerErrorReason

from libs import errors

ROOT = Path(__file__).parents[2]
ENUMS = {
    "catalog": CatalogErrorReason,
    "clustering": ClusteringErrorReason,
    "embedding": EmbeddingErrorReason,
    "scheduler": SchedulerErrorReason,
}
ERRORS = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.ColonnadeError)
}
# Reasons that any service may send, besides those of the classes of libs.errors.
SHARED = {
    "REQUEST_ID_REUSED",  # the request_id came before, with another request
    "STALE_ETAG",  # the etag that was sent is not that of the resource any more
}
# Reasons of the image decoder, which the services that decode declare.
OF_IMAGES = {"UNSUPPORTED_IMAGE", "DAMAGED_IMAGE", "IMAGE_TOO_LARGE"}
# Reasons of the gateway itself: what HTTP can get wrong before any service is asked.
GATEWAY = {
    "BODY_TOO_LARGE",
    "LOCAL_ONLY",
    "METHOD_NOT_ALLOWED",
    "METHOD_NOT_SERVED",
    "RANGE_NOT_SATISFIABLE",
    "ROUTE_NOT_FOUND",
    "SERVICE_UNREACHABLE",
    "UNSUPPORTED_MEDIA_TYPE",
    "WEBHOOK_SIGNATURE",
    "WEBHOOK_UNKNOWN",
}
# Reasons that never reach a caller, and where they end instead.
INTERNAL = {
    "ADOPTED_TWICE": "stops the reconciliation of one publication",
    "ALREADY_MIGRATED": "the output of colonnade migrate",
    "MIGRATION_RUNNING": "the output of colonnade migrate",
    "NO_GATE": "the output of colonnade migrate",
    "NO_MIGRATION": "the output of colonnade migrate",
    "OTHER_SOURCE": "the output of colonnade migrate",
    "LEASE_LOST": "stops a worker whose row another one has taken over",
    "SCHEMA_OUTDATED": "the process refuses to start",
    "TOO_FEW_LABELS": "the output of colonnade eval",
}


def declared(service: str) -> set[str]:
    """The reasons in the service's contract, without their prefix."""
    prefix = f"{service.upper()}_ERROR_REASON_"
    return {name.removeprefix(prefix) for name in ENUMS[service].DESCRIPTOR.values_by_name} - {
        "UNSPECIFIED"
    }


def general() -> set[str]:
    return {error.reason for error in ERRORS.values()} | SHARED


def reasons_in(folder: str) -> dict[str, str]:
    """The reasons that the code of ``folder`` gives to errors, and where it does so last."""
    found = {}
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for value in _reasons(node):
                found[value] = f"{file.relative_to(ROOT)}:{node.lineno}"  # type: ignore[attr-defined]
    return found


def _reasons(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and _makes_error(node.func):
        for keyword in node.keywords:
            if keyword.arg == "reason":
                yield from _texts(keyword.value)
    elif isinstance(node, ast.ClassDef):
        for statement in node.body:
            if isinstance(statement, ast.Assign) and _is_named(statement.targets[0], "reason"):
                yield from _texts(statement.value)


def _makes_error(function: ast.expr) -> bool:
    """``NotFound(…)``, ``errors.NotFound(…)`` or ``InvalidArgument.of(…)``."""
    if isinstance(function, ast.Attribute):
        return function.attr in ERRORS or _makes_error(function.value)
    return isinstance(function, ast.Name) and function.id in ERRORS


def _is_named(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def _texts(value: ast.expr) -> Iterator[str]:
    """The texts in an expression such as ``"A" if small else "B"``."""
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("service", sorted(ENUMS))
def test_a_service_gives_only_reasons_of_its_contract(service: str) -> None:
    allowed = declared(service) | general() | set(INTERNAL)
    found = reasons_in(f"services/{service}")
    assert {reason: at for reason, at in found.items() if reason not in allowed} == {}


def test_shared_code_gives_only_shared_reasons() -> None:
    allowed = general() | set(INTERNAL) | OF_IMAGES
    assert (declared("catalog") & declared("embedding")).issuperset(OF_IMAGES)
    assert {r: at for r, at in reasons_in("libs").items() if r not in allowed} == {}


def test_the_gateway_gives_only_reasons_of_its_own_list() -> None:
    found = reasons_in("gateway")
    assert {r: at for r, at in found.items() if r not in general() | GATEWAY} == {}
    assert set(found) >= GATEWAY, "the list holds no reason that nobody gives"


@pytest.mark.parametrize("service", sorted(ENUMS))
def test_no_contract_repeats_a_shared_reason(service: str) -> None:
    assert declared(service) & general() == set()


@pytest.mark.parametrize("service", sorted(ENUMS))
def test_every_declared_reason_is_given_somewhere(service: str) -> None:
    texts = "\n".join(
        file.read_text()
        for folder in (f"services/{service}", "libs")
        for file in (ROOT / folder).rglob("*.py")
    )
    assert {reason for reason in declared(service) if f'"{reason}"' not in texts} == set()
