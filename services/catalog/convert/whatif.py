"""Previews of a changed strategy."""

from collections.abc import Iterable

from colonnade.catalog.v1 import pillar_pb2
from colonnade.catalog.v1 import planning_service_pb2 as pb

from services.catalog.convert.gaps import report_message
from services.catalog.convert.values import known
from services.catalog.domain.gaps import GapReport, photos_to_make
from services.catalog.domain.names import pillar_of
from services.catalog.domain.pillar import PillarState
from services.catalog.domain.strategy import PillarChange, StrategyChange
from services.catalog.usecases.gaps import Preview


def change_of(request: pb.PreviewGapsRequest, persona: str) -> StrategyChange:
    """What would change. Raises NotFound for a pillar of somebody else."""
    return StrategyChange(
        pillars=tuple(_pillar_changes(request.changes, persona)),
        posts_per_week=request.posts_per_week if request.HasField("posts_per_week") else None,
    )


def preview_message(preview: Preview, cost_per_photo: float) -> pb.PreviewGapsResponse:
    """The preview for the wire."""
    return pb.PreviewGapsResponse(
        current=report_message(preview.current),
        preview=report_message(preview.changed),
        current_cost=_cost(preview.current, cost_per_photo),
        preview_cost=_cost(preview.changed, cost_per_photo),
    )


def _pillar_changes(messages: Iterable[pb.PillarChange], persona: str) -> Iterable[PillarChange]:
    for index, message in enumerate(messages):
        target = message.HasField("posts_per_week")
        yield PillarChange(
            pillar=pillar_of(persona, message.pillar, f"changes[{index}].pillar"),
            weight=message.weight if message.HasField("weight") else None,
            posts_per_week=message.posts_per_week if target else None,
            clear_posts_per_week=message.clear_posts_per_week,
            state=known(pillar_pb2.Pillar.State, "STATE_", PillarState, message.state),
        )


def _cost(report: GapReport, cost_per_photo: float) -> pb.PreviewCost:
    photos = photos_to_make(report.pillars)
    return pb.PreviewCost(photos=photos, cost=photos * cost_per_photo)
