"""What the catalog's processes are built of."""

import os
import socket
from datetime import timedelta
from pathlib import Path

from libs.aio import BlockingPool
from libs.blobs.store import BlobStore
from libs.clock import Clock
from libs.db.engine import Database
from libs.images import ImageLimits, reuse_buffers
from libs.jobs.queue import JobQueue
from libs.llm.answers import Model
from libs.rpc.call import current_call
from libs.signing import Signer
from services.catalog.pictures import PooledPictures
from services.catalog.ports import Captioner
from services.catalog.repository.catalog import CatalogDatabase
from services.catalog.settings import CatalogSettings
from services.catalog.usecases.all import UseCases
from services.catalog.usecases.analysis import Analysis, AnalysisCases
from services.catalog.usecases.batches import BatchCases
from services.catalog.usecases.campaigns import CampaignCases
from services.catalog.usecases.candidates import CandidateCases
from services.catalog.usecases.filing import FilingCases
from services.catalog.usecases.gaps import GapCases
from services.catalog.usecases.imports import ImportCases
from services.catalog.usecases.lineage import LineageCases
from services.catalog.usecases.media import MediaCases
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.photos import PhotoCases
from services.catalog.usecases.pillars import PillarCases
from services.catalog.usecases.runs import RunCases
from services.catalog.usecases.signed_urls import SignedUrlCases
from services.catalog.usecases.suggesting import Desk
from services.catalog.usecases.suggestions import SuggestionCases
from services.catalog.usecases.sweeping import SweepBlobs
from services.catalog.usecases.templates import TemplateCases
from services.catalog.usecases.uploads import UploadCases, UploadLimits
from services.catalog.usecases.voting import VotingCases
from services.catalog.usecases.winners import WinnerCases

MIGRATIONS = Path(__file__).parent / "migrations"

# Of what is decoded and of what it is shrunk to.
_BUFFERS_PER_THREAD = 2


def trace() -> str:
    """The traceparent of the call being served; empty outside of one."""
    call = current_call.get()
    return call.forwarded.get("traceparent", "") if call else ""


def decode_pool(settings: CatalogSettings) -> BlockingPool:
    """The threads in which pictures are decoded."""
    threads = settings.decode_threads or os.cpu_count() or 1
    reuse_buffers(_BUFFERS_PER_THREAD * threads)
    return BlockingPool("decode", threads)


def use_cases(
    settings: CatalogSettings,
    database: Database,
    blobs: BlobStore,
    pool: BlockingPool,
    clock: Clock,
    queue: JobQueue,
    signer: Signer,
    *,
    captions: bool = False,
) -> UseCases:
    """Everything that the service can do. ``signer`` makes addresses that need no key;
    ``captions``: a model says what new photos show."""
    catalog = CatalogDatabase(database, clock, trace)
    sizes = ImageLimits(settings.max_bytes, settings.max_pixels)
    pictures = PooledPictures(pool, sizes, captions=captions)
    limits = UploadLimits(settings.max_bytes, settings.spool_bytes)
    gaps = GapCases(catalog, clock)
    voting = VotingCases(catalog, clock, settings.vote_confidence)
    return UseCases(
        personas=PersonaCases(catalog, clock),
        pillars=PillarCases(catalog, clock),
        photos=PhotoCases(catalog, clock),
        batches=BatchCases(catalog, clock),
        analysis=AnalysisCases(catalog, queue, clock),
        uploads=UploadCases(catalog, blobs, pictures, clock, limits),
        imports=ImportCases(catalog, clock),
        filing=FilingCases(catalog, clock, settings.filing_confidence),
        media=MediaCases(catalog, blobs, pictures),
        signed_urls=SignedUrlCases(catalog, signer, clock),
        gaps=gaps,
        suggestions=SuggestionCases(catalog, gaps, queue, clock),
        runs=RunCases(catalog, clock),
        candidates=CandidateCases(catalog, blobs, pictures, clock, limits, voting),
        voting=voting,
        winners=WinnerCases(catalog, clock),
        lineage=LineageCases(catalog),
        templates=TemplateCases(catalog, clock),
        campaigns=CampaignCases(catalog, clock),
    )


def desk(
    settings: CatalogSettings,
    database: Database,
    model: Model | None,
    pool: BlockingPool,
    clock: Clock,
) -> Desk:
    """Where suggestions are written."""
    return Desk(
        catalog=CatalogDatabase(database, clock),
        model=model,
        pool=pool,
        clock=clock,
        owner=f"{socket.gethostname()}/{os.getpid()}",
        max_attempts=settings.suggest_attempts,
    )


def filing(settings: CatalogSettings, database: Database, clock: Clock) -> FilingCases:
    """What files photos that came without a pillar."""
    return FilingCases(CatalogDatabase(database, clock), clock, settings.filing_confidence)


def sweep(
    settings: CatalogSettings, database: Database, blobs: BlobStore, clock: Clock
) -> SweepBlobs:
    """The job that removes blobs that no photo uses."""
    grace = timedelta(seconds=settings.sweep_grace)
    return SweepBlobs(CatalogDatabase(database, clock), blobs, clock, grace)


def analysis(
    settings: CatalogSettings,
    database: Database,
    blobs: BlobStore,
    pool: BlockingPool,
    clock: Clock,
    captioner: Captioner | None = None,
) -> Analysis:
    """The job that makes the measures that are pending."""
    pictures = PooledPictures(pool, ImageLimits(settings.max_bytes, settings.max_pixels))
    return Analysis(CatalogDatabase(database, clock), blobs, pictures, clock, captioner)
