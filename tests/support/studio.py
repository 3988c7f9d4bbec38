"""The contract that gateway tests use: small, but with every kind of field and method."""

import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2, httpbody_pb2
from google.protobuf import (
    any_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

from gateway.routes import Binding, build_bindings
from gateway.upload import UploadAdapter

# The pool must know these before the contract, which imports them.
IMPORTED: tuple[ModuleType, ...] = (
    annotations_pb2,
    field_behavior_pb2,
    httpbody_pb2,
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
SERVICE = "gatewaytest.v1.ShelfService"
UPLOAD = f"{SERVICE}.UploadPicture"
UPLOADS = {UPLOAD: UploadAdapter(max_bytes=3_000_000, file_name="file_name")}

_PROTOS = Path(__file__).parents[2] / "protos"
_TESTDATA = Path(__file__).parents[1] / "contract/gateway/testdata"


def compile_protos(folder: Path, *names: str) -> FileDescriptorSet:
    """The descriptors of the ``.proto`` files in ``folder``, with comments."""
    with tempfile.TemporaryDirectory() as out:
        target = Path(out) / "set.binpb"
        arguments = [
            "protoc",
            f"-I{folder}",
            f"-I{_PROTOS}",
            f"-I{Path(protoc.__file__).parent / '_proto'}",
            f"--descriptor_set_out={target}",
            "--include_source_info",
            *names,
        ]
        assert protoc.main(arguments) == 0
        return FileDescriptorSet.FromString(target.read_bytes())


@cache
def studio_set() -> FileDescriptorSet:
    """The descriptors of the contract, with comments; in the pool from then on."""
    descriptors = compile_protos(_TESTDATA, "studio.proto")
    for file in descriptors.file:
        descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return descriptors


def service() -> ServiceDescriptor:
    """The contract's service."""
    studio_set()
    return descriptor_pool.Default().FindServiceByName(SERVICE)


def message(name: str) -> Any:
    """The class of the contract's messages of that name."""
    studio_set()
    descriptor = descriptor_pool.Default().FindMessageTypeByName(f"gatewaytest.v1.{name}")
    return message_factory.GetMessageClass(descriptor)


def bindings() -> tuple[Binding, ...]:
    """All bindings of the contract."""
    return build_bindings([service()], uploads=UPLOADS)


def binding(name: str, number: int = 0) -> Binding:
    """The binding of the method of that name; ``number`` counts its additional ones."""
    return [each for each in bindings() if each.rpc.name == name][number]


@cache
def scratch_service(source: str) -> ServiceDescriptor:
    """The first service of a contract given as text, in a pool of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "scratch.proto").write_text(source)
        descriptors = compile_protos(Path(folder), "scratch.proto")
    pool = descriptor_pool.DescriptorPool()
    for module in IMPORTED:
        _add(pool, module.DESCRIPTOR)
    for file in descriptors.file:
        added = pool.AddSerializedFile(file.SerializeToString())
    return next(iter(added.services_by_name.values()))


def _add(pool: descriptor_pool.DescriptorPool, file: Any) -> None:
    for dependency in file.dependencies:
        _add(pool, dependency)
    copy = FileDescriptorProto()
    file.CopyToProto(copy)
    pool.AddSerializedFile(copy.SerializeToString())
