"""The table of bindings, read from the ``google.api.http`` options of the services and checked.

A contract that cannot be served as written is refused at start, with every reason at once.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor import (
    Descriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message

from gateway import descriptors
from gateway.template import Template, TemplateError, parse

WHOLE = "*"
_WITHOUT_BODY = ("GET", "DELETE", "HEAD")


class RouteError(Exception):
    """The contract cannot be served; one line a problem, each naming the method and the fix."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method of a gRPC service.

    ``default_timeout`` is in seconds; it and ``scope`` come from the method's policy and are None
    and empty where it has none.
    """

    service: str
    name: str
    input: type[Message]
    output: type[Message]
    client_streaming: bool
    server_streaming: bool
    scope: str
    default_timeout: float | None

    @property
    def full_name(self) -> str:
        """The name as in ``colonnade.catalog.v1.CatalogService.GetPhoto``."""
        return f"{self.service}.{self.name}"

    @property
    def path(self) -> str:
        """The path on the wire, ``/package.Service/Method``."""
        return f"/{self.service}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One way to call a method over HTTP. Equal only to itself.

    ``body`` is the field that the body fills, ``*`` for all fields that the path leaves, None for
    no body. ``response_body`` is the field of the answer that is sent, None for all of it.
    """

    rpc: Rpc
    http_method: str
    template: Template
    body: FieldDescriptor | str | None
    response_body: FieldDescriptor | None

    @property
    def route(self) -> str:
        """The template with its method, as people write it: ``GET /v1/{name=personas/*}``."""
        return f"{self.http_method} {self.template.text}"


def build_bindings(
    services: Iterable[ServiceDescriptor], *, uploads: Collection[str] = ()
) -> tuple[Binding, ...]:
    """Every binding of the services, in order of declaration.

    ``uploads`` are the full names of the client-streaming methods that have an upload adapter; no
    other streaming of requests can be called over HTTP.

    Raises:
        RouteError: a rule names an unknown field, has a body where none is sent, clashes with
            another, or belongs to a method that HTTP cannot carry.
    """
    reader = _Reader(uploads)
    bindings = tuple(reader.read(services))
    reader.problems.extend(_clashes(bindings))
    if reader.problems:
        raise RouteError("\n".join(reader.problems))
    return bindings


def resolve(descriptor: Descriptor, field_path: str) -> tuple[FieldDescriptor, ...]:
    """The fields along a dotted path of proto names.

    Raises:
        LookupError: some part is no field, or a part before the last holds no single message.
    """
    fields: list[FieldDescriptor] = []
    current: Descriptor | None = descriptor
    for part in field_path.split("."):
        field = current.fields_by_name.get(part) if current is not None else None
        if field is None:
            raise LookupError(f"{descriptor.full_name} has no field {field_path!r}")
        fields.append(field)
        single = descriptors.is_message(field) and not field.is_repeated
        current = descriptors.message_type(field) if single else None
    return tuple(fields)


class _Reader:
    def __init__(self, uploads: Collection[str]) -> None:
        self._uploads = uploads
        self.problems: list[str] = []

    def read(self, services: Iterable[ServiceDescriptor]) -> Iterator[Binding]:
        for service in services:
            for method in service.methods:
                yield from self._read_method(method)

    def _read_method(self, method: MethodDescriptor) -> Iterator[Binding]:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        if rule.WhichOneof("pattern") is None:
            return
        if method.client_streaming and not self._is_upload(method):
            return
        rpc = _rpc(method)
        for each in (rule, *rule.additional_bindings):
            binding = self._read_rule(rpc, each)
            if binding is not None:
                yield binding
        if any(each.additional_bindings for each in rule.additional_bindings):
            self._report(rpc, "additional_bindings cannot be nested")

    def _is_upload(self, method: MethodDescriptor) -> bool:
        if method.server_streaming:
            problem = "streams both ways, which HTTP cannot carry; remove its rule"
        elif method.full_name not in self._uploads:
            problem = "streams requests; declare an upload adapter for it or remove its rule"
        else:
            return True
        self.problems.append(f"{method.full_name}: {problem}")
        return False

    def _read_rule(self, rpc: Rpc, rule: Any) -> Binding | None:
        known = len(self.problems)
        http_method, text = _pattern(rule)
        template = self._template(rpc, text)
        body = self._body(rpc, http_method, rule.body)
        response_body = self._field(
            rpc, descriptors.type_of(rpc.output), rule.response_body, "response_body"
        )
        if template is None or len(self.problems) > known:
            return None
        return Binding(rpc, http_method, template, body, response_body)

    def _template(self, rpc: Rpc, text: str) -> Template | None:
        try:
            template = parse(text)
        except TemplateError as error:
            self._report(rpc, str(error))
            return None
        for variable in template.variables:
            self._check_variable(rpc, variable.field_path, text)
        return template

    def _check_variable(self, rpc: Rpc, field_path: str, text: str) -> None:
        try:
            field = resolve(descriptors.type_of(rpc.input), field_path)[-1]
        except LookupError as error:
            self._report(rpc, f"{error}, which {text!r} names")
            return
        if field.is_repeated or descriptors.is_message(field):
            self._report(rpc, f"{field_path} in {text!r} must be a single scalar")

    def _body(self, rpc: Rpc, http_method: str, name: str) -> FieldDescriptor | str | None:
        if name and http_method in _WITHOUT_BODY:
            self._report(rpc, f"{http_method} carries no body; remove body: {name!r}")
        if name == WHOLE:
            return WHOLE
        return self._field(rpc, descriptors.type_of(rpc.input), name, "body")

    def _field(
        self, rpc: Rpc, descriptor: Descriptor, name: str, what: str
    ) -> FieldDescriptor | None:
        if not name:
            return None
        field = descriptor.fields_by_name.get(name)
        if field is None:
            self._report(rpc, f"{what}: {descriptor.full_name} has no field {name!r}")
        return field

    def _report(self, rpc: Rpc, problem: str) -> None:
        self.problems.append(f"{rpc.full_name}: {problem}")


def _rpc(method: MethodDescriptor) -> Rpc:
    policy = descriptors.policy(method.GetOptions())
    timeout = None
    if policy is not None and policy.HasField("default_timeout"):
        timeout = policy.default_timeout.ToTimedelta().total_seconds()
    return Rpc(
        service=method.containing_service.full_name,
        name=method.name,
        input=descriptors.message_class(method.input_type),
        output=descriptors.message_class(method.output_type),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        scope=policy.scope if policy is not None else "",
        default_timeout=timeout,
    )


def _pattern(rule: Any) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind is None:
        return "GET", ""
    if kind == "custom":
        return rule.custom.kind.upper(), rule.custom.path
    return kind.upper(), getattr(rule, kind)


def _clashes(bindings: Iterable[Binding]) -> Iterator[str]:
    for one, other in combinations(bindings, 2):
        if one.http_method == other.http_method and one.template.overlaps(other.template):
            yield (
                f"{other.rpc.full_name}: {other.route} and {one.route} of {one.rpc.full_name} "
                "can match the same path; change one of them"
            )
