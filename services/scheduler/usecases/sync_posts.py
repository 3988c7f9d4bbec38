"""Looking at a persona's posts at their providers when somebody asks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from libs.clock import Clock
from libs.rpc.paging import MAX_PAGE_SIZE, PageRequest
from services.scheduler.domain.channel import Channel, ChannelState
from services.scheduler.domain.names import CHANNEL, Key
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.remote_check import WATCH_AFTER
from services.scheduler.ports import Catalog, Sent, Store
from services.scheduler.providers.base import ProviderError
from services.scheduler.usecases.confirm import Confirm, is_missing
from services.scheduler.usecases.known_persona import check_persona_if_reachable
from services.scheduler.usecases.remote_look import RemoteLook, Seen

AT_MOST: Final = 200
_BLIND = "its provider cannot be asked what became of a post"
_GONE = "the channel that they were sent to was deleted"
_UNTOLD = "the provider did not tell of them"


@dataclass(frozen=True, slots=True)
class Unread:
    """A channel on which ``count`` publications could not be looked at, and why, for people."""

    channel: str
    count: int
    reason: str


@dataclass(slots=True)
class Synced:
    """What the looks found. ``changed``: those that are otherwise than before."""

    changed: list[Publication] = field(default_factory=list)
    checked: int = 0
    differing: int = 0
    missing: int = 0
    unread: list[Unread] = field(default_factory=list)
    remaining: int = 0

    def looked(self, seen: Sequence[Seen]) -> None:
        """Takes in what was found of posts that are out."""
        told = [each for each in seen if each.is_told]
        self.checked += len(told)
        self.changed += [each.publication for each in told if each.is_news]
        self.differing += sum(each.differs for each in told)
        self.missing += sum(each.is_missing for each in told)

    def asked(self, before: Sequence[Publication], after: Sequence[Publication]) -> None:
        """Takes in what was found of posts that wait at the provider."""
        self.checked += len(after)
        pairs = zip(before, after, strict=True)
        self.changed += [now for was, now in pairs if now.state is not was.state]
        self.missing += sum(is_missing(publication) for publication in after)


class SyncPosts:
    """Looks at what went out in the last thirty days, and at what waits at a provider."""

    def __init__(
        self, store: Store, catalog: Catalog, look: RemoteLook, confirm: Confirm, clock: Clock
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._look = look
        self._confirm = confirm
        self._clock = clock

    async def __call__(self, persona: str) -> Synced:
        """What is found now; of providers that cannot be asked, why. Raises NotFound."""
        since = self._clock.now() - WATCH_AFTER[-1]
        async with self._store.reading() as view:
            page = await view.remote_checks.of_persona(persona, since, AT_MOST)
            channels = await view.channels.page(persona, PageRequest(MAX_PAGE_SIZE))
        if not page.rows:
            await check_persona_if_reachable(self._catalog, persona)
        synced = Synced(remaining=page.total - len(page.rows))
        known = {channel.key: channel for channel in channels.rows}
        for key, posts in _by_channel(page.rows):
            channel = known.get(key)
            own = [sent for sent in posts if channel and _was_sent_to(channel, sent.publication)]
            if left := len(posts) - len(own):
                synced.unread.append(Unread(CHANNEL.format(*key), left, _GONE))
            if channel is None or not own:
                continue
            before = synced.checked
            reason = await self._read(channel, own, synced)
            if left := len(own) - (synced.checked - before):
                synced.unread.append(Unread(channel.name, left, reason))
        return synced

    async def _read(self, channel: Channel, posts: Sequence[Sent], synced: Synced) -> str:
        """Looks at the posts of a channel; why that was not possible for all of them."""
        if channel.state is ChannelState.NEEDS_ATTENTION:
            return channel.state_reason
        out = [sent for sent in posts if sent.publication.state is PublicationState.POSTED]
        waiting = [sent.publication for sent in posts if sent not in out]
        can_tell = channel.provider.lists_posts
        try:
            if out and can_tell:
                synced.looked(await self._look(channel, out))
            if waiting:
                synced.asked(waiting, await self._confirm.ask(channel, waiting))
        except ProviderError as error:
            return error.message
        return _UNTOLD if can_tell else _BLIND


def _was_sent_to(channel: Channel, publication: Publication) -> bool:
    # Another account may be connected by now under the name of one that was deleted.
    sent_at = publication.submitted_at
    is_as_old = sent_at is not None and channel.create_time <= sent_at
    return is_as_old and channel.provider == publication.provider


def _by_channel(posts: Sequence[Sent]) -> Sequence[tuple[Key, Sequence[Sent]]]:
    found = defaultdict(list)
    for sent in posts:
        found[Key(sent.publication.persona, sent.publication.channel)].append(sent)
    return sorted(found.items())
