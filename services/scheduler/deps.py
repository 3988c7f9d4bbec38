"""The constructors that the served part and the jobs share."""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from libs.clock import Clock
from libs.db.engine import Database
from libs.http import HttpClient
from libs.jobs.queue import JobQueue
from libs.llm.chat import ChatModel
from libs.llm.settings import LanguageModelSettings
from services.scheduler.consumers import Consumers
from services.scheduler.convert import StoredResults
from services.scheduler.ports import Blobs, Catalog, PictureProbe, Publishers, Store, Vault
from services.scheduler.providers.guard import refuse_private
from services.scheduler.providers.picture_probe import HttpPictureProbe
from services.scheduler.publishers import USER_AGENT, ProviderPublishers
from services.scheduler.servicer import UseCases
from services.scheduler.settings import SchedulerSettings
from services.scheduler.store import SqlStore
from services.scheduler.usecases import tasks
from services.scheduler.usecases.approving import ApprovePosts
from services.scheduler.usecases.batch_create import BatchCreatePosts
from services.scheduler.usecases.calendar_export import ExportCalendar
from services.scheduler.usecases.campaigns import Campaigns
from services.scheduler.usecases.change_channel import PauseChannel, UpdateChannel
from services.scheduler.usecases.change_post import ChangePost
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.channels import CreateChannel, DeleteChannel, ReadChannels
from services.scheduler.usecases.collect_results import CollectResults
from services.scheduler.usecases.composing import Composing
from services.scheduler.usecases.confirm import Confirm
from services.scheduler.usecases.create_post import CreatePost
from services.scheduler.usecases.import_posts import ImportPosts
from services.scheduler.usecases.media import Media, ReadMedia
from services.scheduler.usecases.media_address import MediaAddresses
from services.scheduler.usecases.outgoing import Accounts, Outgoing
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.placing import Placing
from services.scheduler.usecases.plan_calendar import PlanCalendar
from services.scheduler.usecases.posts import CancelPost, ReadPosts
from services.scheduler.usecases.precheck import Precheck
from services.scheduler.usecases.prepare import Prepare
from services.scheduler.usecases.publish import Publish
from services.scheduler.usecases.publish_several import PublishSeveral
from services.scheduler.usecases.readiness import Readiness
from services.scheduler.usecases.reconcile import Reconcile
from services.scheduler.usecases.remote_look import RemoteLook
from services.scheduler.usecases.renew_tokens import RenewTokens
from services.scheduler.usecases.repeats import FollowCopies
from services.scheduler.usecases.retry_post import RetryPost
from services.scheduler.usecases.rights import FollowRights
from services.scheduler.usecases.schedule_post import SchedulePost
from services.scheduler.usecases.sync_posts import SyncPosts
from services.scheduler.usecases.tick import Tick
from services.scheduler.usecases.unscheduled import ListUnscheduledPhotos
from services.scheduler.usecases.watch_post import WatchPost
from services.scheduler.usecases.watch_remote import CheckRemote, WatchRemote
from services.scheduler.usecases.write_texts import Author

MIGRATIONS: Final = Path(__file__).parent / "migrations"

Task = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outside:
    """All that the use cases need of the outside."""

    store: Store
    catalog: Catalog
    publishers: Publishers
    vault: Vault
    blobs: Blobs
    queue: JobQueue
    clock: Clock
    probe: PictureProbe


@asynccontextmanager
async def outside(
    database: Database,
    settings: SchedulerSettings,
    *,
    catalog: Catalog,
    vault: Vault,
    blobs: Blobs,
    queue: JobQueue,
    clock: Clock,
) -> AsyncIterator[Outside]:
    """The outside, with one pool of connections to providers, closed at the end."""
    async with HttpClient(
        user_agent=USER_AGENT,
        total=settings.submit_timeout,
        write_open_for=settings.breaker_pause,
        guard=refuse_private,
    ) as http:
        yield Outside(
            SqlStore(database, clock),
            catalog,
            ProviderPublishers(http, blobs, clock),
            vault,
            blobs,
            queue,
            clock,
            HttpPictureProbe(http),
        )


def pace_of(settings: SchedulerSettings) -> Pace:
    """The settings as the use cases take them."""
    return Pace(
        submit_lead=timedelta(seconds=settings.submit_lead),
        overdue_lead=timedelta(seconds=settings.overdue_lead),
        submit_timeout=timedelta(seconds=settings.submit_timeout),
        claim_lease=timedelta(seconds=settings.claim_lease),
        claim_batch=settings.claim_batch,
        channel_check_every=timedelta(seconds=settings.channel_check_every),
    )


def media_addresses(out: Outside, settings: SchedulerSettings) -> MediaAddresses:
    """Where providers fetch pictures."""
    return MediaAddresses(settings.media_base_url, out.vault.signer("publication media"))


def use_cases(
    out: Outside, settings: SchedulerSettings, is_stopping: Callable[[], bool]
) -> UseCases:
    """What is served."""
    pace = pace_of(settings)
    accounts = Accounts(out.publishers, out.vault)
    care = ChannelCare(out.store, accounts, out.clock, pace)
    placing = Placing(accounts, out.clock, pace)
    create_post = CreatePost(out.store, out.catalog, out.queue, out.clock, placing)
    return UseCases(
        create_channel=CreateChannel(
            out.store,
            out.catalog,
            out.publishers,
            out.vault,
            out.clock,
            pace,
            settings.media_base_url,
        ),
        channels=ReadChannels(out.store, out.catalog),
        delete_channel=DeleteChannel(out.store),
        update_channel=UpdateChannel(out.store, out.publishers, out.vault, out.clock, pace),
        pause_channel=PauseChannel(out.store, out.clock, pace),
        create_post=create_post,
        batch_create=BatchCreatePosts(
            out.store,
            out.catalog,
            out.queue,
            out.clock,
            placing,
            create_post,
            Composing(out.store, out.catalog, placing),
            StoredResults(),
        ),
        unscheduled=ListUnscheduledPhotos(out.store, out.catalog, out.clock),
        import_posts=ImportPosts(out.store, out.catalog, out.clock),
        schedule_post=SchedulePost(out.store, out.catalog, out.clock, placing),
        posts=ReadPosts(out.store, out.catalog),
        change_post=ChangePost(out.store, out.catalog, out.clock, placing, pace),
        approve_posts=ApprovePosts(out.store, out.clock, pace),
        cancel_post=CancelPost(out.store, out.clock, pace),
        retry_post=RetryPost(out.store, out.catalog, out.clock, pace),
        sync_posts=SyncPosts(
            out.store,
            out.catalog,
            RemoteLook(out.store, accounts, out.clock),
            Confirm(out.store, accounts, care, out.clock),
            out.clock,
        ),
        watch_post=WatchPost(
            out.store,
            poll=timedelta(seconds=settings.watch_poll),
            heartbeat=timedelta(seconds=settings.watch_heartbeat),
            is_stopping=is_stopping,
        ),
        media=ReadMedia(out.store, out.blobs, media_addresses(out, settings), out.clock),
    )


@dataclass(frozen=True, slots=True)
class PlannerCases:
    """What the planner serves."""

    plans: PlanCalendar
    export: ExportCalendar


def planner_cases(out: Outside, settings: SchedulerSettings) -> PlannerCases:
    """What the planner serves."""
    placing = Placing(Accounts(out.publishers, out.vault), out.clock, pace_of(settings))
    create = CreatePost(out.store, out.catalog, out.queue, out.clock, placing)
    composing = Composing(out.store, out.catalog, placing)
    return PlannerCases(
        PlanCalendar(
            out.store,
            out.catalog,
            out.queue,
            out.clock,
            placing,
            create,
            composing,
            StoredResults(),
        ),
        ExportCalendar(out.store, out.catalog, out.clock),
    )


@asynccontextmanager
async def author_of(
    words: LanguageModelSettings, eyes: LanguageModelSettings
) -> AsyncIterator[Author | None]:
    """Who writes captions: the model that sees, else the one for words; None without either."""
    settings = eyes if eyes.base_url else words
    if not settings.base_url:
        yield None
        return
    async with ChatModel(settings) as model:
        yield Author(model, sees=settings is eyes)


def consumers(out: Outside, settings: SchedulerSettings) -> Consumers:
    """What is done about events."""
    pace = pace_of(settings)
    placing = Placing(Accounts(out.publishers, out.vault), out.clock, pace)
    return Consumers(
        FollowRights(out.store, out.clock, pace),
        Campaigns(out.store, out.catalog, out.clock, placing),
        FollowCopies(out.store, out.clock, pace),
    )


def job_tasks(out: Outside, settings: SchedulerSettings) -> Mapping[str, Task]:
    """What workers do, by the name of the task."""
    pace, outgoing = pace_of(settings), Outgoing(media_addresses(out, settings))
    accounts = Accounts(out.publishers, out.vault)
    media = Media(out.store, out.catalog, out.blobs)
    care = ChannelCare(out.store, accounts, out.clock, pace)
    readiness = Readiness(out.store, media, accounts, care, out.clock)
    worker = f"{socket.gethostname()}:{os.getpid()}"
    publish = Publish(out.store, readiness, care, outgoing, out.clock, pace, worker)
    return {
        tasks.TICK: Tick(out.store, out.queue, out.clock, pace),
        tasks.PREPARE: Prepare(out.store, media, accounts, outgoing, out.clock),
        tasks.PUBLISH: PublishSeveral(publish),
        tasks.RECONCILE: Reconcile(out.store, accounts, care, outgoing, out.clock, pace),
        tasks.CONFIRM: Confirm(out.store, accounts, care, out.clock),
        tasks.WATCH_REMOTE: WatchRemote(out.store, out.queue, out.clock),
        tasks.CHECK_REMOTE: CheckRemote(
            out.store, RemoteLook(out.store, accounts, out.clock), care, out.clock
        ),
        tasks.PRECHECK: Precheck(out.store, care, outgoing, out.probe, out.clock),
        tasks.CHECK_CHANNEL: care.check,
        tasks.COLLECT_RESULTS: CollectResults(out.store, accounts, out.clock),
        tasks.RENEW_TOKENS: RenewTokens(out.store, accounts, out.vault, care, out.clock),
    }
