"""Attempts in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from services.scheduler.domain.attempt import Attempt, AttemptResult
from tests.support.scheduler_fakes.data import Data


class FakeAttempts:
    def __init__(self, data: Data) -> None:
        self._data = data

    async def add(self, attempt: Attempt) -> None:
        self._data.attempts[attempt.id] = (attempt, None)

    async def note(self, attempt: str, handle: str) -> None:
        made, result = self._data.attempts[attempt]
        self._data.attempts[attempt] = (replace(made, handle=handle), result)

    async def finish(self, attempt: str, result: AttemptResult) -> None:
        made, _ = self._data.attempts[attempt]
        self._data.attempts[attempt] = (replace(made, ended_at=result.ended_at), result)

    async def of(self, publication: str) -> Sequence[Attempt]:
        made = [a for a, _ in self._data.attempts.values() if a.publication == publication]
        return sorted(made, key=lambda attempt: attempt.number)

    async def known(self, provider_post_ids: Collection[str]) -> dict[str, str]:
        return {
            result.provider_post_id: attempt.publication
            for attempt, result in self._data.attempts.values()
            if result and result.provider_post_id in provider_post_ids
        }
