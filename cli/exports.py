"""Personas in the two shapes in which older releases exported them.

Nested, with ``caption_config`` (and ``style`` in it) and ``hashtag_strategy``; or flat, with the
same keys beside the name of the persona.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colonnade.catalog.v1.catalog_service_pb2 import CreatePersonaRequest
from colonnade.catalog.v1.persona_pb2 import CaptionConfig, HashtagStrategy, Persona

from libs.errors import InvalidArgument, Violation

# Objects that may be nested in others, and that hold keys which may as well stand outside.
_NESTS = {"": ("caption_config", "hashtag_strategy"), "caption_config": ("style",)}
_IDENTITY = {"id", "name", "display_name", "timezone", "time_zone", "voice"}
_HASHTAGS = {
    "target_hashtags": "target_hashtags",
    "avoid_hashtags": "avoid_hashtags",
    "brand_tags": "brand_hashtags",
}
_ENUMS = {
    "tone": (CaptionConfig.Tone, "TONE_"),
    "avg_length": (CaptionConfig.Length, "LENGTH_"),
    "emoji_density": (CaptionConfig.EmojiDensity, "EMOJI_DENSITY_"),
    "size_mix": (HashtagStrategy.SizeMix, "SIZE_MIX_"),
}
_KEYS = {
    "": _IDENTITY,
    "caption_config": {
        *("tone", "voice_attributes", "topics", "avoid_topics", "example_captions", "max_length")
    },
    "style": {"use_emoji", "avg_length", "emoji_density"},
    "hashtag_strategy": {*_HASHTAGS, "niche_categories", "size_mix", "max_tags"},
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A value of the export and the path at which it stood."""

    value: Any
    path: str


def requests_of(document: object, root: str) -> list[CreatePersonaRequest]:
    """What creates the personas of an export: of one persona, or of a list of them.

    ``root`` is what paths in errors start with. Raises InvalidArgument naming all that is not
    known or of the wrong kind: nothing is dropped.
    """
    several = isinstance(document, list)
    entries = document if isinstance(document, list) else [document]
    wrong: list[Violation] = []
    requests = [
        _request(entry, f"{root}[{index}]" if several else root, wrong)
        for index, entry in enumerate(entries)
    ]
    if wrong:
        raise InvalidArgument("; ".join(f"{v.field}: {v.description}" for v in wrong), wrong)
    return requests


def _request(entry: object, root: str, wrong: list[Violation]) -> CreatePersonaRequest:
    found: dict[str, _Found] = {}
    for key, value in _flattened(entry, "", root, wrong):
        if key in found:
            wrong.append(Violation(value.path, f"is given a second time, see {found[key].path}"))
        found[key] = value
    export = _Export(found, wrong)
    name = export.text("display_name") or export.text("name")
    if not name and isinstance(entry, Mapping):
        wrong.append(Violation(f"{root}.name", "is missing"))
    return CreatePersonaRequest(
        persona_id=export.text("id"),
        persona=Persona(
            display_name=name,
            time_zone=export.text("time_zone") or export.text("timezone"),
            voice=export.text("voice"),
            caption_config=export.captions(),
            hashtag_strategy=export.hashtags(),
        ),
    )


def _flattened(
    entry: object, group: str, path: str, wrong: list[Violation]
) -> Iterator[tuple[str, _Found]]:
    """The keys of an object and of those nested in it. A null says nothing and is left out."""
    if not isinstance(entry, Mapping):
        wrong.append(Violation(path, "must be an object in braces"))
        return
    nests = _NESTS.get(group, ())
    known = _keys_of(group)
    for key, value in entry.items():
        place = f"{path}.{key}"
        if key in nests and value is not None:
            yield from _flattened(value, key, place, wrong)
        elif key not in known and key not in nests:
            wrong.append(Violation(place, "is not a known field"))
        elif value is not None:
            yield key, _Found(value, place)


def _keys_of(group: str) -> set[str]:
    """The keys that an object may have: its own, and those of the objects that it may leave out."""
    keys = set(_KEYS[group])
    for nest in _NESTS.get(group, ()):
        keys |= _keys_of(nest)
    return keys


class _Export:
    """The values of one persona, read as what they must be; misfits go to ``wrong``."""

    def __init__(self, found: Mapping[str, _Found], wrong: list[Violation]) -> None:
        self._found = found
        self._wrong = wrong

    def captions(self) -> CaptionConfig | None:
        """How captions are written; None if nothing is said about it."""
        if not self._any("caption_config"):
            return None
        return CaptionConfig(
            tone=self._enum("tone"),
            voice_attributes=self._texts("voice_attributes"),
            length=self._enum("avg_length"),
            emoji_density=self._emoji(),
            topics=self._texts("topics"),
            avoid_topics=self._texts("avoid_topics"),
            example_captions=self._texts("example_captions"),
            max_length=self._number("max_length", 2200),
        )

    def hashtags(self) -> HashtagStrategy | None:
        """How hashtags are chosen; None if nothing is said about it."""
        if not self._any("hashtag_strategy"):
            return None
        strategy = HashtagStrategy(
            niche_categories=self._texts("niche_categories"),
            size_mix=self._enum("size_mix"),
            max_hashtags=self._number("max_tags", 30),
        )
        for key, field in _HASHTAGS.items():
            tags = [f"#{tag.strip().removeprefix('#')}" for tag in self._texts(key)]
            getattr(strategy, field).extend(tags)
        return strategy

    def text(self, key: str) -> str:
        """A text; empty if it is not there."""
        return str(self._read(key, "a text", lambda value: isinstance(value, str)) or "")

    def _any(self, group: str) -> bool:
        return any(key in self._found for key in _keys_of(group))

    def _emoji(self) -> Any:
        """Without emoji there is none of them, whatever density was noted beside."""
        use = self._read("use_emoji", "true or false", lambda value: isinstance(value, bool))
        density = self._enum("emoji_density")
        if use is False:
            return CaptionConfig.EMOJI_DENSITY_NONE
        return density or (CaptionConfig.EMOJI_DENSITY_MODERATE if use else 0)

    def _enum(self, key: str) -> Any:
        enum, prefix = _ENUMS[key]
        words = [name.removeprefix(prefix).lower() for name in enum.keys()[1:]]
        word = self._read(key, f"one of {', '.join(words)}", lambda value: value in words)
        return enum.Value(prefix + word.upper()) if word else 0

    def _texts(self, key: str) -> Sequence[str]:
        return self._read(key, "a list of texts", _is_texts) or ()

    def _number(self, key: str, most: int) -> int:
        def fits(value: object) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most

        return self._read(key, f"a whole number from 1 to {most}", fits) or 0

    def _read(self, key: str, kind: str, fits: Callable[[Any], bool]) -> Any:
        found = self._found.get(key)
        if found is None:
            return None
        if fits(found.value):
            return found.value
        violation = Violation(found.path, f"must be {kind}")
        if violation not in self._wrong:
            self._wrong.append(violation)
        return None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
