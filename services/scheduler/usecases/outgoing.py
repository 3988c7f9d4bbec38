"""What goes to a provider, and with whose key."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from services.scheduler.domain import channel as domain
from services.scheduler.domain import publication as publications
from services.scheduler.domain.attempt import Attempt
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Publication, PublicationState, fingerprint
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Publishers, Vault
from services.scheduler.providers.base import (
    Channel,
    Credentials,
    Image,
    NotSent,
    Problem,
    Publisher,
    PublishRequest,
)
from services.scheduler.usecases.media_address import Grant, MediaAddresses

# Providers fetch late, and people move posts on the provider's own pages.
_FETCHED_WITHIN: Final = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Account:
    """A channel with its key, and the adapter of its provider."""

    publisher: Publisher
    channel: Channel


class Accounts:
    """Opens channels for use."""

    def __init__(self, publishers: Publishers, vault: Vault) -> None:
        self._publishers = publishers
        self._vault = vault

    def open(self, channel: domain.Channel) -> Account:
        """The account behind a channel. Raises ``NotSent`` (AUTH) if its key cannot be read."""
        try:
            token = self._vault.unseal(channel.sealed_token)
        except ValueError:
            text = "the channel's key was sealed with another secret; connect the channel anew"
            raise NotSent(FailureKind.AUTH, text) from None
        return self._with(channel, Credentials(token, channel.account))

    def without_key(self, channel: domain.Channel) -> Account:
        """The channel without its key, for what is asked of the adapter and of nobody else."""
        return self._with(channel, Credentials(""))

    def _with(self, channel: domain.Channel, credentials: Credentials) -> Account:
        publisher = self._publishers.of(channel.provider, channel.endpoint)
        account = Channel(
            channel.account, channel.organization, channel.service, credentials, channel.limits
        )
        return Account(publisher, account)


class Outgoing:
    """Makes requests of posts."""

    def __init__(self, addresses: MediaAddresses) -> None:
        self._addresses = addresses

    def request(
        self,
        post: Post,
        publication: Publication,
        due_at: datetime,
        attempts: Sequence[Attempt],
    ) -> PublishRequest:
        """What is sent, or was. ``attempts`` are those before, whose times may differ."""
        assert post.media is not None, "the picture is there before anything is sent"
        earlier = {attempt.due_at for attempt in attempts} - {due_at}
        # Of the first attempt, so that the others say the same; one of them may be due before it.
        first = attempts[0].due_at if attempts else due_at
        grant = Grant(post.media, first + _FETCHED_WITHIN)
        image = Image(
            url=self._addresses.url(publication.media_token, grant),
            alt_text=post.alt_text,
            content_type=post.media.mime_type,
            size_bytes=post.media.size_bytes,
            width=post.media.width,
            height=post.media.height,
            key=post.media.key,
            token=publication.media_token,
        )
        return PublishRequest(
            post.final_text,
            due_at,
            (image,),
            tuple(sorted(earlier)),
            key=publication.id,
            handles=tuple(attempt.handle for attempt in attempts if attempt.handle),
        )


def unfit(publication: Publication, problems: Sequence[Problem], now: datetime) -> Publication:
    """A publication that the network would refuse, for these reasons; nothing was sent."""
    message = "; ".join(problem.message for problem in problems)
    return publication.moved(
        PublicationState.FAILED,
        now,
        state_reason=message,
        next_attempt_at=None,
        problem=publications.Problem(problems[0].code, message),
    )


def fingerprint_of(post: Post, channel: domain.Channel, due_at: datetime) -> str:
    """What appears where and when."""
    assert post.media is not None, "the picture is there before anything is sent"
    return fingerprint(channel.name, post.final_text, (post.media.sha256,), due_at)


def request_hash(request: PublishRequest) -> str:
    """SHA-256 (hex) of all that a request holds."""
    content = json.dumps(asdict(request), default=str, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
