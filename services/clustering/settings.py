"""Settings of the clustering service."""

from collections.abc import Mapping

from pydantic import Field

from libs.settings import Part
from services.clustering.domain.item import Modality


class ClusteringSettings(Part):
    """How items are embedded and grouped."""

    embed_batch: int = Field(16, ge=1, le=64)
    """Photos that one call to the embedding service takes."""

    embed_concurrency: int = Field(2, ge=1, le=32)
    """Such calls that are under way at once."""

    text_batch: int = Field(100, ge=1, le=256)
    """Texts that one call to the embedding service takes."""

    pending_minutes: float = Field(5.0, gt=0)
    """Items older than this that have no vector yet are embedded by the jobs, too, whatever becomes
    of the process that should."""

    duplicate_floor: float = Field(0.92, ge=0, le=1)
    """The least cosine of near-duplicates, whatever the model says: its own threshold tells copies
    from unrelated photos, and two shots of one scene pass that too."""

    copy_structure: float = Field(0.95, ge=0, le=1)
    """The least correlation of the details of two copies of one picture, laid over each other."""

    copy_distance: int = Field(36, ge=0, le=136)
    """The most of the 136 bits of two perceptual hashes in which copies may differ."""

    burst_seconds: float = Field(60.0, ge=0)
    """Photos taken within so many seconds that show one scene are shots of one moment."""

    granularity: float = Field(0.40, ge=0.05, le=0.95)
    """The cosine expected within a group: 0.25 gives fewer, broader groups, 0.55 finer ones."""

    min_size: int = Field(4, ge=2, le=1000)
    """The fewest items that make a cluster."""

    direct_limit: int = Field(50_000, ge=1_000)
    """Scopes of more items than this are grouped anew in shards, and not as a whole in memory."""

    shard_size: int = Field(50_000, ge=1_000)
    """Items in one of these shards."""

    cluster_minutes: float = Field(15.0, ge=0)
    """How long new items wait until their scope is clustered without anybody asking for it; 0 never
    does. A scope gets one such run in that time, however many items come in."""

    keep_generations: int = Field(1, ge=0, le=10)
    """Generations of vectors that were active before and are kept for going back to them."""

    max_attempts: int = Field(3, ge=1)
    """How often a run is tried that is interrupted by what is not its fault."""

    summary_seconds: float = Field(15.0, gt=0)
    """How often clusters that changed are looked for, to write about them, in seconds."""

    summary_concurrency: int = Field(2, ge=1, le=16)
    """Clusters that are written about at once."""

    sweep_seconds: float = Field(5.0, gt=0)
    """How often waiting runs are looked for, in seconds."""

    @property
    def batches(self) -> Mapping[Modality, int]:
        """How many items of each kind one call to the embedding service takes."""
        return {Modality.PHOTOS: self.embed_batch, Modality.TEXTS: self.text_batch}

    keep_version_days: float = Field(90.0, gt=0)
    """Versions of clusters are kept so long, in days; the newest and pinned ones for ever."""

    keep_run_days: float = Field(30.0, gt=0)
    """Clustering runs that have ended are remembered so long, in days."""

    page_cache_seconds: float = Field(86_400.0, ge=0)
    """How long pages of clusters are remembered in Redis, in seconds, about; 0: not at all. A page
    that changed has another key, so nothing old is ever shown."""

    page_cache_url: str | None = Field(None, pattern=r"^rediss?://[^\s]+$")
    """The Redis for that. Unset: the one of the suite; on a cluster, one that may forget keys."""
