"""Stand-ins for a model: simple, countable, and on demand slow or failing."""

import threading
import time

import numpy as np

from services.embedding.session import Floats


class FakeSession:
    """Gives each image its mean colour and a 1, so that mixed-up answers show.

    A run takes ``seconds`` whatever the size of the batch. Images whose mean is ``poison`` make the
    whole batch fail, as one bad image does in a real runtime. ``gate`` holds every run while clear.
    """

    provider = "FakeExecutionProvider"

    def __init__(self, *, seconds: float = 0.0, poison: float | None = None) -> None:
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self._seconds = seconds
        self._poison = poison

    def run(self, batch: Floats) -> Floats:
        """[n, 3, h, w] to [n, 4]."""
        self.sizes.append(len(batch))
        self.gate.wait(300)  # no thread may outlive a test that failed
        time.sleep(self._seconds)
        means = batch.mean(axis=(2, 3))
        if self._poison is not None and np.isclose(means[:, 0], self._poison).any():
            raise RuntimeError("poisoned")
        return np.hstack([means, np.ones((len(batch), 1), dtype=np.float32)]).astype(np.float32)


def tensor(value: float) -> Floats:
    """One image of a single colour."""
    return np.full((3, 2, 2), value, dtype=np.float32)
