"""Settings of the scheduler service."""

from pydantic import Field

from libs.settings import Part


class SchedulerSettings(Part):
    """Settings of the scheduler service."""

    media_base_url: str = Field("http://127.0.0.1:8080", pattern="^https?://")
    """Where providers reach the gateway, to fetch the pictures of posts."""

    submit_lead: float = Field(60.0, ge=0)
    """Seconds before its time at which a post is handed to the provider."""

    overdue_lead: float = Field(30.0, ge=0)
    """Seconds from now at which something overdue goes out; providers refuse times in the past."""

    submit_timeout: float = Field(30.0, gt=0)
    """Seconds that one call to a provider may take; after twice that its worker counts as dead."""

    breaker_pause: float = Field(3600.0, gt=0)
    """Seconds for which a provider is left alone that did not answer five calls in a row."""

    tick_every: float = Field(2.0, gt=0)
    """Seconds between two looks for something to do."""

    claim_batch: int = Field(100, ge=1, le=1000)
    """How many publications are claimed at a time; one look takes up to five such batches."""

    claim_lease: float = Field(60.0, gt=0)
    """Seconds until a publication is announced again whose message got lost."""

    channel_check_every: float = Field(1800.0, gt=0)
    """Seconds between two questions whether a channel that needs attention is mended."""

    watch_poll: float = Field(0.5, gt=0)
    """Seconds between two looks at a post that is watched."""

    watch_heartbeat: float = Field(10.0, gt=0, le=15)
    """Seconds after which a watcher hears of a post even if it did not change."""
