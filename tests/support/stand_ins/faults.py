"""Things that go wrong in calls to a stand-in."""

from dataclasses import dataclass


@dataclass
class Fault:
    """One thing that goes wrong, ``times`` times, in calls of ``operation`` (``*``: any).

    drop_before    the connection breaks, nothing was done
    drop_after     done, then the connection breaks
    gateway_error  done (unless ``processed`` is false), then HTML with ``status``
    nonsense       done, then 200 with HTML
    delay          done, answered after ``seconds`` of real time
    rate_limit     429 as the provider says it, for ``seconds``
    refuse         refused as the provider refuses a post, with ``status``
    disconnect     done; then the account loses its connection
    blocked        done, and yet refused as the provider may
    """

    kind: str
    operation: str = "publish"
    times: int = 1
    seconds: float = 60.0
    status: int = 502
    processed: bool = True
