"""A provider in memory, and the end of a process that calls it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.scheduler.domain.channel import Provider
from services.scheduler.domain.reconciliation import READ_BACK
from services.scheduler.providers.base import Channel as Account
from services.scheduler.providers.base import (
    Credentials,
    Note,
    Problem,
    ProviderError,
    PublishRequest,
    RemoteChannel,
    RemotePost,
    Submitted,
    forget,
)


class Killed(BaseException):
    """Stands for the end of a process: nothing of ours catches it."""


class FakePublisher:
    """A provider that does as told: ``answers`` (errors or ids) in turn, then ids of its own."""

    name = "fake"
    doubt = READ_BACK

    def __init__(self) -> None:
        self.answers: list[str | BaseException] = []
        self.submitted: list[PublishRequest] = []
        self.problems: list[Problem] = []
        self.found: list[RemotePost] | BaseException = []
        self.statuses: list[RemotePost] | ProviderError = []
        self.asked: list[Mapping[str, datetime]] = []
        self.accounts: list[RemoteChannel] | ProviderError = []
        self.withdrawn: list[str] = []
        self.withdrawal: ProviderError | None = None
        self.has_reserve = True

    def preflight(self, channel: Account, request: PublishRequest) -> list[Problem]:
        return self.problems

    async def submit(
        self, channel: Account, request: PublishRequest, note: Note = forget
    ) -> Submitted:
        self.submitted.append(request)
        answer = self.answers.pop(0) if self.answers else f"remote-{len(self.submitted)}"
        if isinstance(answer, BaseException):
            raise answer
        return Submitted(answer, {"id": answer})

    async def find(
        self, channel: Account, request: PublishRequest, since: datetime
    ) -> list[RemotePost]:
        self.looked_for = request, since
        return _answer(self.found)

    async def status(self, channel: Account, posts: Mapping[str, datetime]) -> list[RemotePost]:
        self.asked.append(dict(posts))
        return _answer(self.statuses)

    def reads(self, post: RemotePost, text: str) -> bool:
        return post.text == text

    async def withdraw(self, channel: Account, provider_post_id: str) -> None:
        self.withdrawn.append(provider_post_id)
        if self.withdrawal:
            raise self.withdrawal

    async def channels(self, credentials: Credentials) -> list[RemoteChannel]:
        return _answer(self.accounts)

    def may_poll(self, credentials: Credentials) -> bool:
        return self.has_reserve


def _answer(told: Any) -> Any:
    if isinstance(told, BaseException):
        raise told
    return told


class OnePublisher:
    """``ports.Publishers`` with one for all."""

    def __init__(self, publisher: FakePublisher) -> None:
        self._publisher = publisher

    def of(self, provider: Provider, endpoint: str) -> FakePublisher:
        return self._publisher
