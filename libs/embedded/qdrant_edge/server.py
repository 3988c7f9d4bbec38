"""The gRPC server: the services, the key at the door, and errors as status codes."""

import hmac
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from libs.embedded.qdrant_edge.collections import Collections
from libs.embedded.qdrant_edge.errors import Refused
from libs.embedded.qdrant_edge.points import Points
from libs.embedded.qdrant_edge.store import Store
from libs.vectors.stubs import qdrant

LARGEST_MESSAGE = 64 << 20
THREADS = 4
OPTIONS = (
    # Otherwise a second server on the same port would start without complaint.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
)

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    Base = object
else:
    Base = qdrant.QdrantServicer


class Root(Base):
    """The service at the root of Qdrant's contract: says who answers."""

    def HealthCheck(
        self, request: qdrant.HealthCheckRequest, context: grpc.ServicerContext
    ) -> qdrant.HealthCheckReply:
        return qdrant.HealthCheckReply(title="qdrant-edge", version=version("qdrant-edge-py"))


def _guarded(behavior: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The same method, ending with the status that a real server would give."""

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return behavior(request, context)
        except Refused as error:
            context.abort(error.code, str(error))
        except NotImplementedError:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "the edge server has no such method")
        except Exception as error:
            # The engine raises bare exceptions; only their text tells what happened.
            if str(error).startswith("No point with id"):
                context.abort(grpc.StatusCode.NOT_FOUND, str(error))
            log.exception("a call failed")
            context.abort(grpc.StatusCode.INTERNAL, f"Service internal error: {error}")

    return call


class Gate(grpc.ServerInterceptor):
    """Lets nobody in without the key, except to ask for the health of the server."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key.encode()
        self._refusal: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "Must provide a valid API key"
            )
        )

    def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = continuation(details)
        if details.method.startswith("/grpc.health.v1.Health/") or handler is None:
            return handler
        if not self._may_enter(dict(details.invocation_metadata)):
            return self._refusal
        return grpc.unary_unary_rpc_method_handler(
            _guarded(handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _may_enter(self, metadata: dict[str, str | bytes]) -> bool:
        given = metadata.get("api-key", "")
        given = given if isinstance(given, bytes) else given.encode()
        return hmac.compare_digest(given, self._api_key)


def build_server(store: Store, address: str, api_key: str) -> tuple[grpc.Server, int]:
    """A server bound to ``address`` (host:port), not started yet, and its port.

    Raises ``RuntimeError`` if the address is taken.
    """
    server = grpc.server(
        ThreadPoolExecutor(THREADS, "call"), interceptors=[Gate(api_key)], options=OPTIONS
    )
    stubs: Any = qdrant  # the generated half of it has no types
    stubs.add_PointsServicer_to_server(Points(store), server)
    stubs.add_CollectionsServicer_to_server(Collections(store), server)
    stubs.add_QdrantServicer_to_server(Root(), server)
    checks = health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    return server, server.add_insecure_port(address)
