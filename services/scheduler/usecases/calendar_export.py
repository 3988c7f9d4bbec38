"""The posts of a persona for other programs' calendars."""

from datetime import timedelta
from typing import Final

from libs.clock import Clock
from libs.rpc.filtering import Condition
from libs.rpc.paging import MAX_PAGE_SIZE, PageRequest
from libs.rpc.paging import Key as PageKey
from services.scheduler.domain.icalendar import Event, icalendar
from services.scheduler.domain.names import PERSONA
from services.scheduler.domain.post import Post, PostState
from services.scheduler.ports import Catalog, PostListing, Store

CALENDAR_TYPE: Final = "text/calendar; charset=utf-8"
_BACK: Final = timedelta(days=30)
_TITLE: Final = 60
_STATES: Final = {
    PostState.POSTED: "posted",
    PostState.POSTING: "going out",
    PostState.FAILED: "failed",
}


class ExportCalendar:
    """Writes the posts of a persona as iCalendar."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, persona: str) -> str:
        """The posts that have a time, from 30 days ago on; cancelled ones are left out.

        Raises NotFound, FailedPrecondition (ARCHIVED), Unavailable.
        """
        await self._catalog.check_persona(persona)
        since = Condition("scheduled_time", ">=", self._clock.now() - _BACK)
        posts: list[Post] = []
        after: tuple[PageKey, ...] | None = None
        async with self._store.reading() as view:
            while True:
                wanted = PageRequest(MAX_PAGE_SIZE, after)
                page = await view.posts.page(PostListing(persona, wanted, [since], False))
                posts += page.rows
                after = page.next_key
                if after is None:
                    break
        kept = (post for post in posts if post.state is not PostState.CANCELLED)
        return icalendar(PERSONA.format(persona), map(_event, kept))


def _event(post: Post) -> Event:
    assert post.scheduled_time is not None, "only posts with a time are asked for"
    state = _STATES.get(post.state, "")
    words = post.caption.split("\n")[0][:_TITLE] or post.photo.rpartition("/")[2]
    return Event(
        uid=post.name,
        at=post.posted_time or post.scheduled_time,
        title=f"{words} ({state})" if state else words,
        text="\n".join(part for part in (post.final_text, post.photo, post.slot_reason) if part),
        changed=post.update_time,
        revision=post.version,
        is_settled=post.state is not PostState.FAILED,
    )
