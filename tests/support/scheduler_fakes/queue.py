"""A queue of tasks in memory."""


class RecordingQueue:
    """A ``JobQueue`` that remembers, or is away."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.is_away = False

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        if not self.is_away:
            self.sent.append((task, job_id))
        return not self.is_away
