"""The gRPC face of imports and of the inbox."""

from typing import Any

import grpc
from colonnade.catalog.v1.import_service_pb2_grpc import ImportServiceServicer

from libs.clock import Clock
from libs.rpc.paging import PageTokens
from services.catalog.usecases.all import UseCases

Context = grpc.aio.ServicerContext[Any, Any]


class ImportServicer(ImportServiceServicer):
    """``colonnade.catalog.v1.ImportService``."""

    def __init__(self, cases: UseCases, tokens: PageTokens, clock: Clock) -> None:
        self._cases = cases
        self._tokens = tokens
        self._clock = clock
