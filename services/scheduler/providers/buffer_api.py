"""Buffer's GraphQL API: the documents we send, and sending them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from libs.http import HttpClient
from services.scheduler.providers.base import Credentials
from services.scheduler.providers.buffer_answers import failure_of
from services.scheduler.providers.calls import Call, Calls

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

METRICS: Final = """
query Metrics($first: Int, $after: String, $input: PostsInput!) {
  posts(first: $first, after: $after, input: $input) {
    edges { node { id metricsUpdatedAt metrics { type value } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

ORGANIZATIONS: Final = "query Organizations { account { organizations { id } } }"

CHANNELS: Final = """
query Channels($input: ChannelsInput!) {
  channels(input: $input) {
    id organizationId service name displayName timezone isDisconnected isLocked isQueuePaused
  }
}
"""


class BufferApi:
    """Sends documents with a key, and names what went wrong."""

    def __init__(self, http: HttpClient, url: str, now: Callable[[], datetime]) -> None:
        self._calls = Calls(http, "buffer", failure_of, now)
        self._url = url

    def has_reserve(self, credentials: Credentials) -> bool:
        """Whether the key's budget has room for reads that can wait."""
        return self._calls.has_reserve(credentials)

    async def query(
        self, credentials: Credentials, document: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The data of a query. Raises ``ReadFailed``."""
        call = self._call(credentials, document, variables)
        return _data(await self._calls.read(credentials, call))

    async def mutate(
        self, credentials: Credentials, document: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The data of a mutation, sent exactly once. Raises ``NotSent`` or ``OutcomeUnknown``."""
        call = self._call(credentials, document, variables)
        return _data(await self._calls.write(credentials, call))

    def _call(self, credentials: Credentials, document: str, variables: Mapping[str, Any]) -> Call:
        return Call(
            "POST",
            self._url,
            {"Authorization": f"Bearer {credentials.token}"},
            json={"query": document, "variables": dict(variables)},
        )


def _data(response: httpx.Response) -> dict[str, Any]:
    data: dict[str, Any] = response.json()["data"]
    return data
