"""The port through which a use case asks for work to be done later."""

from typing import Protocol


class JobQueue(Protocol):
    """Tells workers that a job is waiting. The job's row is the truth; this is only a nudge."""

    async def enqueue(self, task: str, job_id: str, queue: str) -> bool:
        """Sends the id of a committed job to the workers of ``queue``.

        Never raises for a broker that is away: answers False, and the periodic sweep finds the row.
        """
