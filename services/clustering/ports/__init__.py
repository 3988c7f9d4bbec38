"""What the use cases of this service need of the world."""

from services.clustering.ports.clusters import Clusters, Departures, Versions
from services.clustering.ports.embedding import Embedded, Embedder, TextReader, Vector
from services.clustering.ports.generations import Collections, Generations
from services.clustering.ports.items import Items, Pairs, Words
from services.clustering.ports.library import Description, Library
from services.clustering.ports.people import Edits, People, Pillars
from services.clustering.ports.runs import RunLedger, Runs, Snapshots, Vectors
from services.clustering.ports.store import Announcements, RequestLog, Store, Transaction

__all__ = [
    "Announcements",
    "Clusters",
    "Collections",
    "Departures",
    "Description",
    "Edits",
    "Embedded",
    "Embedder",
    "Generations",
    "Items",
    "Library",
    "Pairs",
    "People",
    "Pillars",
    "RequestLog",
    "RunLedger",
    "Runs",
    "Snapshots",
    "Store",
    "TextReader",
    "Transaction",
    "Vector",
    "Vectors",
    "Versions",
    "Words",
]
