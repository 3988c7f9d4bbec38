"""Does the tasks of people who want to know something of images, each by itself."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from PIL import Image

from libs.errors import ColonnadeError, InvalidArgument, NotFound
from libs.images import ImageLimits, inspect, open_upright
from services.embedding.detection import Finding
from services.embedding.fairness import Admission, FairGate, Turn
from services.embedding.model import Embedding, Source, Workshop, name_of
from services.embedding.operations import EMBEDDING, OPTIONAL, Operation, Picture, Report
from services.embedding.regions import WHOLE, Region, crop_jpeg, shrunk

Embed = Callable[[str, Source, Turn, Region], Awaitable[Embedding]]

# Of all calls together, in each lane: each may hold a file and a picture.
_AT_A_TIME = 8
_QUEUE = 256
_TYPICAL_SECONDS = 0.05
_TRIAL = Image.linear_gradient("L").convert("RGB")


@dataclass(frozen=True, slots=True)
class Task:
    """One operation on one image. ``region`` is what is looked at, its context included."""

    id: str
    operation: str
    source: Source
    region: Region = WHOLE
    crops: bool = False
    model: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why nothing was done: ``reason`` is NO_MODEL or NOTHING_FOUND."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task. The regions of findings are shares of the whole picture.

    ``crops`` are those of the findings, in their order; ``crop`` is what was looked at.
    """

    task: Task
    outcome: Report | Embedding | Skipped | ColonnadeError
    implementation: str = ""
    crop: bytes = b""
    crops: tuple[bytes, ...] = field(default=())


class Analyst:
    """Knows the operations and does tasks. ``operations`` are all but the embedding, by id."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        embed: Embed,
        workshop: Workshop,
        limits: ImageLimits,
    ) -> None:
        self.operations = dict(operations)
        self._embed = embed
        self._threads = workshop.decoding
        self._cache = workshop.cache
        self._limits = limits
        self._places = FairGate(_AT_A_TIME)
        self._admission = Admission(_QUEUE)

    async def probe(self) -> None:
        """Returns when a small picture was really looked at."""
        picture = Picture(_TRIAL, *_TRIAL.size)
        await self._threads.run(Turn(), self.operations["quality"].look, picture)

    async def analyse(self, tasks: Sequence[Task], turn: Turn) -> list[Result]:
        """One result a task, in the same order; one that fails leaves the others.

        Raises ``InvalidArgument`` if two tasks have one id.
        """
        for id, times in Counter(task.id for task in tasks).items():
            if times > 1:
                raise InvalidArgument.of("tasks.id", f"{id[:100]!r} comes twice; ids must differ")
        return list(await asyncio.gather(*(self._result(task, turn) for task in tasks)))

    async def _result(self, task: Task, turn: Turn) -> Result:
        try:
            if task.operation == EMBEDDING:
                return await self._embedded(task, turn)
            operation = self.operations.get(task.operation)
            if operation is not None:
                return await self._looked(task, operation, turn)
        except ColonnadeError as error:
            return Result(task, error)
        if task.operation in OPTIONAL:
            why = f"no model for {task.operation} is installed"
            return Result(task, Skipped("NO_MODEL", why))
        return Result(task, NotFound("operation", f"operations/{task.operation}"))

    async def _embedded(self, task: Task, turn: Turn) -> Result:
        embedding = await self._embed(task.model, task.source, turn, task.region)
        if not task.crops:
            return Result(task, embedding)
        async with self._places.slot(turn):
            (crop,) = await self._cut(task, [task.region], turn)
        return Result(task, embedding, crop=crop)

    async def _looked(self, task: Task, operation: Operation, turn: Turn) -> Result:
        with self._admission.admitted(turn, _TYPICAL_SECONDS):
            async with self._places.slot(turn):
                name = await name_of(task.source)
                key = (name, task.operation, operation.implementation, *task.region.key)
                compute = partial(self._report, task, operation)
                report = await self._cache.get(key, turn, compute)
                if task.operation in OPTIONAL and not report.findings:
                    skipped = Skipped("NOTHING_FOUND", f"{task.operation}: nothing was found")
                    return Result(task, skipped, operation.implementation)
                if not task.crops:
                    return Result(task, report, operation.implementation)
                boxes = [finding.region or task.region for finding in report.findings]
                crop, *crops = await self._cut(task, [task.region, *boxes], turn)
                return Result(task, report, operation.implementation, crop, tuple(crops))

    async def _report(self, task: Task, operation: Operation, turn: Turn) -> Report:
        data = await self._bytes_of(task.source)
        report = await self._threads.run(turn, _look, data, task.region, operation, self._limits)
        return Report(report.measures, report.hash, tuple(_placed(report, task.region)))

    async def _bytes_of(self, source: Source) -> bytes:
        if isinstance(source, bytes):
            return source
        data = await source.read()
        self._cache.learn(await name_of(source), await name_of(data))
        return data

    async def _cut(self, task: Task, regions: Sequence[Region], turn: Turn) -> list[bytes]:
        data = await self._bytes_of(task.source)
        return await self._threads.run(turn, _crops, data, regions, self._limits)


def _look(data: bytes, region: Region, operation: Operation, limits: ImageLimits) -> Report:
    info = inspect(data, limits)
    if region == WHOLE:
        pixels = open_upright(data, limits, (operation.side, operation.side))
        width, height = info.width, info.height
    else:
        pixels = region.cut(open_upright(data, limits))
        width, height = pixels.size
    return operation.look(Picture(shrunk(pixels, operation.side), width, height))


def _crops(data: bytes, regions: Sequence[Region], limits: ImageLimits) -> list[bytes]:
    picture = open_upright(data, limits)
    return [crop_jpeg(picture, region) for region in regions]


def _placed(report: Report, region: Region) -> list[Finding]:
    return [
        Finding(found.label, found.score, found.region and found.region.inside(region))
        for found in report.findings
    ]
