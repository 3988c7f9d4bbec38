"""The scheduler on the wire."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post
from colonnade.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer
from google.protobuf.empty_pb2 import Empty

from libs.rpc.call import current_call
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.scheduler import convert
from services.scheduler.domain.names import ALL_PERSONAS, channel_key, persona_id, post_key
from services.scheduler.ports import PostListing
from services.scheduler.usecases.approving import ApprovePosts
from services.scheduler.usecases.batch_create import BatchCreatePosts
from services.scheduler.usecases.change_channel import PauseChannel, UpdateChannel
from services.scheduler.usecases.change_post import ChangePost
from services.scheduler.usecases.channels import CreateChannel, DeleteChannel, ReadChannels
from services.scheduler.usecases.create_post import CreatePost
from services.scheduler.usecases.import_posts import ImportPosts
from services.scheduler.usecases.media import ReadMedia
from services.scheduler.usecases.posts import CancelPost, ReadPosts
from services.scheduler.usecases.retry_post import RetryPost
from services.scheduler.usecases.schedule_post import SchedulePost
from services.scheduler.usecases.sync_posts import SyncPosts
from services.scheduler.usecases.unscheduled import ListUnscheduledPhotos
from services.scheduler.usecases.watch_post import WatchPost

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What is served."""

    create_channel: CreateChannel
    channels: ReadChannels
    delete_channel: DeleteChannel
    update_channel: UpdateChannel
    pause_channel: PauseChannel
    create_post: CreatePost
    batch_create: BatchCreatePosts
    unscheduled: ListUnscheduledPhotos
    import_posts: ImportPosts
    schedule_post: SchedulePost
    posts: ReadPosts
    change_post: ChangePost
    approve_posts: ApprovePosts
    cancel_post: CancelPost
    retry_post: RetryPost
    sync_posts: SyncPosts
    watch_post: WatchPost
    media: ReadMedia


class SchedulerServicer(SchedulerServiceServicer):
    """Serves ``colonnade.scheduler.v1.SchedulerService``; see the contract."""

    def __init__(self, use: UseCases, tokens: PageTokens) -> None:
        self._use = use
        self._tokens = tokens

    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Context) -> Channel:
        """See the contract."""
        new = convert.new_channel(request)
        made = await self._use.create_channel(new, request_of(request, "CreateChannel"))
        return convert.channel_message(made)

    async def GetChannel(self, request: pb.GetChannelRequest, context: Context) -> Channel:
        """See the contract."""
        return convert.channel_message(await self._use.channels.get(channel_key(request.name)))

    async def ListChannels(
        self, request: pb.ListChannelsRequest, context: Context
    ) -> pb.ListChannelsResponse:
        """See the contract."""
        listing = ("ListChannels", request.parent)
        asked = self._tokens.request(request.page_size, request.page_token, *listing)
        page = await self._use.channels.page(persona_id(request.parent), asked)
        return pb.ListChannelsResponse(
            channels=[convert.channel_message(channel) for channel in page.rows],
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def DeleteChannel(self, request: pb.DeleteChannelRequest, context: Context) -> Empty:
        """See the contract."""
        key = channel_key(request.name)
        await self._use.delete_channel(key, request.etag, request_of(request, "DeleteChannel"))
        return Empty()

    async def UpdateChannel(self, request: pb.UpdateChannelRequest, context: Context) -> Channel:
        """See the contract."""
        key = channel_key(request.channel.name, "channel.name")
        changed = await self._use.update_channel(
            key,
            lambda channel: convert.channel_change(channel, request),
            request.channel.etag,
            request_of(request, "UpdateChannel"),
        )
        return convert.channel_message(changed)

    async def PauseChannel(
        self, request: pb.PauseChannelRequest, context: Context
    ) -> pb.PauseChannelResponse:
        """See the contract."""
        key, asked = channel_key(request.name), request_of(request, "PauseChannel")
        channel = await self._use.pause_channel.pause(key, request.etag, asked)
        return pb.PauseChannelResponse(channel=convert.channel_message(channel))

    async def ResumeChannel(
        self, request: pb.ResumeChannelRequest, context: Context
    ) -> pb.ResumeChannelResponse:
        """See the contract."""
        key, asked = channel_key(request.name), request_of(request, "ResumeChannel")
        channel = await self._use.pause_channel.resume(key, request.etag, asked)
        return pb.ResumeChannelResponse(channel=convert.channel_message(channel))

    async def CreatePost(self, request: pb.CreatePostRequest, context: Context) -> Post:
        """See the contract."""
        new = convert.new_post(request)
        made = await self._use.create_post(new, request_of(request, "CreatePost"))
        return convert.post_message(made)

    async def BatchCreatePosts(
        self, request: pb.BatchCreatePostsRequest, context: Context
    ) -> pb.BatchCreatePostsResponse:
        """See the contract."""
        batch = convert.batch(request)
        results = await self._use.batch_create(batch, request_of(request, "BatchCreatePosts"))
        return pb.BatchCreatePostsResponse(results=[convert.result_message(r) for r in results])

    async def ListUnscheduledPhotos(
        self, request: pb.ListUnscheduledPhotosRequest, context: Context
    ) -> pb.ListUnscheduledPhotosResponse:
        """See the contract."""
        wanted = convert.unused_photos(request)
        listing = (
            "ListUnscheduledPhotos",
            request.parent,
            request.pillar,
            request.filter,
            request.order_by,
        )
        asked = self._tokens.request(request.page_size, request.page_token, *listing)
        page = await self._use.unscheduled(wanted, asked)
        return pb.ListUnscheduledPhotosResponse(
            photos=[convert.photo_message(photo) for photo in page.rows],
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def ImportPosts(
        self, request: pb.ImportPostsRequest, context: Context
    ) -> pb.ImportPostsResponse:
        """See the contract."""
        past = [convert.past_post(post) for post in request.posts]
        results = await self._use.import_posts(persona_id(request.parent), past)
        return pb.ImportPostsResponse(results=[convert.result_message(r) for r in results])

    async def SchedulePost(
        self, request: pb.SchedulePostRequest, context: Context
    ) -> pb.SchedulePostResponse:
        """See the contract."""
        at = convert.moment(request.scheduled_time, "scheduled_time")
        key = post_key(request.name)
        post = await self._use.schedule_post(key, at, request_of(request, "SchedulePost"))
        return pb.SchedulePostResponse(post=convert.post_message(post))

    async def GetPost(self, request: pb.GetPostRequest, context: Context) -> Post:
        """See the contract."""
        return convert.post_message(await self._use.posts.get(post_key(request.name)))

    async def ListPosts(
        self, request: pb.ListPostsRequest, context: Context
    ) -> pb.ListPostsResponse:
        """See the contract."""
        descending = convert.is_descending(request.order_by)
        listing = ("ListPosts", request.parent, request.filter, str(descending))
        asked = self._tokens.request(request.page_size, request.page_token, *listing)
        persona = persona_id(request.parent)
        conditions = convert.post_conditions(request.filter)
        page = await self._use.posts.page(
            PostListing(None if persona == ALL_PERSONAS else persona, asked, conditions, descending)
        )
        return pb.ListPostsResponse(
            posts=[convert.post_message(post) for post in page.rows],
            next_page_token=self._tokens.token(page.next_key, *listing),
        )

    async def UpdatePost(self, request: pb.UpdatePostRequest, context: Context) -> Post:
        """See the contract."""
        changed = await self._use.change_post(
            post_key(request.post.name, "post.name"),
            lambda post: convert.post_change(post, request),
            request.post.etag,
            request_of(request, "UpdatePost"),
        )
        return convert.post_message(changed)

    async def ApprovePost(
        self, request: pb.ApprovePostRequest, context: Context
    ) -> pb.ApprovePostResponse:
        """See the contract."""
        call, asked = current_call.get(), request_of(request, "ApprovePost")
        approver = call.caller if call else ""
        key = post_key(request.name)
        post = await self._use.approve_posts.approve(key, request.etag, approver, asked)
        return pb.ApprovePostResponse(post=convert.post_message(post))

    async def WithdrawPostApproval(
        self, request: pb.WithdrawPostApprovalRequest, context: Context
    ) -> pb.WithdrawPostApprovalResponse:
        """See the contract."""
        asked = request_of(request, "WithdrawPostApproval")
        post = await self._use.approve_posts.withdraw(post_key(request.name), asked)
        return pb.WithdrawPostApprovalResponse(post=convert.post_message(post))

    async def CancelPost(
        self, request: pb.CancelPostRequest, context: Context
    ) -> pb.CancelPostResponse:
        """See the contract."""
        key = post_key(request.name)
        post = await self._use.cancel_post(key, request_of(request, "CancelPost"))
        return pb.CancelPostResponse(post=convert.post_message(post))

    async def RetryPost(
        self, request: pb.RetryPostRequest, context: Context
    ) -> pb.RetryPostResponse:
        """See the contract."""
        has_time = request.HasField("scheduled_time")
        at = convert.moment(request.scheduled_time, "scheduled_time") if has_time else None
        key = post_key(request.name)
        post = await self._use.retry_post(key, at, request_of(request, "RetryPost"))
        return pb.RetryPostResponse(post=convert.post_message(post))

    async def SyncPosts(
        self, request: pb.SyncPostsRequest, context: Context
    ) -> pb.SyncPostsResponse:
        """See the contract."""
        return convert.synced_message(await self._use.sync_posts(persona_id(request.parent)))

    async def WatchPost(
        self, request: pb.WatchPostRequest, context: Context
    ) -> AsyncIterator[pb.WatchPostResponse]:
        """See the contract."""
        sequence = 0
        async for post in self._use.watch_post(post_key(request.name)):
            sequence += 1
            yield pb.WatchPostResponse(post=convert.post_message(post), sequence=sequence)

    async def ReadPublicationMedia(
        self, request: pb.ReadPublicationMediaRequest, context: Context
    ) -> AsyncIterator[pb.ReadPublicationMediaResponse]:
        """See the contract."""
        snapshot = await self._use.media.find(request.token)
        yield pb.ReadPublicationMediaResponse(info=convert.media_info(snapshot))
        length = request.length or None
        async for chunk in self._use.media.stream(snapshot, request.offset, length):
            yield pb.ReadPublicationMediaResponse(chunk=chunk)
