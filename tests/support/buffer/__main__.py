"""``python -m tests.support.buffer --port N --admin-port M [--state FILE] [--token TOKEN]``."""

import argparse
import asyncio
import signal
from pathlib import Path

from tests.support.buffer.stand_in import DEFAULT_TOKEN, BufferStandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.buffer")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--admin-port", type=int, required=True)
    parser.add_argument("--state", type=Path, help="keep the state in this file")
    parser.add_argument("--token", default=DEFAULT_TOKEN)
    asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    stand_in = BufferStandIn(
        port=arguments.port,
        admin_port=arguments.admin_port,
        state_file=arguments.state,
        token=arguments.token,
    )
    async with stand_in as buffer:
        print(f"Buffer stand-in on {buffer.url}, admin on {buffer.admin.url}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    main()
