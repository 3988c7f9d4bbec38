"""What the words that a photo came with say about its pillar."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from libs.text.words import holds, stems
from services.catalog.domain.photo import Photo
from services.catalog.domain.pillar import Pillar

# How near a photo is whose evidence is as good as words that are …
_WHOLE_NAME = 0.8
_HALF_OF_NAME = 1.0
_IN_DESCRIPTION = 1.35

# What folders and descriptions of any photos are called.
_NO_SUBJECT = frozenset({"copy", "dsc", "export", "image", "img", "photo", "pic", "picture"})


@dataclass(frozen=True, slots=True)
class Hint:
    """Words that fit a pillar: as good as a confirmed photo at ``distance``; why, for people."""

    distance: float
    reason: str


def hints_of(photo: Photo, pillars: Iterable[Pillar]) -> dict[str, Hint]:
    """The best hint of each pillar that the words of the photo fit, by its id."""
    texts = _texts(photo)
    found: dict[str, Hint] = {}
    for pillar in pillars:
        fits = [fit for text in texts if (fit := _fit(*text, pillar)) is not None]
        if fits:
            found[pillar.id] = min(fits, key=lambda fit: fit.distance)
    return found


def _texts(photo: Photo) -> list[tuple[str, list[str]]]:
    """The texts that may name the subject, as people would call them, and their stems."""
    path = PurePosixPath(photo.source_path)
    named = [(f"folder {folder}", folder) for folder in reversed(path.parent.parts)]
    named += [(f"tag {tag}", tag) for tag in photo.tags]
    file = photo.file_name or path.name
    named.append((f"file name {file}", PurePosixPath(file).stem))
    return [(label, subject) for label, text in named if (subject := _subject(text))]


def _subject(text: str) -> list[str]:
    return [word for word in stems(text) if word not in _NO_SUBJECT and not word.isdecimal()]


def _fit(label: str, text: list[str], pillar: Pillar) -> Hint | None:
    """How well one text fits a pillar, if it does."""
    name = _subject(pillar.display_name)
    shared = sum(word in text for word in name)
    if shared and shared == len(name):
        return Hint(_WHOLE_NAME, f"its {label} matches the pillar {pillar.display_name}")
    topics = pillar.guidelines.topics if pillar.guidelines else ()
    if any(holds(text, topic) or holds(topic, text) for topic in map(_subject, topics)):
        return Hint(_HALF_OF_NAME, f"its {label} is a topic of {pillar.display_name}")
    if 2 * shared >= len(name) and shared:
        return Hint(_HALF_OF_NAME, f"its {label} fits the pillar {pillar.display_name}")
    if set(text) & {*name, *_subject(pillar.description)}:
        reason = f"its {label} is in the description of {pillar.display_name}"
        return Hint(_IN_DESCRIPTION, reason)
    return None
