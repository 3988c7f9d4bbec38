"""What surrounds every served call: errors, metrics, authentication, deadline."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic, perf_counter
from typing import Any, NoReturn

import grpc
from google.rpc import code_pb2

from libs.errors import ColonnadeError, DeadlineExceeded, Internal
from libs.rpc.auth import Authenticator
from libs.rpc.call import FORWARDED, CallInfo, current_call
from libs.rpc.policy import Policy
from libs.rpc.status import code_of, to_status
from libs.telemetry import RpcMetrics

log = logging.getLogger(__name__)

# A call ends this much before its caller gives up, so that the caller still learns why.
_SHAVE = 0.02
_LEAST_TIME = 0.005

Context = grpc.aio.ServicerContext[Any, Any]


class CallGuard:
    """Surrounds a call: who asks, whether they may, until when, and what an error looks like."""

    def __init__(
        self, policies: Mapping[str, Policy], authenticator: Authenticator, metrics: RpcMetrics
    ) -> None:
        self._policies = policies
        self._authenticator = authenticator
        self._metrics = metrics

    def knows(self, method: str) -> bool:
        """Whether ``method`` is one of ours (health and reflection are not)."""
        return method in self._policies

    @asynccontextmanager
    async def __call__(self, method: str, context: Context) -> AsyncIterator[None]:
        started = perf_counter()
        code = "OK"
        try:
            call = self._admit(method, context)
            token = current_call.set(call)
            try:
                async with asyncio.timeout(_time_for(call)):
                    yield
            except TimeoutError:
                raise DeadlineExceeded("the time allowed for the call has run out") from None
            finally:
                current_call.reset(token)
        except ColonnadeError as error:
            code = code_pb2.Code.Name(code_of(error))
            await _abort(context, error)
        except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
            code = "CANCELLED"
            raise
        except Exception as error:
            code = "INTERNAL"
            await _abort(context, _unplanned(method, error))
        finally:
            self._metrics.observe(method, code, perf_counter() - started)

    def _admit(self, method: str, context: Context) -> CallInfo:
        metadata = {
            key: value
            for key, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        }
        caller = self._authenticator.check(metadata, self._policies[method].scope)
        remaining = context.time_remaining()
        deadline = None if remaining is None else monotonic() + remaining - _SHAVE
        forwarded = {key: metadata[key] for key in FORWARDED if key in metadata}
        return CallInfo(method, caller, deadline, forwarded)


def _time_for(call: CallInfo) -> float | None:
    """Seconds for the call, None for as long as it takes."""
    remaining = call.remaining()
    if remaining is not None and remaining < _LEAST_TIME:
        raise DeadlineExceeded("too little time is left to start; allow more")
    return remaining


def _unplanned(method: str, error: Exception) -> Internal:
    error_id = uuid.uuid4().hex
    log.error("unplanned error %s in %s", error_id, method, exc_info=error)
    return Internal(
        f"something went wrong here; quote {error_id} when you report it",
        metadata={"error_id": error_id},
    )


async def _abort(context: Context, error: ColonnadeError) -> NoReturn:
    await context.abort_with_status(_WireStatus(error))
    raise AssertionError("abort returned")


class _WireStatus(grpc.Status):
    """A ``google.rpc.Status`` in the form that gRPC sends."""

    def __init__(self, error: ColonnadeError) -> None:
        status = to_status(error)
        self.code = _GRPC_CODES[status.code]
        self.details = status.message
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
