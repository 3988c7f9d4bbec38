"""What of a text goes into its vector."""

import hashlib

_MOST_OF_A_BODY = 1500


def text_to_embed(title: str, body: str) -> str:
    """The title, a blank line, the beginning of the body."""
    return "\n\n".join(part for part in (title, body[:_MOST_OF_A_BODY]) if part)


def hash_of(text: str) -> str:
    """Tells whether a text is still the one that a vector was made of."""
    return hashlib.sha256(text.encode()).hexdigest()
