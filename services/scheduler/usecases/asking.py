"""Asking a provider how posts stand."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from services.scheduler.domain.publication import Publication
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import ReadFailed, RemotePost
from services.scheduler.usecases.outgoing import Account

# Reads that can wait do, while a fifth or less of the day's requests is left.
SPARE_AFTER: Final = timedelta(minutes=15)


async def how_they_stand(
    account: Account, publications: Sequence[Publication]
) -> Mapping[str, RemotePost]:
    """What the provider says of the publications, by its ids; what is not there is left out.

    Raises ``ReadFailed``; it is THROTTLED if the requests that are left are needed for sending.
    """
    if not account.publisher.may_poll(account.channel.credentials):
        text = "the requests that the provider still takes are kept for sending"
        raise ReadFailed(FailureKind.THROTTLED, text, retry_after=SPARE_AFTER.total_seconds())
    dues = {p.provider_post_id: p.remote_due_at or p.due_at for p in publications}
    remotes = await account.publisher.status(account.channel, dues)
    return {remote.id: remote for remote in remotes}
