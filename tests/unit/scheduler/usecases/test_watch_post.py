import asyncio
from datetime import timedelta

import pytest

from libs.errors import Unavailable
from services.scheduler.domain.names import Key
from services.scheduler.usecases.watch_post import WatchPost
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post
from tests.unit.scheduler.usecases.conftest import Desk


async def test_a_stopping_server_sends_its_watchers_away(desk: Desk) -> None:
    desk.store.add(a_channel(NOON), a_post(NOON))
    stopping = asyncio.Event()
    watch = WatchPost(
        desk.store,
        poll=timedelta(milliseconds=1),
        heartbeat=timedelta(seconds=10),
        is_stopping=stopping.is_set,
    )
    posts = watch(Key("nora", "post"))
    assert await anext(posts) == desk.store.post
    stopping.set()
    with pytest.raises(Unavailable, match="watch again"):
        await asyncio.wait_for(anext(posts), 60)
