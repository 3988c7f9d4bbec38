"""The accounts of imports."""

from datetime import datetime

from colonnade.catalog.v1 import photo_import_pb2 as pb
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2
from google.rpc.code_pb2 import FAILED_PRECONDITION
from google.rpc.status_pb2 import Status

from libs.ids import uuid7
from libs.rpc.status import DOMAIN
from services.catalog.convert.values import number, timestamp
from services.catalog.domain.names import PHOTO, PILLAR, persona_id, pillar_of
from services.catalog.domain.photo_import import Counts, ImportItem, Outcome, PhotoImport


def new_import(message: pb.PhotoImport, parent: str, now: datetime) -> PhotoImport:
    """The import that a caller asks for. Raises NotFound for somebody else's pillar."""
    persona = persona_id(parent, "parent")
    pillar = message.pillar and pillar_of(persona, message.pillar, "photo_import.pillar")
    return PhotoImport(
        persona=persona,
        id=uuid7(),
        source=message.source,
        create_time=now,
        update_time=now,
        pillar=pillar,
        dry_run=message.dry_run,
    )


def import_message(found: PhotoImport) -> pb.PhotoImport:
    """The import for the wire."""
    return pb.PhotoImport(
        name=found.name,
        source=found.source,
        pillar=PILLAR.format(found.persona, found.pillar) if found.pillar else "",
        dry_run=found.dry_run,
        state=number(pb.PhotoImport.State, "STATE_", found.state),
        counts=_counts_message(found.counts),
        create_time=timestamp(found.create_time),
        update_time=timestamp(found.update_time),
        complete_time=timestamp(found.complete_time),
    )


def reported_item(message: pb.PhotoImportItem, now: datetime) -> ImportItem:
    """What a caller says of a file; ``error`` is in words, its reason in an ErrorInfo."""
    outcome = pb.PhotoImportItem.Outcome.Name(message.outcome).removeprefix("OUTCOME_")
    return ImportItem(
        source_path=message.source_path,
        outcome=Outcome(outcome),
        update_time=now,
        fingerprint=message.fingerprint,
        reason=_reason(message.error),
        message=message.error.message,
    )


def item_message(item: ImportItem, persona: str) -> pb.PhotoImportItem:
    """What became of a file, for the wire."""
    return pb.PhotoImportItem(
        source_path=item.source_path,
        outcome=number(pb.PhotoImportItem.Outcome, "OUTCOME_", item.outcome),
        photo=PHOTO.format(persona, item.photo) if item.photo else "",
        error=error_message(item.reason, item.message) if item.message else None,
        fingerprint=item.fingerprint,
        update_time=timestamp(item.update_time),
    )


def error_message(reason: str, message: str) -> Status:
    """Why a file was skipped or failed; the reason may be none of this service's."""
    status = Status(code=FAILED_PRECONDITION, message=message)
    if reason:
        detail = Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
        status.details.append(detail)
    return status


def _reason(status: Status) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return str(info.reason)


def _counts_message(counts: Counts) -> pb.PhotoImportCounts:
    return pb.PhotoImportCounts(
        imported=counts.imported,
        duplicate=counts.duplicate,
        skipped=counts.skipped,
        failed=counts.failed,
    )
