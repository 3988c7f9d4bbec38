"""Short names on the command line: ``nora`` stands for ``personas/nora``."""

from collections.abc import Sequence


def persona_name(text: str) -> str:
    """``personas/nora`` from ``nora`` or from itself."""
    return text if text.startswith("personas/") else f"personas/{text}"


def project_name(text: str) -> str:
    """``projects/lumen`` from ``lumen`` or from itself."""
    return text if text.startswith("projects/") else f"projects/{text}"


def scope_name(text: str) -> str:
    """``personas/nora`` from ``nora``; ``projects/x`` stays."""
    return text if text.startswith("projects/") else persona_name(text)


def below(parent: str, collection: str, text: str) -> str:
    """``personas/nora/pillars/food`` from ``food``, or from itself."""
    return text if text.startswith("personas/") else f"{parent}/{collection}/{text}"


def split_list(values: Sequence[str]) -> list[str]:
    """The items of options that may be repeated or hold commas."""
    return [item.strip() for value in values for item in value.split(",") if item.strip()]
