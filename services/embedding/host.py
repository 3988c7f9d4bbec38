"""Keeps models in memory: loads what is asked for, unloads what nobody uses, says what is wrong."""

import asyncio
import enum
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from libs.clock import Clock, SystemClock
from libs.errors import ColonnadeError, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from services.embedding.batcher import BatchReport
from services.embedding.model import Embedder, EmbedderOptions, Workshop
from services.embedding.opened import OpenedModel, open_model
from services.embedding.registry import NGRAMS, Listed
from services.embedding.text import TextEmbedder

log = logging.getLogger(__name__)

DEFAULT = "default"

# Looking more often than this would find nothing but cost something.
SOON = timedelta(seconds=2)

_RETRY_AFTER = timedelta(seconds=15)
_RETRY_HINT = 2.0
_TEND_EVERY = 5.0
_SCAN_EVERY = timedelta(seconds=60)


class Registry(Protocol):
    """What knows all models; see ``registry.ModelRegistry``."""

    default: str
    text_default: str
    complete: bool

    async def scan(self) -> dict[str, Listed]:
        """All models by id, the default one first."""
        ...


class State(enum.Enum):
    """Whether a model can be used."""

    UNLOADED = 0
    LOADING = 1
    READY = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class HostLimits:
    """``default`` and ``text_default`` are the ids of the models for requests that name none, empty
    for those of the registry. ``max_loaded`` counts the default one too."""

    default: str = ""
    text_default: str = ""
    max_loaded: int = 4
    idle: timedelta = timedelta(minutes=15)


@dataclass(eq=False)
class Slot:
    """The place of one model. ``last_use`` is None if it was not used since it was loaded;
    ``users`` are the calls that use it just now; ``placed`` is whether it counts among those that
    are loaded."""

    listed: Listed
    opened: OpenedModel | None = None
    error: ColonnadeError | None = None
    failed_at: datetime | None = None
    loaded_at: datetime | None = None
    last_use: datetime | None = None
    users: int = 0
    placed: bool = False
    task: asyncio.Task[None] | None = None
    leave: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> State:
        """Whether it can be used."""
        if self.opened is not None:
            return State.READY
        if self.task is not None and not self.leave.is_set():
            return State.LOADING
        return State.FAILED if self.problem is not None else State.UNLOADED

    @property
    def idle_since(self) -> datetime:
        """Since when nobody uses it, if nobody does."""
        return self.last_use or self.loaded_at or datetime.max.replace(tzinfo=UTC)

    @property
    def problem(self) -> ColonnadeError | None:
        """Why it cannot be used, or could not be loaded again."""
        return self.listed.error or self.error


class ModelHost:
    """Models by id. The default one is loaded at the start and stays; others come when asked for.

    ``run`` has to be running for anything to be loaded.
    """

    def __init__(
        self,
        registry: Registry,
        options: EmbedderOptions,
        workshop: Workshop,
        limits: HostLimits | None = None,
        clock: Clock | None = None,
        observe: Callable[[BatchReport], None] = lambda _: None,
    ) -> None:
        self.options = options
        self._registry = registry
        self._limits = limits or HostLimits()
        self._workshop = workshop
        self._clock = clock or SystemClock()
        self._observe = observe
        self._slots: dict[str, Slot] = {}
        self._scanned_at: datetime | None = None
        self._scanning = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Loads, unloads and looks for new models until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    await self.tend()
                    await asyncio.sleep(_TEND_EVERY)
            finally:
                self._group = None
                for slot in self._slots.values():
                    if slot.task is not None:
                        slot.task.cancel()

    async def tend(self) -> None:
        """One round: looks for models now and then, loads the default one, unloads idle ones."""
        default = self._slots.get(self.default)
        well = default is not None and default.problem is None
        try:
            await self.scan(_SCAN_EVERY if well else _RETRY_AFTER)
        except Exception:  # whatever it is, what is known works on
            log.exception("the models cannot be looked for")
        default = self._slots.get(self.default)
        if default is not None and self._may_load(default):
            self._load(default)
        before = self._clock.now() - self._limits.idle
        for slot in self._slots.values():
            idle = slot.idle_since <= before
            if idle and slot.opened is not None and not slot.users and not self._stays(slot):
                log.info("model %s was not used for a while and is unloaded", slot.listed.id)
                slot.leave.set()

    async def scan(self, at_most_every: timedelta = timedelta()) -> None:
        """Looks for models, unless that was done ``at_most_every`` ago."""
        async with self._scanning:
            now = self._clock.now()
            if self._scanned_at is not None and now - self._scanned_at < at_most_every:
                return
            self._take_over(await self._registry.scan())
            self._scanned_at = now
        await self._tell()

    @property
    def default(self) -> str:
        """The id of the model for images of requests that name none."""
        return self._limits.default or self._registry.default

    @property
    def text_default(self) -> str:
        """The id of the model for texts of requests that name none."""
        return self._limits.text_default or self._registry.text_default

    @property
    def slots(self) -> list[Slot]:
        """All models that are known, the default one first."""
        return sorted(self._slots.values(), key=lambda slot: slot.listed.id != self.default)

    @property
    def warnings(self) -> dict[str, str]:
        """What is wrong with models, by id, while the service as such is ready."""
        found = {
            id: problem.message
            for id, slot in self._slots.items()
            if (problem := slot.problem) is not None
        }
        text = self._slots.get(self.text_default)
        if self._slots and text is None:
            found[self.text_default] = "is the default one for texts, but is not there"
        elif text is not None and text.listed.card is not None and text.listed.card.text is None:
            found[self.text_default] = "is the default one for texts, but embeds none"
        return found

    async def find(self, model: str) -> Slot:
        """The model of that id, which may have just been brought; empty or ``default`` is the
        default one.

        Raises NotFound, and Unavailable (MODEL_NOT_READY) if the default one is not there or
        nobody can tell whether there is such a model.
        """
        if model in ("", DEFAULT):
            return self._known(self.default)
        if model not in self._slots:
            await self.scan(SOON)
        slot = self._slots.get(model)
        if slot is None and not self._registry.complete:
            raise Unavailable(
                f"the model {model} is not known, and the models cannot be listed now",
                reason="MODEL_NOT_READY",
                retry_after=_RETRY_HINT,
            )
        if slot is None:
            raise NotFound("model", f"models/{model}")
        return slot

    @asynccontextmanager
    async def embedder(self, model: str = "", wait: float = 0.0) -> AsyncIterator[Embedder]:
        """What embeds images with ``model``, which stays loaded while inside.

        It is loaded first if need be, for which up to ``wait`` seconds are waited. Raises NotFound,
        InvalidArgument (WRONG_MODALITY) and Unavailable (MODEL_NOT_READY).
        """
        slot = await self.find(model)
        if slot.listed.card is not None and slot.listed.card.image is None:
            raise _wrong_modality(slot, "images")
        opened = await self.ready(slot, wait)
        assert opened.images is not None
        with self._used(slot):
            yield opened.images

    @asynccontextmanager
    async def text_embedder(
        self, model: str = "", wait: float = 0.0
    ) -> AsyncIterator[TextEmbedder]:
        """What embeds texts with ``model``, as ``embedder`` does for images; ``default`` is the
        default model for images, and empty the default one for texts."""
        slot = await self.find(model) if model else self._known(self.text_default)
        if slot.listed.card is not None and slot.listed.card.text is None:
            raise _wrong_modality(slot, "texts")
        opened = await self.ready(slot, wait)
        assert opened.texts is not None
        with self._used(slot):
            yield opened.texts

    async def ready(self, slot: Slot, wait: float) -> OpenedModel:
        """The model in memory, loaded if need be within ``wait`` seconds.

        Raises Unavailable (MODEL_NOT_READY), and NotFound if it has gone since it was found.
        """
        try:
            async with asyncio.timeout(wait if slot.opened is None else None):
                while slot.opened is None:
                    if slot.task is None:
                        self._start(slot)
                    async with self._changed:
                        await self._changed.wait_for(lambda: slot.opened or slot.task is None)
        except TimeoutError:
            raise _not_ready(slot) from None
        return slot.opened

    async def load(self, slot: Slot, wait: float) -> None:
        """Loads a model now, even if that failed a moment ago.

        Raises NotFound if it has gone, FailedPrecondition (MODEL_NOT_READY) if it cannot be loaded
        as it is, and Unavailable if ``wait`` seconds are too few.
        """
        await self.scan(SOON)
        slot.failed_at = None
        try:
            await self.ready(slot, wait)
        except Unavailable as error:
            if slot.problem is None:
                raise
            raise FailedPrecondition(error.message, reason="MODEL_NOT_READY") from None

    async def unload(self, slot: Slot, wait: float) -> None:
        """Gives the memory of a model back when the calls that use it have ended.

        Raises FailedPrecondition (DEFAULT_MODEL), and Unavailable if ``wait`` seconds are too few.
        """
        if self._stays(slot):
            raise FailedPrecondition(
                f"the model {slot.listed.id} is used by requests that name none and stays loaded",
                reason="DEFAULT_MODEL",
                metadata={"model": slot.listed.id},
            )
        slot.leave.set()
        slot.error = slot.failed_at = None
        try:
            async with asyncio.timeout(wait), self._changed:
                await self._changed.wait_for(lambda: slot.task is None)
        except TimeoutError:
            raise Unavailable(
                f"{slot.users} calls still use the model {slot.listed.id}; it is unloaded when "
                "they end",
                retry_after=_RETRY_HINT,
            ) from None

    async def probe(self) -> None:
        """Returns when a real inference of the default model passes; raises Unavailable if not."""
        slot = self._known(self.default)
        if slot.opened is None:
            raise _not_ready(slot)
        if slot.opened.images is None:
            raise Unavailable(f"embedding.model is {slot.listed.id}, which embeds no images")
        await slot.opened.images.probe()

    def _known(self, id: str) -> Slot:
        slot = self._slots.get(id)
        if slot is None:
            why = "it is being looked for"
            if self._slots:
                why = f"there is no model {id}; known are {', '.join(sorted(self._slots))}"
            raise Unavailable(
                f"the model is not ready: {why}", reason="MODEL_NOT_READY", retry_after=_RETRY_HINT
            )
        return slot

    def _stays(self, slot: Slot) -> bool:
        """Whether it is never unloaded: the default one, and what takes no memory."""
        return slot.listed.id in (self.default, NGRAMS.id)

    @contextmanager
    def _used(self, slot: Slot) -> Iterator[None]:
        slot.users += 1
        slot.last_use = self._clock.now()
        try:
            yield
        finally:
            slot.users -= 1
            slot.last_use = self._clock.now()
            if not slot.users:
                self._notify()

    def _take_over(self, found: dict[str, Listed]) -> None:
        """Compares what is known with what was found, and acts on what has changed."""
        for id, listed in found.items():
            slot = self._slots.setdefault(id, Slot(Listed(id, listed.card)))
            before, slot.listed = slot.listed, listed
            if listed.error is None and listed.card != before.card:
                slot.error = slot.failed_at = None
                slot.leave.set()
            if listed.error is None and slot.opened is not None:
                slot.error = None
            if listed.error is not None and str(listed.error) != str(before.error):
                log.warning("the model %s cannot be used: %s", id, listed.error)
        for id in self._slots.keys() - found.keys():
            gone = self._slots[id]
            if self._stays(gone) and gone.opened is not None:
                gone.error = _gone(id)
                continue
            gone.leave.set()
            del self._slots[id]

    def _may_load(self, slot: Slot) -> bool:
        recent = self._clock.now() - _RETRY_AFTER
        failed = slot.failed_at is not None and slot.failed_at > recent
        return slot.task is None and slot.listed.error is None and not failed

    def _start(self, slot: Slot) -> None:
        if self._slots.get(slot.listed.id) is not slot:
            raise NotFound("model", f"models/{slot.listed.id}")
        if not self._may_load(slot):
            raise _not_ready(slot)
        self._load(slot)

    def _load(self, slot: Slot) -> None:
        if self._group is None:
            raise _not_ready(slot)
        slot.leave = asyncio.Event()
        slot.task = self._group.create_task(self._keep(slot), name=f"model {slot.listed.id}")

    async def _keep(self, slot: Slot) -> None:
        """Loads a model and keeps it until it shall leave and nobody uses it."""
        listed = slot.listed
        try:
            await self._make_room(slot)
            opening = open_model(listed, self.options, self._workshop, self._observe)
            async with opening as opened:
                slot.opened, slot.error, slot.failed_at = opened, None, None
                slot.loaded_at, slot.last_use = self._clock.now(), None
                log.info("model %s, revision %s, is ready", listed.id, _revision(listed))
                if listed.notice:
                    log.warning(listed.notice)
                await self._tell()
                await slot.leave.wait()
                slot.opened = None
                async with self._changed:
                    await self._changed.wait_for(lambda: slot.users == 0)
        except ColonnadeError as error:
            self._failed(slot, error)
        except Exception as error:
            log.exception("the model %s failed", listed.id)
            self._failed(slot, FailedPrecondition(str(error), reason="MODEL_NOT_READY"))
        finally:
            slot.opened = slot.task = None
            slot.placed = False
            self._notify()

    def _failed(self, slot: Slot, error: ColonnadeError) -> None:
        slot.error, slot.failed_at = error, self._clock.now()
        log.error("the model %s cannot be used: %s", slot.listed.id, error.message)

    async def _make_room(self, slot: Slot) -> None:
        """Returns when there is room for one more model, which then is taken."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(slot))
        slot.placed = slot.listed.id != NGRAMS.id

    def _has_room(self, slot: Slot) -> bool:
        """Whether one more fits; if not, has what was not used for longest unloaded, unless all
        are used."""
        placed = [other for other in self._slots.values() if other.placed]
        if len(placed) < self._limits.max_loaded or slot.listed.id == NGRAMS.id:
            return True
        staying = [other for other in placed if not other.leave.is_set()]
        idle = [
            other
            for other in staying
            if other.opened is not None and not other.users and not self._stays(other)
        ]
        if idle and len(staying) >= self._limits.max_loaded:
            oldest = min(idle, key=lambda other: other.idle_since)
            log.info("model %s makes room for %s", oldest.listed.id, slot.listed.id)
            oldest.leave.set()
        return False

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _notify(self) -> None:
        """As ``_tell``, from where nothing can be awaited."""
        if self._group is not None:
            self._group.create_task(self._tell())


def _revision(listed: Listed) -> str:
    return listed.card.revision if listed.card is not None else ""


def _gone(id: str) -> FailedPrecondition:
    return FailedPrecondition(
        f"the card of the model {id} has gone; it works on until it is unloaded",
        reason="MODEL_NOT_READY",
    )


def _not_ready(slot: Slot) -> Unavailable:
    why = slot.problem.message if slot.problem is not None else "it is being loaded"
    return Unavailable(
        f"the model {slot.listed.id} is not ready: {why}",
        reason="MODEL_NOT_READY",
        retry_after=_RETRY_HINT,
    )


def _wrong_modality(slot: Slot, what: str) -> InvalidArgument:
    return InvalidArgument.of(
        "model", f"models/{slot.listed.id} embeds no {what}", reason="WRONG_MODALITY"
    )
