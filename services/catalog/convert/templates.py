"""Templates of pillars."""

from colonnade.catalog.v1 import pillar_pb2, pillar_template_pb2
from colonnade.catalog.v1 import planning_service_pb2 as pb

from services.catalog.convert.pillars import guidelines_message, pillar_message
from services.catalog.domain.pillar_template import Applied, PillarTemplate, Theme


def template_message(template: PillarTemplate) -> pillar_template_pb2.PillarTemplate:
    """The template for the wire."""
    return pillar_template_pb2.PillarTemplate(
        name=template.name,
        display_name=template.display_name,
        description=template.description,
        pillars=map(_theme_message, template.themes),
    )


def applied_message(applied: Applied) -> pb.ApplyPillarTemplateResponse:
    """What applying a template did, for the wire."""
    return pb.ApplyPillarTemplateResponse(
        pillars=map(pillar_message, applied.created),
        skipped=map(pillar_message, applied.skipped),
    )


def _theme_message(theme: Theme) -> pillar_pb2.Pillar:
    return pillar_pb2.Pillar(
        display_name=theme.display_name,
        description=theme.description,
        weight=theme.weight,
        priority=theme.importance,
        guidelines=guidelines_message(theme.guidelines),
        state=pillar_pb2.Pillar.STATE_ACTIVE,
    )
