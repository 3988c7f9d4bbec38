"""Buffer's GraphQL API: the documents we send, and sending them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from libs.http import CallFailed, CircuitOpen, HttpClient, NoAnswer
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Credentials,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ReadFailed,
)
from services.scheduler.providers.buffer_answers import Failure, failure_of, masked
from services.scheduler.providers.rate_budget import RateBudget

# Only the MutationError interface is named: a concrete type that leaves the union would turn
# the whole document into a schema error.
CREATE_POST: Final = """
mutation CreatePost($input: CreatePostInput!) {
  createPost(input: $input) {
    __typename
    ... on PostActionSuccess { post { id status dueAt channelId shareMode } }
    ... on MutationError { message }
  }
}
"""

DELETE_POST: Final = """
mutation DeletePost($input: DeletePostInput!) {
  deletePost(input: $input) {
    __typename
    ... on DeletePostSuccess { id }
    ... on MutationError { message }
  }
}
"""

_POST_FIELDS: Final = """
fragment PostFields on Post {
  id status text channelId createdAt dueAt sentAt externalLink
  error { message supportUrl }
  assets { source }
}
"""

POSTS: Final = (
    """
query Posts($first: Int, $after: String, $input: PostsInput!) {
  posts(first: $first, after: $after, input: $input) {
    edges { node { ...PostFields } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _POST_FIELDS
)

POST: Final = (
    """
query Post($input: PostInput!) {
  post(input: $input) { ...PostFields }
}
"""
    + _POST_FIELDS
)

ORGANIZATIONS: Final = "query Organizations { account { organizations { id } } }"

CHANNELS: Final = """
query Channels($input: ChannelsInput!) {
  channels(input: $input) {
    id organizationId service name displayName timezone isDisconnected isLocked isQueuePaused
  }
}
"""


class BufferApi:
    """Sends documents with a key, keeps the key's rate budget, and names what went wrong."""

    def __init__(self, http: HttpClient, url: str, now: Callable[[], datetime]) -> None:
        self._http = http
        self._url = url
        self._now = now
        self._budgets: dict[str, RateBudget] = {}

    def has_reserve(self, credentials: Credentials) -> bool:
        """Whether the key's budget has room for reads that can wait."""
        return self._budget(credentials).has_reserve(self._now())

    async def query(
        self, credentials: Credentials, document: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The data of a query. Raises ``ReadFailed``."""
        self._check_budget(credentials, ReadFailed)
        try:
            response = await self._http.read(
                "POST", self._url, **self._request(credentials, document, variables)
            )
        except CallFailed as error:
            raise ReadFailed(FailureKind.NOT_SENT, masked(str(error), credentials.token)) from None
        if failure := self._judge(credentials, response):
            raise read_failed(failure, credentials)
        return _data(response)

    async def mutate(
        self, credentials: Credentials, document: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The data of a mutation, sent exactly once. Raises ``NotSent`` or ``OutcomeUnknown``."""
        self._check_budget(credentials, NotSent)
        try:
            response = await self._http.write_once(
                "POST", self._url, **self._request(credentials, document, variables)
            )
        except NoAnswer as error:
            raise OutcomeUnknown(masked(str(error), credentials.token)) from None
        except CircuitOpen as error:
            raise NotSent(
                FailureKind.THROTTLED, str(error), retry_after=error.retry_after
            ) from None
        except CallFailed as error:
            raise NotSent(FailureKind.NOT_SENT, masked(str(error), credentials.token)) from None
        if failure := self._judge(credentials, response):
            raise submit_failed(failure, credentials)
        return _data(response)

    def _request(
        self, credentials: Credentials, document: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "circuit": f"buffer:{credentials.key}",
            "headers": {"Authorization": f"Bearer {credentials.token}"},
            "json": {"query": document, "variables": dict(variables)},
        }

    def _judge(self, credentials: Credentials, response: httpx.Response) -> Failure | None:
        now, budget = self._now(), self._budget(credentials)
        budget.observe(response.headers, now)
        failure = failure_of(response)
        if failure is None or failure.kind is not FailureKind.THROTTLED:
            return failure
        block = budget.block(failure.retry_after, failure.window, now)
        return Failure(failure.kind, failure.message, block.seconds, failure.window, failure.code)

    def _check_budget(self, credentials: Credentials, error: type[ProviderError]) -> None:
        if block := self._budget(credentials).blocked(self._now()):
            raise error(
                FailureKind.THROTTLED,
                f"the rate limit{f' of {block.window}' if block.window else ''} is used up",
                retry_after=block.seconds,
                window=block.window,
            )

    def _budget(self, credentials: Credentials) -> RateBudget:
        return self._budgets.setdefault(credentials.key, RateBudget())


def submit_failed(failure: Failure, credentials: Credentials) -> ProviderError:
    """The error of a mutation: unknown outcomes apart from those proved not created."""
    message = masked(failure.message, credentials.token)
    if failure.kind is FailureKind.UNKNOWN:
        return OutcomeUnknown(message)
    return NotSent(failure.kind, message, retry_after=failure.retry_after, window=failure.window)


def read_failed(failure: Failure, credentials: Credentials) -> ReadFailed:
    """The error of a query."""
    return ReadFailed(
        failure.kind,
        masked(failure.message, credentials.token),
        retry_after=failure.retry_after,
        window=failure.window,
    )


def _data(response: httpx.Response) -> dict[str, Any]:
    data: dict[str, Any] = response.json()["data"]
    return data
