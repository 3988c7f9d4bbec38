"""What a photo must pass to be scheduled at a time, and its publications then."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from libs.clock import Clock
from libs.errors import FailedPrecondition
from libs.ids import uuid7
from services.scheduler.domain.approval import APPROVAL_HELD, WAITS
from services.scheduler.domain.channel import Channel, ChannelState, check_connected
from services.scheduler.domain.names import PERSONA, Key, no_channel
from services.scheduler.domain.photo import Photo, Rights, check_rights
from services.scheduler.domain.post import Post, PostState, check_scheduled_time
from services.scheduler.domain.publication import Problem, Publication
from services.scheduler.ports import Changing
from services.scheduler.providers.base import Image, PublishRequest
from services.scheduler.usecases.outgoing import Accounts
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import move
from services.scheduler.usecases.repeats import repetition

_UNAPPROVED: Final = Problem(APPROVAL_HELD, WAITS, retryable=True)
# 192 bits: nobody guesses it.
_TOKEN_BYTES: Final = 24
# The catalog makes every picture for publishing of this kind.
_CONTENT_TYPE: Final = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A photo with its text, as it is to go out at ``at``."""

    photo: Photo
    text: str
    alt_text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """A photo as the catalog tells it, and the rights that were told since it was asked."""

    photo: Photo
    rights: Rights


def new_media_token() -> str:
    """What opens the picture of a publication."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


class Placing:
    """Judges whether photos can be scheduled, by what is known here without asking anybody."""

    def __init__(self, accounts: Accounts, clock: Clock, pace: Pace) -> None:
        self._accounts = accounts
        self._clock = clock
        self._pace = pace

    async def channels(
        self, tx: Changing, persona: str, asked: Sequence[Key] | None
    ) -> list[Channel]:
        """The channels that were asked for (None: all that are connected), kept from deletion.

        Raises NotFound, FailedPrecondition (NO_CHANNEL).
        """
        if asked is None:
            return await _connected(tx, persona)
        for key in asked:
            if key.persona != persona:
                raise no_channel(key)
        found = await tx.channels.pinned(persona, [key.id for key in asked])
        for key in asked:
            if key.id not in {channel.id for channel in found}:
                raise no_channel(key)
        for channel in found:
            check_connected(channel)
        return list(found)

    async def check(self, tx: Changing, wanted: Wanted, channels: Sequence[Channel]) -> None:
        """Passes what may go out, and what the networks behind the channels take.

        Raises FailedPrecondition: RIGHTS, or what a network refuses, such as PHOTO_RATIO.
        """
        known = await self.known(tx, wanted.photo)
        self.judge(wanted, known.rights, channels)

    async def known(self, tx: Changing, photo: Photo) -> KnownPhoto:
        """The photo with what is known of its rights, which is locked.

        A post is locked after that, as by ``FollowRights``, so that the two do not wait for each
        other.
        """
        return KnownPhoto(photo, await tx.rights.remembered(photo.name, photo.rights))

    def judge(self, wanted: Wanted, known: Rights, channels: Sequence[Channel]) -> None:
        """As ``check``, by rights that are ``known`` already."""
        photo = wanted.photo
        check_rights(photo.name, photo.rights, wanted.at)
        check_rights(photo.name, known, wanted.at)
        for channel in channels:
            self._check_network(wanted, channel)

    def fits(self, wanted: Wanted, channels: Sequence[Channel]) -> bool:
        """Whether the networks behind all of the channels take it."""
        return not self.refusal(wanted, channels)

    def refusal(self, wanted: Wanted, channels: Sequence[Channel]) -> str:
        """What a network behind one of the channels refuses it for, such as PHOTO_RATIO; '' if all
        take it."""
        try:
            for channel in channels:
                self._check_network(wanted, channel)
        except FailedPrecondition as error:
            return error.reason
        return ""

    def _check_network(self, wanted: Wanted, channel: Channel) -> None:
        photo = wanted.photo
        # How many bytes it has shows when it is made.
        image = Image("", wanted.alt_text, _CONTENT_TYPE, 0, photo.width, photo.height)
        account = self._accounts.without_key(channel)
        request = PublishRequest(wanted.text, wanted.at, (image,))
        problems = account.publisher.preflight(account.channel, request)
        if not problems:
            return
        why = "; ".join(problem.message for problem in problems)
        raise FailedPrecondition(
            f"{photo.name} cannot go out on {channel.name} ({channel.service}): {why}",
            reason=problems[0].code,
            metadata={
                "photo": photo.name,
                "channel": channel.name,
                "service": channel.service,
                "has": problems[0].has,
                "allowed": problems[0].allowed,
            },
        )

    async def place(self, tx: Changing, post: Post, known: KnownPhoto, at: datetime) -> Post:
        """A post that is ready, scheduled on all channels that are connected; see ``judge``.

        Raises InvalidArgument on ``scheduled_time``, AlreadyExists (PHOTO_ALREADY_SCHEDULED,
        PHOTO_REPEATED), and what ``channels`` and ``judge`` raise; then nothing is changed.
        """
        check_scheduled_time(at, self._clock.now(), field="scheduled_time")
        channels = await self.channels(tx, post.persona, None)
        photo = known.photo
        self.judge(Wanted(photo, post.final_text, post.alt_text, at), known.rights, channels)
        repeats = await repetition(tx, photo.name, at, channels, post.repeat_reason, post.id)
        publications = self.publications(post.id, photo, at, channels)
        placed = replace(
            post,
            publications=publications,
            scheduled_time=at,
            state_reason="",
            repeats=repeats.of,
        )
        async with tx.savepoint():
            await tx.posts.add_publications(placed)
        return await move(tx, placed, PostState.SCHEDULED, self._clock.now())

    def publications(
        self,
        post: str,
        photo: Photo,
        at: datetime,
        channels: Sequence[Channel],
        generation: int = 1,
    ) -> tuple[Publication, ...]:
        """One for each channel, due at ``at``; ``generation`` is that of the post."""
        now = self._clock.now()
        return tuple(
            Publication(
                id=uuid7(),
                persona=channel.persona,
                post=post,
                channel=channel.id,
                provider=channel.provider,
                photo_sha256=photo.sha256,
                due_at=at,
                media_token=new_media_token(),
                next_attempt_at=self._pace.first_attempt(at, now, channel.provider),
                state_reason=WAITS if channel.approval_required else "",
                problem=_UNAPPROVED if channel.approval_required else None,
                generation=generation,
            )
            for channel in channels
        )


async def _connected(tx: Changing, persona: str) -> list[Channel]:
    channels = await tx.channels.pinned(persona, None)
    if found := [c for c in channels if c.state is ChannelState.CONNECTED]:
        return found
    name = PERSONA.format(persona)
    why = "none of its channels can be used now" if channels else "it has none"
    raise FailedPrecondition(
        f"{name} has no channel to publish on: {why}; connect one first",
        reason="NO_CHANNEL",
        metadata={"persona": name},
    )
