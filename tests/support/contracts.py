"""The contracts of the suite, as the gateway serves them.

``python -m tests.support.contracts`` prints the routes; redirect it to
``tests/contract/gateway/routes.txt`` to accept a change.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import colonnade
from google.protobuf.descriptor import Descriptor

from gateway import module
from gateway.descriptors import services_of
from gateway.routes import Binding, build_bindings
from gateway.upload import UploadAdapter

UPLOADS = dict.fromkeys(module.UPLOADS, UploadAdapter(file_name="file_name"))
DESCRIPTOR_SET = Path(__file__).parents[2] / "protos/gen/colonnade/descriptors.binpb"


def modules() -> Iterator[ModuleType]:
    """The generated modules of messages."""
    for found in pkgutil.walk_packages(colonnade.__path__, "colonnade."):
        if found.name.endswith("_pb2"):
            yield importlib.import_module(found.name)


def all_bindings() -> tuple[Binding, ...]:
    """Every binding of the suite."""
    return build_bindings(services_of(*modules()), uploads=UPLOADS)


def all_messages() -> Iterator[Descriptor]:
    """Every message type of the suite, nested ones too."""
    for generated in modules():
        for descriptor in generated.DESCRIPTOR.message_types_by_name.values():
            yield from _with_nested(descriptor)


def _with_nested(descriptor: Descriptor) -> Iterator[Descriptor]:
    yield descriptor
    for nested in descriptor.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _with_nested(nested)


def route_lines() -> list[str]:
    """One line a binding: method, path, what it calls, what its body is."""
    return sorted(map(_route_line, all_bindings()))


def _route_line(binding: Binding) -> str:
    body = getattr(binding.body, "name", binding.body)
    takes = f"  body={body}" if body else ""
    stream = "  stream" if binding.rpc.server_streaming else ""
    name = binding.rpc.full_name.removeprefix("colonnade.")
    scope = f"  [{binding.rpc.scope}]"
    return f"{binding.template.text}  {binding.http_method}  {name}{takes}{stream}{scope}"


if __name__ == "__main__":
    print("\n".join(route_lines()))
