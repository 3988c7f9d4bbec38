"""What is written about an item, as it is kept and as titles are made of it."""

from collections.abc import Sequence

from services.clustering.algorithms.titles import Labels

_FILE, _TAG, _TEXT = "file:", "tag:", "text:"


def words_of(file: str, tags: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """The words of an item: where its file lay, its tags, other texts such as its pillar's name."""
    return (
        *([_FILE + file] if file else []),
        *(_TAG + tag for tag in tags),
        *(_TEXT + text for text in texts if text),
    )


def replaced(words: Sequence[str], tags: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """``words`` with other tags and texts; what came with the file stays."""
    kept = tuple(word for word in words if word.startswith(_FILE))
    return kept + words_of("", tags, texts)


def labels_of(words: Sequence[str]) -> Labels:
    """The words as titles are made of them."""
    file = next((word.removeprefix(_FILE) for word in words if word.startswith(_FILE)), "")
    tags = tuple(word.removeprefix(_TAG) for word in words if word.startswith(_TAG))
    texts = tuple(word.removeprefix(_TEXT) for word in words if word.startswith(_TEXT))
    return Labels(file, tags, texts)


def excerpt_of(words: Sequence[str]) -> str:
    """The words as a person, or a language model, reads them: texts and tags, else where the file
    lay."""
    labels = labels_of(words)
    written = [*labels.texts, *([", ".join(labels.tags)] if labels.tags else [])]
    return "\n".join(written) or labels.file_name
