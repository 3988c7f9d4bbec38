"""The gRPC services of the contracts, found in the packages that define them."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import colonnade
from google.protobuf.descriptor import ServiceDescriptor

Services = Mapping[str, tuple[ServiceDescriptor, ...]]


def _found() -> Iterator[tuple[str, ServiceDescriptor]]:
    root = Path(colonnade.__path__[0])
    for file in sorted(root.glob("*/v1/*_service_pb2.py")):
        package = file.parts[-3]
        module = importlib.import_module(f"colonnade.{package}.v1.{file.stem}")
        for descriptor in module.DESCRIPTOR.services_by_name.values():
            yield package, descriptor


def _by_package() -> Services:
    services: dict[str, tuple[ServiceDescriptor, ...]] = {}
    for package, descriptor in _found():
        services[package] = (*services.get(package, ()), descriptor)
    return services


SERVICES: Services = _by_package()
"""The services of each part of the suite: ``{"catalog": (CatalogService, …), …}``."""
