"""Pillars."""

from dataclasses import replace
from datetime import datetime

from colonnade.catalog.v1 import pillar_pb2 as pb

from services.catalog.convert.values import known, moment, number, timestamp
from services.catalog.domain.pillar import Guidelines, Pillar, PillarState


def new_pillar(message: pb.Pillar, persona: str, id: str, now: datetime) -> Pillar:
    """A pillar that is to be created."""
    return with_fields(Pillar(persona, id, message.display_name, now, now), message)


def with_fields(pillar: Pillar, message: pb.Pillar) -> Pillar:
    """``pillar`` with what callers may set as in ``message``."""
    target = message.HasField("posts_per_week")
    guided = message.HasField("guidelines")
    state = known(pb.Pillar.State, "STATE_", PillarState, message.state)
    return replace(
        pillar,
        display_name=message.display_name,
        description=message.description,
        weight=message.weight,
        priority=message.priority,
        posts_per_week=message.posts_per_week if target else None,
        start_time=moment(message, "start_time", "pillar.start_time"),
        end_time=moment(message, "end_time", "pillar.end_time"),
        guidelines=_guidelines(message.guidelines) if guided else None,
        state=state or PillarState.ACTIVE,
    )


def pillar_message(pillar: Pillar) -> pb.Pillar:
    """The pillar for the wire."""
    return pb.Pillar(
        name=pillar.name,
        display_name=pillar.display_name,
        description=pillar.description,
        weight=pillar.weight,
        priority=pillar.priority,
        posts_per_week=pillar.posts_per_week,
        start_time=timestamp(pillar.start_time),
        end_time=timestamp(pillar.end_time),
        guidelines=guidelines_message(pillar.guidelines) if pillar.guidelines else None,
        state=number(pb.Pillar.State, "STATE_", pillar.state),
        photo_count=pillar.photo_count,
        create_time=timestamp(pillar.create_time),
        update_time=timestamp(pillar.update_time),
        etag=str(pillar.version),
    )


def _guidelines(message: pb.Guidelines) -> Guidelines:
    return Guidelines(
        tone=message.tone,
        topics=tuple(message.topics),
        avoid_topics=tuple(message.avoid_topics),
        style_notes=message.style_notes,
    )


def guidelines_message(guidelines: Guidelines) -> pb.Guidelines:
    """The guidelines for the wire."""
    return pb.Guidelines(
        tone=guidelines.tone,
        topics=guidelines.topics,
        avoid_topics=guidelines.avoid_topics,
        style_notes=guidelines.style_notes,
    )
