"""The one tree of errors that may cross a service boundary. Knows nothing of gRPC or HTTP.

ColonnadeError
├── InvalidArgument        a field is wrong; carries one violation a field
├── NotFound               no such resource (or not yours)
├── AlreadyExists          a resource with this identity is there
├── FailedPrecondition     the resource is not in a state that allows this
├── Conflict               lost a race; read again and retry
├── OutOfQuota             too much; retry after a while
├── Unavailable            a dependency is down; retry after a while
├── Unauthenticated        no key, or an unknown one
├── PermissionDenied       the key lacks a scope
├── DeadlineExceeded       the caller's time ran out
└── Internal               anything unplanned; says nothing but an id to look up in the log

Each error carries ``reason`` (UPPER_SNAKE, part of the contract; clients match on it), ``message``
(for people, free to change) and ``metadata`` (every value that the message shows).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field: its path (``pillar.weight``) and what to do about it."""

    field: str
    description: str


class ColonnadeError(Exception):
    """An error that was meant: it reaches the caller with its code, reason and details."""

    reason = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})


class InvalidArgument(ColonnadeError):
    """A request that can never succeed as it is. ``violations`` name each field and the fix."""

    reason = "INVALID_ARGUMENT"

    def __init__(
        self,
        message: str,
        violations: Sequence[Violation] = (),
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, description: str, *, reason: str | None = None) -> "InvalidArgument":
        """One wrong field; the message repeats it, so that a log line is enough to understand."""
        return cls(f"{field}: {description}", (Violation(field, description),), reason=reason)


class _ResourceError(ColonnadeError):
    _text = "{resource} {name}"

    def __init__(
        self,
        resource: str,
        name: str,
        message: str | None = None,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            message or self._text.format(resource=resource, name=name),
            reason=reason,
            metadata={"resource": resource, "name": name, **(metadata or {})},
        )
        self.resource = resource
        self.name = name


class NotFound(_ResourceError):
    """No resource of that name, or it belongs to somebody else."""

    reason = "NOT_FOUND"
    _text = "there is no {resource} named {name}"


class AlreadyExists(_ResourceError):
    """A resource with the same identity exists; ``name`` is the existing one."""

    reason = "ALREADY_EXISTS"
    _text = "the {resource} {name} exists already"


class FailedPrecondition(ColonnadeError):
    """Well-formed, but the state of things does not allow it now."""

    reason = "FAILED_PRECONDITION"


class Conflict(ColonnadeError):
    """Another writer was first (stale etag, lost race). Read again, then retry."""

    reason = "CONFLICT"


class _RetryableError(ColonnadeError):
    def __init__(
        self,
        message: str,
        *,
        retry_after: float = 1.0,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after = retry_after


class OutOfQuota(_RetryableError):
    """A limit is reached (queue full, request too large, rate). ``retry_after`` is in seconds."""

    reason = "OUT_OF_QUOTA"


class Unavailable(_RetryableError):
    """Something this call needs is down. ``retry_after`` is in seconds."""

    reason = "UNAVAILABLE"


class Unauthenticated(ColonnadeError):
    """No API key, or one that is not known."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(ColonnadeError):
    """The key is known but lacks the scope."""

    reason = "PERMISSION_DENIED"


class DeadlineExceeded(ColonnadeError):
    """The caller's deadline passed, or too little of it was left to start."""

    reason = "DEADLINE_EXCEEDED"


class Internal(ColonnadeError):
    """Unplanned. The text is fixed; ``metadata['error_id']`` is in the log beside the cause."""

    reason = "INTERNAL"
