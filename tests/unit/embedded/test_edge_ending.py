"""The embedded index ends when it is asked to, and not because its process stood still."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

EVERY = 0.2
PROGRAM = f"""
import signal
from libs.embedded.qdrant_edge.__main__ import tend_until_asked_to_end
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
tend_until_asked_to_end(lambda: print("tended", flush=True), {EVERY})
print("ended", flush=True)
"""


@pytest.fixture
def tending() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as it:
        yield it
        it.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_that_stood_still_for_a_while_goes_on(tending: subprocess.Popen[str]) -> None:
    assert line(tending) == "tended"
    os.kill(tending.pid, signal.SIGSTOP)
    time.sleep(2 * EVERY)  # so that the time for the next one is over; longer does no harm
    os.kill(tending.pid, signal.SIGCONT)
    # What it had written before counts, so more than that.
    assert {line(tending) for _ in range(5)} == {"tended"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_does(tending: subprocess.Popen[str], number: signal.Signals) -> None:
    assert line(tending) == "tended"
    tending.send_signal(number)
    while (told := line(tending)) == "tended":
        pass
    assert told == "ended"
    assert tending.wait(60) == 0
