"""Connecting accounts of providers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.clock import Clock
from libs.errors import (
    ColonnadeError,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    OutOfQuota,
    Unavailable,
)
from libs.names import id_from_title
from libs.rpc.paging import MAX_PAGE_SIZE, Page, PageRequest
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import (
    Channel,
    ChannelState,
    Provider,
    check_endpoint,
    check_media_reachable,
)
from services.scheduler.domain.names import Key, channel_key, no_channel
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Catalog, Publishers, Reading, Store, Vault
from services.scheduler.providers.base import (
    Credentials,
    ProviderError,
    Publisher,
    RemoteChannel,
)
from services.scheduler.usecases.channel_care import trouble_of
from services.scheduler.usecases.known_persona import check_persona_if_reachable
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.requests import answered, claimed


@dataclass(frozen=True, slots=True)
class NewChannel:
    """An account to be connected. ``id`` and ``display_name`` empty: made of what it is called."""

    persona: str
    provider: Provider
    account: str
    token: str = field(repr=False)
    id: str = ""
    display_name: str = ""
    endpoint: str = ""


class CreateChannel:
    """Connects accounts."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        publishers: Publishers,
        vault: Vault,
        clock: Clock,
        pace: Pace,
        media_base_url: str,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._publishers = publishers
        self._vault = vault
        self._clock = clock
        self._pace = pace
        self._media_base_url = media_base_url

    async def __call__(self, new: NewChannel, request: RequestKey) -> Channel:
        """The channel, connected.

        Raises InvalidArgument, NotFound (persona), AlreadyExists, FailedPrecondition
        (CREDENTIALS_REFUSED, UNKNOWN_PROVIDER_CHANNEL, ARCHIVED, and FAILED_PRECONDITION if the
        provider could not fetch pictures from here), OutOfQuota, Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            return await ReadChannels(self._store, self._catalog).get(channel_key(name))
        endpoint = _checked(new)
        if new.provider.fetches_pictures:
            check_media_reachable(endpoint, self._media_base_url)
        await self._catalog.check_persona(new.persona)
        publisher = self._publishers.of(new.provider, endpoint)
        remote = await account_of(publisher, new.provider, new.account, new.token)
        channel = self._channel(new, endpoint, remote)
        async with self._store.changing() as tx:
            if (name := await claimed(tx, request)) is None:
                await tx.channels.add(channel)
                await tx.requests.record(request.id, channel.name)
                await tx.commit()
                return channel
        return await ReadChannels(self._store, self._catalog).get(channel_key(name))

    def _channel(self, new: NewChannel, endpoint: str, remote: RemoteChannel) -> Channel:
        display_name = new.display_name or remote.display_name
        trouble = trouble_of(remote)
        now = self._clock.now()
        return Channel(
            persona=new.persona,
            id=new.id or id_from_title(display_name, "channel_id"),
            display_name=display_name,
            provider=new.provider,
            endpoint=endpoint,
            account=remote.id,
            organization=remote.organization_id,
            service=remote.service,
            sealed_token=self._vault.seal(new.token),
            batch=batch_of(new.provider, new.token, remote.organization_id, endpoint),
            create_time=now,
            update_time=now,
            state=ChannelState.NEEDS_ATTENTION if trouble else ChannelState.CONNECTED,
            state_reason=trouble,
            check_at=now + self._pace.channel_check_every if trouble else None,
            limits=remote.limits,
            renew_at=now if new.provider.renews_tokens else None,
        )


async def account_of(
    publisher: Publisher, provider: Provider, account: str, token: str
) -> RemoteChannel:
    """The account with this id, as the provider shows it to whoever has the key ``token``.

    Raises FailedPrecondition (CREDENTIALS_REFUSED, UNKNOWN_PROVIDER_CHANNEL), OutOfQuota,
    Unavailable.
    """
    try:
        found = await publisher.channels(Credentials(token, account))
    except ProviderError as error:
        raise _refusal(provider, error) from None
    for remote in found:
        if account == remote.id or account in remote.aliases:
            return remote
    known = ", ".join(f"{a.id} ({a.service} {a.display_name})" for a in found) or "none"
    raise FailedPrecondition(
        f"{provider} knows no account {account!r} for this key; it knows: {known}",
        reason="UNKNOWN_PROVIDER_CHANNEL",
        metadata={"provider": provider, "provider_channel_id": account},
    )


def batch_of(provider: Provider, token: str, organization: str, endpoint: str) -> str:
    """What is equal for channels whose posts can be asked for in one query."""
    return ":".join((provider, Credentials(token).key, organization, endpoint))


def check_token(token: str) -> None:
    """Passes what can be a key. Raises InvalidArgument."""
    if not token.isascii() or not token.isprintable():
        raise InvalidArgument.of("channel.access_token", "has characters that no key has")


def check_etag(channel: Channel, etag: str) -> None:
    """Passes an etag that is empty, or the channel's. Raises Conflict (STALE_ETAG)."""
    if etag and etag != str(channel.version):
        raise Conflict("the channel has changed; read it again", reason="STALE_ETAG")


class ReadChannels:
    """Reads channels."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    async def get(self, key: Key) -> Channel:
        """The channel. Raises NotFound."""
        async with self._store.reading() as view:
            channel = await view.channels.get(key)
        if channel is None:
            raise no_channel(key)
        return channel

    async def page(self, persona: str, page: PageRequest) -> Page[Channel]:
        """One page, oldest first. Raises NotFound for an unknown persona."""
        async with self._store.reading() as view:
            found = await view.channels.page(persona, page)
        if not found.rows:
            await check_persona_if_reachable(self._catalog, persona)
        return found


class DeleteChannel:
    """Disconnects accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, key: Key, etag: str, request: RequestKey) -> None:
        """Raises NotFound, Conflict (STALE_ETAG), FailedPrecondition (CHANNEL_IN_USE)."""
        async with self._store.changing() as tx:
            if await claimed(tx, request) is not None:
                return
            channel = await tx.channels.locked(key)
            if channel is None:
                raise no_channel(key)
            check_etag(channel, etag)
            if await tx.channels.is_in_use(key):
                raise FailedPrecondition(
                    f"something on {channel.name} is not out yet; cancel those posts first",
                    reason="CHANNEL_IN_USE",
                    metadata={"channel": channel.name},
                )
            await tx.channels.delete(key)
            await tx.requests.record(request.id, channel.name)
            await tx.commit()


def _checked(new: NewChannel) -> str:
    if not new.account:
        raise InvalidArgument.of("channel.provider_channel_id", "is required")
    if not new.token:
        raise InvalidArgument.of("channel.access_token", "is required; it is kept encrypted")
    check_token(new.token)
    if new.provider.needs_endpoint and not new.endpoint:
        text = f"is required: the address of the {new.provider} server"
        raise InvalidArgument.of("channel.endpoint", text)
    return check_endpoint(new.endpoint) if new.endpoint else ""


def _refusal(provider: Provider, error: ProviderError) -> ColonnadeError:
    match error.kind:
        case FailureKind.AUTH:
            return FailedPrecondition(
                f"{provider} refuses the key: {error.message}",
                reason="CREDENTIALS_REFUSED",
                metadata={"provider": provider},
            )
        case FailureKind.THROTTLED:
            text = f"{provider} takes no more requests with this key for now"
            return OutOfQuota(text, retry_after=error.retry_after or 60.0)
        case _:
            return Unavailable(f"{provider} does not answer as it should: {error.message}")


async def connected(view: Reading, persona: str) -> Sequence[Channel]:
    """The channels of a persona that can be published on."""
    page = await view.channels.page(persona, PageRequest(MAX_PAGE_SIZE))
    return [channel for channel in page.rows if channel.state is ChannelState.CONNECTED]
