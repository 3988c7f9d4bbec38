"""The contracts of the suite as the gateway serves them."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate

from gateway import descriptors
from gateway.decoder import JsonDecoder
from gateway.encoder import JsonEncoder
from gateway.openapi import ApiInfo, build_document
from gateway.photo_media import media_paths, media_routes
from gateway.webhooks.routes import webhook_paths
from tests.support.contracts import (
    DESCRIPTOR_SET,
    UPLOADS,
    all_bindings,
    all_messages,
    route_lines,
)
from tests.support.messages import messages

ENCODER, DECODER = JsonEncoder(), JsonDecoder()
ROUTES = Path(__file__).with_name("routes.txt")

EXTRA_PATHS = media_paths() | webhook_paths()


def test_the_routes_are_those_that_were_reviewed() -> None:
    accepted = ROUTES.read_text().splitlines()
    assert route_lines() == accepted, (
        "the REST API has changed; if that is meant, accept it: "
        "python -m tests.support.contracts > tests/contract/gateway/routes.txt"
    )


def test_every_route_needs_a_scope() -> None:
    assert [binding.route for binding in all_bindings() if not binding.rpc.scope] == []


def test_the_document_is_valid_and_every_operation_is_described() -> None:
    document = build_document(
        all_bindings(),
        ApiInfo("Colonnade", "1"),
        descriptor_set=DESCRIPTOR_SET,
        uploads=UPLOADS,
        extra_paths=EXTRA_PATHS,
    )
    validate(document)
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(all_bindings()) + len(EXTRA_PATHS)
    assert [each["operationId"] for each in operations if not each.get("description")] == []


async def test_every_route_for_media_is_in_the_document() -> None:
    channel = grpc.aio.insecure_channel("unix:/nonexistent")
    services = (
        "colonnade.catalog.v1.CatalogService",
        "colonnade.catalog.v1.RunService",
        "colonnade.scheduler.v1.SchedulerService",
    )
    routes = media_routes(dict.fromkeys(services, channel))
    assert {route.path for route in routes} == set(media_paths())


@pytest.mark.parametrize("descriptor", list(all_messages()), ids=lambda each: each.full_name)
def test_messages_are_json_as_google_defines_it(descriptor: Descriptor) -> None:
    kind = descriptors.message_class(descriptor)

    @given(messages(kind))
    @settings(max_examples=6, suppress_health_check=list(HealthCheck))
    def check(value: Any) -> None:
        encoded = ENCODER.encode(value)
        expected = json_format.MessageToDict(value, always_print_fields_with_no_presence=True)
        assert encoded == expected
        decoded = kind()
        DECODER.decode(encoded, decoded)
        assert decoded == value

    check()
