"""``python -m libs.embedded.qdrant_edge --path FOLDER --port N --api-key-file FILE``."""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from libs.embedded.qdrant_edge.server import build_server
from libs.embedded.qdrant_edge.store import Store

READY = "ready on port"
TEND_EVERY = 5.0
GRACE = 2.0
_ENDING = (signal.SIGTERM, signal.SIGINT)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m libs.embedded.qdrant_edge")
    parser.add_argument("--path", type=Path, required=True, help="the data folder")
    parser.add_argument("--port", type=int, required=True, help="loopback TCP port")
    parser.add_argument(
        "--api-key-file", type=Path, required=True, help="holds the key that every caller sends"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then saves everything. 1 if the port is taken."""
    # Waited for, not handled: a handler that interrupts the very lock that it needs hangs for ever.
    # Before any thread is started, so that they all leave the signals to the one that waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    arguments = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    store = Store(arguments.path)
    address = f"127.0.0.1:{arguments.port}"
    try:
        server, port = build_server(store, address, arguments.api_key_file.read_text())
    except RuntimeError:
        logging.error("%s is already in use", address)
        store.close()
        return 1
    server.start()
    logging.info("%s %d", READY, port)
    tend_until_asked_to_end(lambda: store.tend(time.monotonic()), TEND_EVERY)
    server.stop(GRACE).wait()
    store.close()
    return 0


def tend_until_asked_to_end(tend: Callable[[], None], every: float) -> None:
    """Calls ``tend`` every so many seconds, until SIGTERM or SIGINT comes; they are blocked."""
    asked = threading.Event()

    def listen() -> None:
        # Without a limit of time: sigtimedwait of a process that was stopped for longer than its
        # time, and continued, takes that for a signal.
        signal.sigwait(_ENDING)
        asked.set()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    while not asked.wait(every):
        tend()


if __name__ == "__main__":
    sys.exit(main())
