"""Settings of the scheduler service."""

from libs.settings import Part


class SchedulerSettings(Part):
    """Settings of the scheduler service."""
