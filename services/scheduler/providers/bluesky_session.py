"""Signing in at Bluesky: once for each account, and again when the session has ended."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import Credentials, NotSent
from services.scheduler.providers.calls import Call, Calls, json_object

_BUDGET: Final = "sessions"  # the server counts them on their own


@dataclass(frozen=True, slots=True)
class Session:
    """An account that is signed in."""

    did: str
    handle: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What calls of the account carry."""
        return {"Authorization": f"Bearer {self.access}"}


class Sessions:
    """The sessions of a process at one server; signing in is limited, so they are kept."""

    def __init__(self, calls: Calls, url: str) -> None:
        self._calls = calls
        self._url = url
        self._kept: dict[tuple[str, str], Session] = {}
        self._one_at_a_time: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, credentials: Credentials) -> Session:
        """The account's session; a new one if there is none. Raises ``NotSent``."""
        key = (credentials.account, credentials.key)
        async with self._one_at_a_time[key]:
            if key not in self._kept:
                self._kept[key] = await self._sign_in(credentials)
            return self._kept[key]

    async def renewed(self, credentials: Credentials, ended: Session) -> Session:
        """A session in place of one that was refused. Raises ``NotSent``.

        Many callers at once get the same: a refresh token that is used twice would end them all.
        """
        key = (credentials.account, credentials.key)
        async with self._one_at_a_time[key]:
            if self._kept.get(key) is ended:
                del self._kept[key]
                self._kept[key] = await self._refreshed(credentials, ended)
            elif key not in self._kept:
                self._kept[key] = await self._sign_in(credentials)
            return self._kept[key]

    async def _sign_in(self, credentials: Credentials) -> Session:
        body = {"identifier": credentials.account, "password": credentials.token}
        return await self._session(credentials, "createSession", {}, body)

    async def _refreshed(self, credentials: Credentials, ended: Session) -> Session:
        headers = {"Authorization": f"Bearer {ended.refresh}"}
        try:
            return await self._session(credentials, "refreshSession", headers, None)
        except NotSent as error:
            if error.kind is not FailureKind.AUTH:
                raise
        return await self._sign_in(credentials)

    async def _session(
        self, credentials: Credentials, method: str, headers: dict[str, str], body: Any
    ) -> Session:
        url = f"{self._url}/xrpc/com.atproto.server.{method}"
        call = Call("POST", url, headers, json=body, budget=_BUDGET)
        answer = json_object(await self._calls.prepare(credentials, call))
        try:
            return Session(
                answer["did"], answer["handle"], answer["accessJwt"], answer["refreshJwt"]
            )
        except KeyError as error:
            text = f"Bluesky's answer to {method} holds no {error}"
            raise NotSent(FailureKind.CLIENT_BUG, text) from None
