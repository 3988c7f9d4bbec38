"""The OpenAPI 3.1 document of the bindings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway import descriptors
from gateway.comments import first_sentence, read_comments
from gateway.openapi_paths import PathNames
from gateway.query import QueryField, query_fields
from gateway.routes import Binding, resolve
from gateway.rules import is_required
from gateway.schemas import Schema, SchemaBook
from gateway.upload import UploadAdapter, upload_fields

PUBLIC = "public"
"""The scope of methods that need no key."""

_SECURITY_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same API key, in a header of its own.",
    },
}
_DETAIL: Schema = {
    "type": "object",
    "properties": {"@type": {"type": "string"}},
    "required": ["@type"],
}
_ERROR: Schema = {
    "type": "object",
    "description": "What went wrong, in the form of AIP-193.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status code."},
                "message": {"type": "string", "description": "For people; may change."},
                "status": {"type": "string", "description": "The gRPC code, by name."},
                "details": {"type": "array", "items": _DETAIL},
            },
        }
    },
}
_ERROR_REFERENCE: Schema = {"$ref": "#/components/schemas/Error"}
_BINARY: Schema = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class ApiInfo:
    """What the document says of the API as a whole."""

    title: str
    version: str
    description: str = ""


def build_document(
    bindings: Iterable[Binding],
    info: ApiInfo,
    *,
    descriptor_set: Path | None = None,
    uploads: Mapping[str, UploadAdapter] | None = None,
    extra_paths: Mapping[str, Schema] | None = None,
) -> dict[str, Any]:
    """The document, ready for JSON.

    ``descriptor_set`` is a file of descriptors with source information; without it there are no
    descriptions. ``uploads`` are the adapters by full name of the method. ``extra_paths`` are the
    path items of routes that no method has.
    """
    writer = _Writer(SchemaBook(read_comments(descriptor_set)), uploads or {})
    for binding in bindings:
        writer.add(binding)
    document = writer.document(info)
    document["paths"].update(extra_paths or {})
    return document


class _Writer:
    def __init__(self, book: SchemaBook, uploads: Mapping[str, UploadAdapter]) -> None:
        self._book = book
        self._uploads = uploads
        self._names = PathNames()
        self._paths: dict[str, dict[str, Schema]] = {}
        self._tags: dict[str, str] = {}
        self._operations: dict[str, int] = {}

    def add(self, binding: Binding) -> None:
        path, parameters = self._names.convert(binding.template)
        operation = self._operation(binding)
        in_path = [
            self._path_parameter(binding, parameter.name, parameter.field_path)
            for parameter in parameters
        ]
        operation["parameters"] = [*in_path, *map(self._query_parameter, self._query(binding))]
        body = self._body(binding)
        if body is not None:
            operation["requestBody"] = body
        operation["responses"] = {
            "200": self._answer(binding),
            "default": {"$ref": "#/components/responses/Error"},
        }
        self._paths.setdefault(path, {})[binding.http_method.lower()] = operation

    def document(self, info: ApiInfo) -> dict[str, Any]:
        about = {"title": info.title, "version": info.version, "description": info.description}
        error = {"description": "It failed.", "content": _json(_ERROR_REFERENCE)}
        return {
            "openapi": "3.1.0",
            "info": {name: text for name, text in about.items() if text},
            "tags": [_tag(name, text) for name, text in self._tags.items()],
            "paths": self._paths,
            "components": {
                "schemas": {**dict(sorted(self._book.schemas.items())), "Error": _ERROR},
                "responses": {"Error": error},
                "securitySchemes": _SECURITY_SCHEMES,
            },
        }

    def _operation(self, binding: Binding) -> Schema:
        rpc = binding.rpc
        comment = self._book.comment(rpc.full_name)
        tag = rpc.service.rpartition(".")[2]
        self._tags[tag] = self._book.comment(rpc.service)
        operation: Schema = {"tags": [tag], "operationId": self._operation_id(f"{tag}_{rpc.name}")}
        if comment:
            operation["summary"] = first_sentence(comment)
            operation["description"] = comment
        operation["x-rpc"] = rpc.full_name
        if rpc.scope == PUBLIC:
            operation["security"] = []
        elif rpc.scope:
            operation["security"] = [{"bearer": [rpc.scope]}, {"apiKey": [rpc.scope]}]
        return operation

    def _operation_id(self, name: str) -> str:
        count = self._operations[name] = self._operations.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def _path_parameter(self, binding: Binding, name: str, field_path: str) -> Schema:
        parameter: Schema = {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
        }
        if field_path:
            field = resolve(descriptors.type_of(binding.rpc.input), field_path)[-1]
            comment = self._book.comment(field.full_name)
            parameter["description"] = f"Part of `{field_path}`. {comment}".strip()
        return parameter

    def _query(self, binding: Binding) -> tuple[QueryField, ...]:
        adapter = self._uploads.get(binding.rpc.full_name)
        return upload_fields(binding, adapter) if adapter else query_fields(binding)

    def _query_parameter(self, query_field: QueryField) -> Schema:
        schema = self._book.field(query_field.field)
        parameter: Schema = {"name": query_field.name, "in": "query", "schema": schema}
        for key in ("description", "deprecated"):
            if key in schema:
                parameter[key] = schema.pop(key)
        if all(is_required(field) for field in query_field.path):
            parameter["required"] = True
        return parameter

    def _body(self, binding: Binding) -> Schema | None:
        if binding.body is None:
            return None
        adapter = self._uploads.get(binding.rpc.full_name)
        if adapter is not None:
            return {"required": True, "content": self._files(binding, adapter)}
        if isinstance(binding.body, FieldDescriptor):
            return self._field_body(binding.body)
        in_path = frozenset(variable.field_path for variable in binding.template.variables)
        descriptor = descriptors.type_of(binding.rpc.input)
        schema = (
            self._book.fields_of(descriptor, in_path) if in_path else self._book.message(descriptor)
        )
        return {"content": _json(schema)}

    def _field_body(self, field: FieldDescriptor) -> Schema:
        raw = (
            descriptors.is_message(field)
            and descriptors.message_type(field).full_name == descriptors.HTTP_BODY
        )
        content = {"*/*": {"schema": _BINARY}} if raw else _json(self._book.field(field))
        return {"content": content, "required": is_required(field)}

    def _files(self, binding: Binding, adapter: UploadAdapter) -> Schema:
        fields = upload_fields(binding, adapter)
        properties = {each.name: self._book.field(each.field) for each in fields}
        form: Schema = {
            "type": "object",
            "properties": {**properties, "file": _BINARY},
            "required": ["file"],
        }
        whole = {"schema": _BINARY}
        return {
            "multipart/form-data": {"schema": form},
            "image/*": whole,
            "application/octet-stream": whole,
        }

    def _answer(self, binding: Binding) -> Schema:
        descriptor = descriptors.type_of(binding.rpc.output)
        if descriptor.full_name == descriptors.HTTP_BODY:
            return {"description": "The bytes.", "content": {"*/*": {"schema": _BINARY}}}
        schema = (
            self._book.field(binding.response_body)
            if binding.response_body is not None
            else self._book.message(descriptor)
        )
        if not binding.rpc.server_streaming:
            return {"description": "Done.", "content": _json(schema)}
        line = {"oneOf": [_object(result=schema), _ERROR_REFERENCE]}
        content = {
            "application/x-ndjson": {"schema": line},
            "text/event-stream": {"schema": {"type": "string"}},
        }
        return {"description": "One object a line, or events.", "content": content}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _tag(name: str, description: str) -> Schema:
    return {"name": name, "description": description} if description else {"name": name}
