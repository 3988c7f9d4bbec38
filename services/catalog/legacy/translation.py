"""What personas, pillars and runs of an older library become in the catalog.

What does not fit is brought into shape, and each such change is noted for people.
"""

import json
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import EnumType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from libs.errors import InvalidArgument
from libs.names import id_from_title
from services.catalog.domain.persona import (
    DEFAULT_TIME_ZONE,
    CaptionConfig,
    HashtagStrategy,
    Persona,
    checked_persona,
)
from services.catalog.domain.pillar import (
    DEFAULT_PRIORITY,
    MAX_WEIGHT,
    Guidelines,
    Pillar,
    PillarState,
)
from services.catalog.domain.run import Run, RunState
from services.catalog.domain.texts import MAX_DISPLAY_NAME, comparable
from services.catalog.legacy.library import LegacyLibrary, LegacyPersona, LegacyPillar, LegacyRun

T = TypeVar("T")
MAX_TEXT = 4000
MAX_ID = 63
_MAX_POSTS_PER_WEEK = 70
_RUN_STATES = {
    "completed": RunState.COMPLETED,
    "failed": RunState.FAILED,
    "error": RunState.FAILED,
    "cancelled": RunState.CANCELLED,
    "canceled": RunState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Translation:
    """What a library becomes: personas and pillars by their older ids, and what was changed.

    ``notes`` are (kind, older id, text).
    """

    personas: Mapping[str, Persona]
    pillars: Mapping[str, Pillar]
    notes: Sequence[tuple[str, str, str]]


def translate(library: LegacyLibrary, now: datetime) -> Translation:
    """What the personas and pillars of ``library`` become. All personas are in use: those that
    were put away are put away again once their photos are there."""
    translator = _Translator(now)
    personas = {persona.id: translator.persona(persona) for persona in library.personas}
    pillars: dict[str, Pillar] = {}
    for owner, persona in personas.items():
        pillars |= translator.pillars(persona, library.pillars_of.get(owner, []))
    for pillar in library.pillars:
        if pillar.persona not in personas:
            translator.note("pillar", pillar.id, "belongs to no persona and stays behind")
    return Translation(personas, pillars, translator.notes)


def translate_run(run: LegacyRun, persona: str, pillar: str, id: str, now: datetime) -> Run:
    """What ``run`` becomes; one that was not over waits for a person."""
    return Run(
        persona=persona,
        id=id,
        create_time=run.create_time or now,
        update_time=now,
        display_name=run.name.strip()[:MAX_DISPLAY_NAME],
        pillar=pillar,
        prompt=run.prompt[:MAX_TEXT],
        state=_RUN_STATES.get(run.status, RunState.WAITING),
    )


def numbered(text: str, number: int, limit: int, form: str) -> str:
    """``text`` as the ``number``-th of its kind, at most ``limit`` characters long."""
    suffix = form.format(number) if number > 1 else ""
    cut = text[: limit - len(suffix)]
    # What is left of a name may be nothing but signs.
    return (cut.rstrip("- ") or cut) + suffix if suffix or cut != text else text


class _Names:
    """Gives out ids and display names that are not given yet."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def display_name(self, wanted: str) -> str:
        return self._free(wanted, MAX_DISPLAY_NAME, " ({})")

    def id(self, title: str, otherwise: str) -> str:
        try:
            wanted = id_from_title(title, "id")
        except InvalidArgument:
            wanted = otherwise
        return self._free(wanted, MAX_ID, "-{}")

    def _free(self, wanted: str, limit: int, form: str) -> str:
        number = 1
        while comparable(name := numbered(wanted, number, limit, form)) in self._taken:
            number += 1
        self._taken.add(comparable(name))
        return name


class _Translator:
    def __init__(self, now: datetime) -> None:
        self._now = now
        self._persona_ids = _Names()
        self._persona_names = _Names()
        self.notes: list[tuple[str, str, str]] = []

    def note(self, kind: str, id: str, text: str) -> None:
        self.notes.append((kind, id, text))

    def persona(self, legacy: LegacyPersona) -> Persona:
        name = self._named(self._persona_names, "persona", legacy.id, legacy.name)
        created = legacy.create_time or self._now
        plain = Persona(
            id=self._persona_ids.id(name, f"persona-{_slug(legacy.id)}"),
            display_name=name,
            create_time=created,
            update_time=self._now,
            time_zone=self._zone(legacy),
            voice=self._cut("persona", legacy.id, "voice", legacy.voice),
            caption_config=self._document(
                "persona", legacy.id, "caption_config", legacy.caption_config, CaptionConfig
            ),
        )
        strategy = self._document(
            "persona", legacy.id, "hashtag_strategy", legacy.hashtag_strategy, HashtagStrategy
        )
        return self._with_hashtags(legacy.id, plain, strategy)

    def pillars(self, persona: Persona, found: Sequence[LegacyPillar]) -> dict[str, Pillar]:
        """The pillars of one persona. Those whose weight no longer fits into 100 are not in use."""
        ids, names = _Names(), _Names()
        made: dict[str, Pillar] = {}
        total = 0
        for legacy in found:
            pillar = self._pillar(persona, legacy, ids, names, MAX_WEIGHT - total)
            total += pillar.weight if pillar.weighs(self._now) else 0
            made[legacy.id] = pillar
        return made

    def _pillar(
        self, persona: Persona, legacy: LegacyPillar, ids: _Names, names: _Names, left: int
    ) -> Pillar:
        name = self._named(names, "pillar", legacy.id, legacy.name)
        start, end = self._times(legacy)
        weight = self._number(legacy, "weight", legacy.weight, 0, MAX_WEIGHT) or 0
        active = legacy.active
        if active and not legacy.ended(self._now) and weight > left:
            text = f"its weight {weight} does not fit beside the others, of 100 only {left} is left"
            self.note("pillar", legacy.id, f"{text}; it is not in use until you make room")
            active = False
        return Pillar(
            persona=persona.id,
            id=ids.id(name, f"pillar-{_slug(legacy.id)}"),
            display_name=name,
            create_time=legacy.create_time or self._now,
            update_time=self._now,
            description=self._cut("pillar", legacy.id, "description", legacy.description),
            weight=weight,
            priority=self._number(legacy, "priority", legacy.priority, 1, 5) or DEFAULT_PRIORITY,
            posts_per_week=self._number(
                legacy, "posts_per_week", legacy.posts_per_week, 0, _MAX_POSTS_PER_WEEK
            ),
            start_time=start,
            end_time=end,
            guidelines=self._document(
                "pillar", legacy.id, "guidelines", legacy.guidelines, Guidelines
            ),
            state=PillarState.ACTIVE if active else PillarState.INACTIVE,
        )

    def _named(self, names: _Names, kind: str, id: str, name: str) -> str:
        found = names.display_name(name.strip()[:MAX_DISPLAY_NAME] or f"{kind.capitalize()} {id}")
        if found != name.strip():
            self.note(kind, id, f"{name!r} is called {found!r} from now on")
        return found

    def _zone(self, legacy: LegacyPersona) -> str:
        zone = legacy.time_zone or DEFAULT_TIME_ZONE
        try:
            zoneinfo.ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            self.note("persona", legacy.id, f"{zone!r} is no IANA time zone; it plans in UTC now")
            return DEFAULT_TIME_ZONE
        return zone

    def _times(self, legacy: LegacyPillar) -> tuple[datetime | None, datetime | None]:
        start, end = legacy.start_time, legacy.end_time
        if start is not None and end is not None and end <= start:
            self.note("pillar", legacy.id, "ended before it began; only its end is kept")
            return None, end
        return start, end

    def _cut(self, kind: str, id: str, field: str, text: str) -> str:
        if len(text) > MAX_TEXT:
            self.note(kind, id, f"{field} had {len(text)} characters; {MAX_TEXT} are kept")
        return text[:MAX_TEXT]

    def _number(
        self, legacy: LegacyPillar, field: str, text: str, low: int, high: int
    ) -> int | None:
        """A whole number, rounded down so that weights do not sum to more than they did."""
        if not text:
            return None
        try:
            value = int(exact := Decimal(text))
        except (InvalidOperation, ValueError, OverflowError):
            self.note("pillar", legacy.id, f"{field} is no number: {text!r}")
            return None
        kept = min(max(value, low), high)
        if kept != exact:
            self.note("pillar", legacy.id, f"{field} {text} became {kept}")
        return kept

    def _document(self, kind: str, id: str, field: str, text: str, shape: type[T]) -> T | None:
        """``text`` (JSON) as a ``shape``; keys that it does not have are noted."""
        if not text or text in ("{}", "null"):
            return None
        try:
            found = json.loads(text)
            unknown = sorted(set(found) - {f.name for f in fields(shape)})  # type: ignore[arg-type]
            known = {name: value for name, value in found.items() if name not in unknown}
            document = TypeAdapter(shape).validate_python(_spelled(shape, known))
        except (ValueError, ValidationError, AttributeError, TypeError):
            self.note(kind, id, f"{field} is not of a known form and stays in the staged row only")
            return None
        if unknown:
            self.note(
                kind, id, f"{field} has unknown keys, which stay behind: {', '.join(unknown)}"
            )
        return document

    def _with_hashtags(
        self, id: str, persona: Persona, strategy: HashtagStrategy | None
    ) -> Persona:
        try:
            return checked_persona(replace(persona, hashtag_strategy=strategy))
        except InvalidArgument as error:
            self.note("persona", id, f"hashtag_strategy is left out: {error.message}")
            return persona


def _spelled(shape: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Words of enums in capitals, as they are written here."""
    enums = {field.name for field in fields(shape) if _is_enum(field.type)}
    return {
        name: value.upper().replace(" ", "_") if name in enums and isinstance(value, str) else value
        for name, value in values.items()
    }


def _is_enum(kind: Any) -> bool:
    return any(isinstance(part, EnumType) for part in getattr(kind, "__args__", ()))


def _slug(id: str) -> str:
    return "".join(c for c in id.lower() if c.isascii() and c.isalnum())[:40] or "x"
