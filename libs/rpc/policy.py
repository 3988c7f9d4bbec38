"""What the contracts say of each method: scope, idempotence, default deadline."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from colonnade.options.v1 import options_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

DEFAULT_TIMEOUT = 10.0
PUBLIC = "public"
# What one message may have at most, on both sides of every call.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one method. ``timeout`` is in seconds."""

    scope: str
    idempotent: bool
    timeout: float


def path_of(method: MethodDescriptor) -> str:
    """The path of a method on the wire, ``/colonnade.catalog.v1.CatalogService/GetPhoto``."""
    return f"/{method.containing_service.full_name}/{method.name}"


def policy_of(method: MethodDescriptor) -> Policy:
    """The policy of ``method``. Raises ValueError when the contract states no scope."""
    option = method.GetOptions().Extensions[options_pb2.policy]
    if not option.scope:
        raise ValueError(f"{method.full_name} has no scope in its policy option")
    timeout = option.default_timeout.ToMilliseconds() / 1000 or DEFAULT_TIMEOUT
    return Policy(option.scope, option.idempotent, timeout)


def methods_of(services: Iterable[ServiceDescriptor]) -> Iterator[MethodDescriptor]:
    """Every method of ``services``."""
    for service in services:
        yield from service.methods


def policies_of(services: Iterable[ServiceDescriptor]) -> dict[str, Policy]:
    """The policies of ``services`` by path; refuses a service with a method that has none."""
    return {path_of(method): policy_of(method) for method in methods_of(services)}
