"""``python -m tests.support.llm --port N [--key KEY] [--delay S] [--script ok,fenced,500,…]``."""

import argparse
import asyncio
import signal
from collections.abc import Iterable
from typing import Any

from tests.support.llm.stand_in import (
    MODEL,
    Step,
    dropped,
    fails,
    fenced,
    language_model,
    nonsense,
    ok,
)

_STEPS: dict[str, Step] = {
    "ok": ok,
    "fenced": fenced,
    "nonsense": nonsense,
    "dropped": dropped,
    "429": fails(429),
    "500": fails(500),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.llm")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", default="", help="the API key that it wants")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--script", default="", help=f"of {', '.join(_STEPS)}, with commas between")
    arguments = parser.parse_args()
    names = [name for name in arguments.script.split(",") if name]
    if unknown := set(names) - set(_STEPS):
        parser.error(f"--script: {', '.join(sorted(unknown))} is unknown")
    script = [_STEPS[name] for name in names]
    asyncio.run(_serve(script, key=arguments.key, port=arguments.port, delay=arguments.delay))


async def _serve(script: Iterable[Step], **options: Any) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with language_model(script, **options) as model:
        print(f"language model {MODEL} on {model.url}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    main()
