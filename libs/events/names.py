"""What streams, groups and their side rooms are called."""

DEAD = "dead"


def stream_name(env: str, service: str) -> str:
    """The stream on which a service tells its events: ``colonnade:dev:catalog:events``."""
    return f"colonnade:{env}:{service}:events"


def group_name(service: str) -> str:
    """The group in which the workers of a service share what they read: ``embedding-workers``."""
    return f"{service}-workers"


def dead_letters_of(stream: str) -> str:
    """Where events of a stream end that no retry could help."""
    return f"{stream}:{DEAD}"


def retries_of(stream: str, group: str) -> str:
    """The stream of one group's second and later deliveries."""
    return f"{stream}:retry:{group}"


def delayed_of(stream: str, group: str) -> str:
    """The sorted set of one group's events that wait for their next delivery."""
    return f"{stream}:delayed:{group}"
