"""An S3 server on loopback: moto's, which answers like Amazon's and keeps everything in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from moto.server import ThreadedMotoServer

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3StandIn:
    """Where the server is. Its key and secret are placeholders; it takes any."""

    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        """What ``libs.blobs.objects.open_blobs`` needs to know."""
        return {
            "endpoint": self.endpoint,
            "access_key_id": "test-key",
            "secret_access_key": "test-secret",
            "region": REGION,
        }

    def make_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="test-key",
            aws_secret_access_key="test-secret",
            region_name=REGION,
        )
        client.create_bucket(Bucket=name)


@contextmanager
def s3_server() -> Iterator[S3StandIn]:
    """The server, on a port of its own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3StandIn(f"http://{host}:{port}")
    finally:
        server.stop()
