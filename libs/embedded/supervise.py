"""Starting an engine again when it dies while it is needed."""

import asyncio
import logging
from time import monotonic
from typing import Any

from libs.embedded.engine import Engine
from libs.embedded.errors import EngineError

log = logging.getLogger(__name__)

_SOON = 60.0
_MOST_RESTARTS = 5


async def supervise(engine: Engine[Any]) -> None:
    """Watches a started engine until cancelled, and starts it again, at the same address.

    To be run in the main thread's event loop, which a restart does not hold up. Raises EngineError
    when the engine does not come up again, and at its sixth death within a minute.
    """
    name = type(engine).__name__
    deaths: list[float] = []
    while True:
        code = await engine.exited()
        deaths = [moment for moment in deaths if monotonic() - moment < _SOON] + [monotonic()]
        log.error("%s ended with code %s; starting it again", name, code)
        if len(deaths) > _MOST_RESTARTS:
            raise EngineError(f"{name} died {len(deaths)} times within a minute; giving up")
        await asyncio.sleep(0.1 * len(deaths))
        await engine.restart()
        log.info("%s runs again", name)
