"""What the catalog tells the world, on its outbox."""

from colonnade.events.v1 import event_pb2

from libs.db.outbox import Outbox
from services.catalog.convert.values import timestamp
from services.catalog.domain.blobs import thumbnail_key
from services.catalog.domain.campaign import Campaign
from services.catalog.domain.photo import Photo, PhotoState
from services.catalog.domain.pillar import Pillar
from services.catalog.domain.run import Origin

CREATED = "photo.created"
UPDATED = "photo.updated"
DELETED = "photo.deleted"
CAMPAIGN_IMPORTED = "campaign.imported"


class OutboxPhotoEvents:
    """See ``ports.PhotoEvents``."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def created(self, photo: Photo, pillar: Pillar, origin: Origin = Origin()) -> None:
        """See PhotoEvents."""
        picture = photo.picture
        message = event_pb2.PhotoCreated(
            photo=photo.name,
            pillar=photo.pillar_name,
            pillar_display_name=pillar.display_name,
            sha256=picture.sha256,
            thumbnail_key=thumbnail_key(picture),
            file_name=photo.file_name,
            source_path=photo.source_path,
            tags=photo.tags,
            width=picture.width,
            height=picture.height,
            quality=picture.quality,
            create_time=timestamp(photo.create_time),
            taken_time=timestamp(picture.taken_time),
            cluster=origin.cluster,
            suggestion=origin.suggestion,
            measures=_measures(photo),
            texts=photo.texts,
        )
        self._outbox.append(CREATED, photo.name, message.SerializeToString())

    def updated(self, photo: Photo, pillar: Pillar) -> None:
        """See PhotoEvents."""
        message = event_pb2.PhotoUpdated(
            photo=photo.name,
            pillar=photo.pillar_name,
            pillar_display_name=pillar.display_name,
            tags=photo.tags,
            rights=_rights_message(photo),
            version=photo.version,
            measures=_measures(photo),
            texts=photo.texts,
        )
        self._outbox.append(UPDATED, photo.name, message.SerializeToString())

    def deleted(self, photo: Photo) -> None:
        """See PhotoEvents."""
        message = event_pb2.PhotoDeleted(photo=photo.name)
        self._outbox.append(DELETED, photo.name, message.SerializeToString())


def _measures(photo: Photo) -> dict[str, float]:
    measures = photo.picture.measures
    return {measure.id: measure.value for measure in measures if measure.value is not None}


class OutboxCampaignEvents:
    """See ``ports.CampaignEvents``."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def imported(self, campaign: Campaign) -> None:
        """See CampaignEvents."""
        posts = [
            event_pb2.CampaignImportedPost(
                suggestion=campaign.suggestion_name(post),
                pillar=campaign.pillar_name(post),
                caption=post.caption,
                hashtags=post.hashtags,
                scheduled_time=timestamp(post.scheduled_time),
            )
            for post in campaign.posts
        ]
        message = event_pb2.CampaignImported(campaign=campaign.name, posts=posts)
        self._outbox.append(CAMPAIGN_IMPORTED, campaign.name, message.SerializeToString())


def _rights_message(photo: Photo) -> event_pb2.PhotoRights:
    rights = photo.rights
    return event_pb2.PhotoRights(
        embargo_time=timestamp(rights.embargo_time),
        expire_time=timestamp(rights.expire_time),
        held=rights.held,
        archived=photo.state is PhotoState.ARCHIVED,
    )
