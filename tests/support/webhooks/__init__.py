"""Webhooks as their senders send them, after the senders' public documentation."""

import json
from pathlib import Path
from typing import Any


def bytes_of(name: str) -> bytes:
    """The body of a recorded webhook."""
    return (Path(__file__).parent / f"{name}.json").read_bytes()


def payload_of(name: str) -> Any:
    """The same, read."""
    return json.loads(bytes_of(name))
