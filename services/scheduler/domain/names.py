"""The names of what the scheduler keeps and refers to."""

from typing import NamedTuple

from libs.errors import NotFound
from libs.names import pattern

PERSONA = pattern("personas/{persona}")
PHOTO = pattern("personas/{persona}/photos/{photo}")
CHANNEL = pattern("personas/{persona}/channels/{channel}")
POST = pattern("personas/{persona}/posts/{post}")
PUBLICATION = pattern("personas/{persona}/posts/{post}/publications/{publication}")
PLAN_DECISION = pattern("personas/{persona}/planDecisions/{plan_decision}")
CAMPAIGN = pattern("personas/{persona}/campaigns/{campaign}")

ALL_PERSONAS = "-"


class Key(NamedTuple):
    """What belongs to a persona: the persona's id and its own."""

    persona: str
    id: str


def persona_id(name: str, field: str = "parent") -> str:
    """The id in a persona's name. Raises InvalidArgument on ``field``."""
    (persona,) = PERSONA.parse(name, field)
    return persona


def channel_key(name: str, field: str = "name") -> Key:
    """The ids in a channel's name. Raises InvalidArgument on ``field``."""
    return Key(*CHANNEL.parse(name, field))


def post_key(name: str, field: str = "name") -> Key:
    """The ids in a post's name. Raises InvalidArgument on ``field``."""
    return Key(*POST.parse(name, field))


def plan_decision_key(name: str, field: str = "name") -> Key:
    """The ids in a plan decision's name. Raises InvalidArgument on ``field``."""
    return Key(*PLAN_DECISION.parse(name, field))


def no_channel(key: Key) -> NotFound:
    """What to raise for an unknown channel."""
    return NotFound("channel", CHANNEL.format(*key))


def no_post(key: Key) -> NotFound:
    """What to raise for an unknown post."""
    return NotFound("post", POST.format(*key))
