"""What every step of a migration works with."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from libs.blobs.store import BlobStore
from libs.clock import Clock
from libs.db.engine import Database
from libs.names import pattern
from libs.rpc.requests import RequestKey
from services.catalog.legacy.account import Account, Entry, Migration
from services.catalog.legacy.library import LegacyLibrary, LegacyPhoto, LegacyPost
from services.catalog.legacy.rules import Decision, Rule, decide_photo
from services.catalog.legacy.translation import Translation, translate
from services.catalog.ports import Pictures
from services.catalog.repository.catalog import CatalogDatabase
from services.catalog.usecases.uploads import UploadLimits

PERSONAS, PILLARS = "personas", "content_pillars"
CLUSTERS, ASSIGNMENTS = "clusters", "pillar_cluster_assignments"
PHOTOS, RUNS, POSTS = "photos", "pipeline_runs", "scheduling_posts"

POST = pattern("personas/{persona}/posts/{post}")

ONCE = RequestKey("", "", "")
"""The account itself sees to it that nothing is made twice."""

Progress = Callable[[str, int, int], None]
"""Hears of each step: what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts of the catalog that a migration writes with."""

    database: Database
    blobs: BlobStore
    pictures: Pictures
    clock: Clock
    limits: UploadLimits

    @property
    def catalog(self) -> CatalogDatabase:
        """The catalog, for what needs no account."""
        return CatalogDatabase(self.database, self.clock)


@dataclass(frozen=True)
class Desk:
    """One migration: its account, and its library as it was read.

    "Now" is the moment at which it was staged, so that every step comes to the same answers.
    """

    tools: Tools
    account: Account
    migration: Migration
    library: LegacyLibrary

    @cached_property
    def translation(self) -> Translation:
        """What personas and pillars become."""
        return translate(self.library, self.migration.create_time)

    async def entries(self, kind: str) -> dict[str, Entry]:
        """The account of one table, by older id."""
        found = await self.account.entries(self.migration, kind)
        return {entry.id: entry for entry in found}

    async def targets(self, kind: str) -> dict[str, str]:
        """The names of what the rows of a table became, by older id, as far as there are any."""
        entries = await self.entries(kind)
        return {id: entry.outcome.target for id, entry in entries.items() if entry.outcome.target}

    def decision(self, photo: LegacyPhoto, assigned: str) -> Decision:
        """Where a photo goes; ``assigned`` is the pillar that a person chose for it."""
        if assigned:
            return Decision(Rule.MANUAL, assigned)
        return decide_photo(photo, self.library, self.migration.create_time)

    def post_name(self, persona: str, post: LegacyPost) -> str:
        """The name that an older post has here, the same each time."""
        id = uuid.uuid5(uuid.UUID(self.migration.id), f"posts/{post.id}")
        return POST.format(persona, str(id))


def silent(_phase: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""
