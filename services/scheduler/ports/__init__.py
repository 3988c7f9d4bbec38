"""What the use cases need of the outside."""

from services.scheduler.ports.blobs import Blobs
from services.scheduler.ports.catalog import (
    Catalog,
    CatalogPage,
    CatalogPhoto,
    Rendition,
    UnusedPhotos,
)
from services.scheduler.ports.channels import ChannelHealth, Channels
from services.scheduler.ports.copies import PhotoCopies
from services.scheduler.ports.failures import Failures
from services.scheduler.ports.lateness import LatePublications
from services.scheduler.ports.plans import PlanDecisions
from services.scheduler.ports.posts import Placed, PostListing, Posts
from services.scheduler.ports.prechecks import PictureProbe, Prechecks
from services.scheduler.ports.publications import Attempts, Claim, Publications, ServedMedia
from services.scheduler.ports.publishing import Publishers, Vault
from services.scheduler.ports.records import History, Inbox, PostEvents, Requests, ResultLog
from services.scheduler.ports.remote_checks import RemoteChecks, Sent, SentPage
from services.scheduler.ports.results import Look, OnChannel, Results
from services.scheduler.ports.rights import PhotoRights
from services.scheduler.ports.store import Changing, Reading, Store

__all__ = [
    "Attempts",
    "Blobs",
    "Catalog",
    "CatalogPage",
    "CatalogPhoto",
    "Changing",
    "ChannelHealth",
    "Channels",
    "Claim",
    "Failures",
    "History",
    "Inbox",
    "LatePublications",
    "Look",
    "OnChannel",
    "PhotoCopies",
    "PhotoRights",
    "PictureProbe",
    "Placed",
    "PlanDecisions",
    "PostEvents",
    "PostListing",
    "Posts",
    "Prechecks",
    "Publications",
    "Publishers",
    "Reading",
    "RemoteChecks",
    "Rendition",
    "Requests",
    "ResultLog",
    "Results",
    "Sent",
    "SentPage",
    "ServedMedia",
    "Store",
    "UnusedPhotos",
    "Vault",
]
