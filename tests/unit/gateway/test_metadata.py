"""Headers to metadata, and deadlines."""

import dataclasses

import pytest
from starlette.datastructures import Headers

from gateway.limits import Limits
from gateway.metadata import call_metadata, call_timeout
from libs.errors import InvalidArgument
from tests.support.studio import binding

LIMITS = Limits(default_timeout=10, max_timeout=60, stream_timeout=600)
UNARY = binding("GetShelf").rpc
STREAM = binding("WatchShelf").rpc


def test_only_allowed_headers_travel() -> None:
    headers = Headers(
        {
            "authorization": "Bearer k",
            "x-api-key": "k",
            "traceparent": "00-a-b-01",
            "cookie": "secret",
            "x-internal": "1",
            "grpc-timeout": "1S",
        }
    )
    assert dict(call_metadata(headers, "id-1")) == {
        "x-request-id": "id-1",
        "authorization": "Bearer k",
        "x-api-key": "k",
        "traceparent": "00-a-b-01",
    }


@pytest.mark.parametrize("value", [b"Bearer \xe9", b"a\tb", b"a\x00"])
def test_metadata_is_printable(value: bytes) -> None:
    headers = Headers(raw=[(b"authorization", value)])
    with pytest.raises(InvalidArgument, match="authorization: holds characters"):
        call_metadata(headers, "id")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5S", 5),
        ("500m", 0.5),
        ("1M", 60),
        ("99999999H", 60),
        ("1u", 1e-6),
        ("2n", 2e-9),
    ],
)
def test_the_clients_deadline_is_kept_within_the_limit(text: str, seconds: float) -> None:
    assert call_timeout(Headers({"grpc-timeout": text}), UNARY, LIMITS) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "S", "5s", "-1S", "1.5S", "123456789S", "5S "])
def test_deadlines_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="grpc-timeout"):
        call_timeout(Headers({"grpc-timeout": text}), UNARY, LIMITS)


def test_the_default_is_the_contracts_or_ours() -> None:
    own = dataclasses.replace(UNARY, default_timeout=120.0)
    assert call_timeout(Headers({}), own, LIMITS) == 120
    assert call_timeout(Headers({}), UNARY, LIMITS) == 10
    assert call_timeout(Headers({}), STREAM, LIMITS) == 600
    assert call_timeout(Headers({"grpc-timeout": "9M"}), STREAM, LIMITS) == 540
