"""What is known of the call being served, for the code below it."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from time import monotonic

FORWARDED = ("traceparent", "x-request-id")


@dataclass(slots=True)
class CallInfo:
    """The call being served: who asks, until when, and what is passed on to calls below."""

    method: str
    caller: str = "anonymous"
    deadline: float | None = None
    forwarded: dict[str, str] = field(default_factory=dict)

    def remaining(self) -> float | None:
        """Seconds left, or None when the caller set no deadline."""
        return None if self.deadline is None else self.deadline - monotonic()


current_call: ContextVar[CallInfo | None] = ContextVar("current_call", default=None)
