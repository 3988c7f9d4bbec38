"""Several models in memory at once: loaded on demand, kept apart, unloaded, and truthful."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from libs.cancellation import cancel_and_wait
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from services.embedding.host import HostLimits, ModelHost, Slot, State
from services.embedding.model import EmbedderOptions, Embedding, Workshop
from services.embedding.registry import NGRAMS, Listed, ModelRegistry
from services.embedding.repository import ModelRepository
from services.embedding.shelf import FolderShelf
from tests.integration.embedding.towers import write_image_model, write_text_model
from tests.support.clock import FakeClock
from tests.support.pictures import encoded
from tests.support.wait import eventually

RED = encoded(Image.new("RGB", (40, 30), (255, 0, 0)))
PATIENCE = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "brought"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Breakable(ModelRegistry):
    """A registry of the models in ``folder``, which can no longer look for them when it is told."""

    broken = False

    def __init__(self, folder: Path, card: Path | None = None) -> None:
        super().__init__(ModelRepository(folder.parent / "made", None), FolderShelf(folder), card)

    async def scan(self) -> dict[str, Listed]:
        if self.broken:
            raise RuntimeError("no memory")
        return await super().scan()


@asynccontextmanager
async def hosting(
    folder: Path,
    clock: FakeClock,
    limits: HostLimits | None = None,
    registry: ModelRegistry | None = None,
) -> AsyncIterator[ModelHost]:
    """A host whose default model is the first one brought unless the limits say otherwise."""
    registry = registry or Breakable(folder)
    options = EmbedderOptions(threads=1)
    limits = limits or HostLimits(default="first")
    with closing(Workshop(1)) as workshop:
        host = ModelHost(registry, options, workshop, limits, clock)
        running = asyncio.create_task(host.run())
        try:
            await eventually(lambda: known(host))
            yield host
        finally:
            await cancel_and_wait([running])


async def known(host: ModelHost) -> bool:
    return bool(host.slots)


async def ready(host: ModelHost) -> None:
    """Waits for the default model."""
    await host.ready(await host.find(""), PATIENCE)


async def red(host: ModelHost, model: str = "") -> Embedding:
    async with host.embedder(model, PATIENCE) as embedder:
        return await embedder.embed_image(RED)


def until(slot: Slot, state: State) -> Callable[[], object]:
    async def reached() -> bool:
        return slot.state is state

    return lambda: eventually(reached)


async def unloaded(slot: Slot) -> None:
    async def gone() -> bool:
        return slot.task is None

    await eventually(gone)


async def test_the_default_model_is_loaded_at_the_start_and_others_when_asked_for(
    folder: Path, clock: FakeClock
) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second", dimension=6)
    async with hosting(folder, clock) as host:
        await ready(host)
        second = await host.find("second")
        assert second.state is State.UNLOADED
        assert (await red(host)).model == "first"
        assert (await red(host, "second")).model == "second"
        assert second.state is State.READY
        await host.probe()
        assert host.warnings == {}


async def test_two_models_at_once_never_mix(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second", dimension=6)
    async with hosting(folder, clock) as host:
        names = ["first", "second"] * 20
        results = await asyncio.gather(*(red(host, name) for name in names))
    for name, result in zip(names, results, strict=True):
        assert result.model == name
        assert result.vector.shape == ({"first": 4, "second": 6}[name],)
        assert float(np.linalg.norm(result.vector)) == pytest.approx(1.0, abs=1e-6)
    assert len({(result.model, result.revision) for result in results}) == 2


async def test_a_model_that_was_not_used_for_a_while_is_unloaded(
    folder: Path, clock: FakeClock
) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    limits = HostLimits(default="first", idle=timedelta(minutes=10))
    async with hosting(folder, clock, limits) as host:
        await ready(host)
        await red(host, "second")
        second = await host.find("second")
        clock.advance(timedelta(minutes=9))
        await host.tend()
        assert second.state is State.READY
        clock.advance(timedelta(minutes=2))
        await host.tend()
        await unloaded(second)
        assert second.state is State.UNLOADED
        assert (await host.find("")).state is State.READY
        assert (await red(host, "second")).model == "second"


async def test_a_model_in_use_is_not_unloaded(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        second = await host.find("second")
        async with host.embedder("second", PATIENCE) as embedder:
            clock.advance(timedelta(days=1))
            await host.tend()
            with pytest.raises(Unavailable, match="1 calls still use"):
                await host.unload(second, 0.01)
            assert (await embedder.embed_image(RED)).model == "second"
        await unloaded(second)
        assert second.state is State.UNLOADED


async def test_the_least_recently_used_model_makes_room(folder: Path, clock: FakeClock) -> None:
    for name in ("first", "second", "third", "fourth"):
        write_image_model(folder, name)
    async with hosting(folder, clock, HostLimits(default="first", max_loaded=3)) as host:
        await ready(host)
        for name in ("second", "third", "second", "fourth"):
            clock.advance(1.0)
            await red(host, name)
        states = {slot.listed.id: slot.state for slot in host.slots}
        assert states["third"] is State.UNLOADED
        assert {states[name] for name in ("first", "second", "fourth")} == {State.READY}


async def test_while_all_places_are_used_another_model_waits(
    folder: Path, clock: FakeClock
) -> None:
    for name in ("first", "second", "third"):
        write_image_model(folder, name)
    async with hosting(folder, clock, HostLimits(default="first", max_loaded=2)) as host:
        await ready(host)
        async with host.embedder("second", PATIENCE):
            with pytest.raises(Unavailable) as raised:
                async with host.embedder("third", 0.05):
                    pass
            assert raised.value.reason == "MODEL_NOT_READY"
            assert raised.value.retry_after > 0
            waiting = asyncio.create_task(red(host, "third"))
        assert (await waiting).model == "third"


@pytest.mark.parametrize("seed", range(3))
async def test_however_calls_fall_together_models_do_not_mix_and_places_suffice(
    folder: Path, clock: FakeClock, seed: int
) -> None:
    random = Random(seed)
    dimensions = {"first": 4, "second": 5, "third": 6, "fourth": 7, "fifth": 8}
    for name, dimension in dimensions.items():
        write_image_model(folder, name, dimension=dimension)
    most = 0

    async def work(host: ModelHost) -> None:
        nonlocal most
        for _ in range(8):
            name = random.choice(list(dimensions))
            clock.advance(0.01)
            result = await red(host, name)
            assert (result.model, result.vector.shape) == (name, (dimensions[name],))
            most = max(most, sum(slot.placed for slot in host.slots))
            slot = await host.find(name)
            if random.random() < 0.2 and name != "first":
                slot.leave.set()

    async with hosting(folder, clock, HostLimits(default="first", max_loaded=3)) as host:
        await ready(host)
        await asyncio.gather(*(work(host) for _ in range(8)))
    assert 1 < most <= 3


async def test_many_callers_load_a_model_once(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        await asyncio.gather(*(red(host, "second") for _ in range(10)))
        async with host.embedder("second") as embedder, host.embedder("second") as same:
            assert embedder is same


async def test_models_load_and_unload_on_request(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        second = await host.find("second")
        await host.load(second, PATIENCE)
        assert second.state is State.READY
        await host.unload(second, PATIENCE)
        assert second.state is State.UNLOADED
        await host.unload(second, PATIENCE)
        await ready(host)
        with pytest.raises(FailedPrecondition) as raised:
            await host.unload(await host.find("first"), PATIENCE)
        assert raised.value.reason == "DEFAULT_MODEL"


async def test_a_changed_file_is_never_served(
    folder: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    (folder / "second.onnx").write_bytes((folder / "first.onnx").read_bytes() + b"\0")
    async with hosting(folder, clock) as host:
        second = await host.find("second")
        assert second.state is State.FAILED
        with pytest.raises(Unavailable, match="damaged or not the one of its card") as raised:
            await red(host, "second")
        assert raised.value.reason == "MODEL_NOT_READY"
        await ready(host)
        await host.probe()
        assert list(host.warnings) == ["second"]
        await host.scan()
    told = [record for record in caplog.records if "the model second cannot be" in record.message]
    assert len(told) == 1


async def test_a_file_that_is_not_what_its_card_says_fails_alone(
    folder: Path, clock: FakeClock
) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second", dimension=6, said=5)
    write_image_model(folder, "third", open_shape=True)
    async with hosting(folder, clock) as host:
        with pytest.raises(FailedPrecondition, match="the card says"):
            await host.load(await host.find("second"), PATIENCE)
        second = await host.find("second")
        assert second.state is State.FAILED
        assert "does not fit its card" in host.warnings["second"]
        assert (await red(host, "third")).vector.shape == (4,)


async def test_channels_that_come_last_are_seen_as_those_that_come_first(
    folder: Path, clock: FakeClock
) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second", layout="NHWC")
    async with hosting(folder, clock) as host:
        first, second = await red(host), await red(host, "second")
    assert second.vector == pytest.approx(first.vector, abs=1e-6)


async def test_a_broken_default_model_means_not_ready(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    content = (folder / "first.onnx").read_bytes()
    (folder / "first.onnx").write_bytes(b"damaged")
    async with hosting(folder, clock) as host:
        with pytest.raises(Unavailable, match="damaged"):
            await host.probe()
        (folder / "first.onnx").write_bytes(content)
        clock.advance(timedelta(seconds=20))
        await host.tend()
        await ready(host)
        await host.probe()


async def test_a_default_model_that_is_not_there_is_named(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        with pytest.raises(Unavailable, match="there is no model first; known are") as raised:
            await host.probe()
        assert raised.value.reason == "MODEL_NOT_READY"
        assert (await red(host, "second")).model == "second"
        write_image_model(folder, "first")
        clock.advance(timedelta(seconds=20))
        await host.tend()
        await ready(host)


@pytest.mark.parametrize(
    ("text_default", "warning"), [("nobody", "is not there"), ("first", "embeds none")]
)
async def test_a_default_model_for_texts_that_is_of_no_use_is_told(
    folder: Path, clock: FakeClock, text_default: str, warning: str
) -> None:
    write_image_model(folder, "first")
    limits = HostLimits(default="first", text_default=text_default)
    async with hosting(folder, clock, limits) as host:
        await ready(host)
        await host.probe()
        assert warning in host.warnings[text_default]
        with pytest.raises((Unavailable, InvalidArgument)):
            async with host.text_embedder("", PATIENCE):
                pass


async def test_a_default_model_for_texts_only_is_not_ready(folder: Path, clock: FakeClock) -> None:
    write_text_model(folder, "first")
    async with hosting(folder, clock) as host:
        await host.load(await host.find("first"), PATIENCE)
        with pytest.raises(Unavailable, match="embeds no images"):
            await host.probe()


async def test_a_file_that_goes_while_its_model_runs_is_told_and_harms_nobody(
    folder: Path, clock: FakeClock
) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        await ready(host)
        (folder / "first.onnx").unlink()
        (folder / "second.onnx").unlink()
        await host.scan()
        await host.probe()
        assert (await red(host)).model == "first"
        assert "first.onnx cannot be read" in host.warnings["first"]
        assert (await host.find("first")).state is State.READY
        assert (await host.find("second")).state is State.FAILED


async def test_the_default_model_whose_card_goes_works_on(folder: Path, clock: FakeClock) -> None:
    card = write_image_model(folder, "first")
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        await ready(host)
        await red(host, "second")
        card.unlink()
        (folder / "second.json").unlink()
        await host.scan()
        assert (await red(host)).model == "first"
        assert "has gone" in host.warnings["first"]
        with pytest.raises(NotFound):
            await red(host, "second")


async def test_a_card_that_was_away_for_a_while_leaves_no_warning(
    folder: Path, clock: FakeClock
) -> None:
    card = write_image_model(folder, "first")
    async with hosting(folder, clock) as host:
        await ready(host)
        card = card.rename(folder / "away")
        await host.scan()
        assert "has gone" in host.warnings["first"]
        card.rename(folder / "first.json")
        await host.scan()
        assert host.warnings == {}


async def test_models_whose_cards_cannot_be_read_for_once_work_on(
    folder: Path, clock: FakeClock
) -> None:
    default = write_image_model(folder.parent / "elsewhere", "first")
    default = default.rename(default.with_name("card-of-the-settings.json"))
    brought = write_image_model(folder, "second")
    brought = brought.rename(brought.with_name("brought.json"))
    registry = Breakable(folder, default)
    async with hosting(folder, clock, HostLimits(), registry) as host:
        await ready(host)
        await red(host, "second")
        opened = [slot.opened for slot in host.slots]
        contents = {card: card.read_text() for card in (default, brought)}
        for card, content in contents.items():
            card.write_text(content[:-9])
        await host.scan()
        assert set(host.warnings) == {"first", "second"}
        await host.probe()
        assert (await red(host)).model == "first"
        assert (await red(host, "second")).model == "second"
        for card, content in contents.items():
            card.write_text(content)
        await host.scan()
        assert host.warnings == {}
        assert [slot.opened for slot in host.slots] == opened
        assert not any(slot.leave.is_set() for slot in host.slots)


async def test_a_look_that_fails_leaves_what_is_known(
    folder: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    write_image_model(folder, "first")
    registry = Breakable(folder)
    async with hosting(folder, clock, registry=registry) as host:
        await ready(host)
        registry.broken = True
        clock.advance(timedelta(minutes=2))
        await host.tend()
        assert "the models cannot be looked for" in caplog.text
        assert (await red(host)).model == "first"


async def test_while_models_cannot_be_listed_nobody_says_that_there_is_none(
    folder: Path, clock: FakeClock
) -> None:
    unreadable = folder.with_name("x" * 300)
    async with hosting(folder, clock, HostLimits(), Breakable(unreadable)) as host:
        with pytest.raises(Unavailable, match="cannot be listed now") as raised:
            await red(host, "late")
        assert raised.value.reason == "MODEL_NOT_READY"
        assert raised.value.retry_after > 0


async def test_a_model_that_goes_while_it_is_asked_for_is_not_loaded(
    folder: Path, clock: FakeClock
) -> None:
    write_image_model(folder, "first")
    card = write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        second = await host.find("second")
        card.unlink()
        clock.advance(timedelta(seconds=3))
        with pytest.raises(NotFound):
            await host.load(second, PATIENCE)
        assert second.task is None


async def test_a_card_that_changes_is_taken_over(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    write_image_model(folder, "second")
    async with hosting(folder, clock) as host:
        before = await red(host, "second")
        write_image_model(folder, "second", dimension=6)
        await host.scan()
        await unloaded(await host.find("second"))
        after = await red(host, "second")
        assert (before.dimension, after.dimension) == (4, 6)
        assert before.revision != after.revision


async def test_models_are_asked_for_what_they_can(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    write_text_model(folder, "words")
    async with hosting(folder, clock) as host:
        with pytest.raises(InvalidArgument) as raised:
            await red(host, "words")
        assert raised.value.reason == "WRONG_MODALITY"
        with pytest.raises(InvalidArgument, match="embeds no texts"):
            async with host.text_embedder("first", PATIENCE):
                pass
        with pytest.raises(NotFound):
            await red(host, "nobody")
        async with host.text_embedder("", PATIENCE) as embedder:
            assert embedder.card.id == NGRAMS.id
        async with host.text_embedder("words", PATIENCE) as embedder:
            assert embedder.card.id == "words"


async def test_a_model_brought_a_moment_ago_is_found(folder: Path, clock: FakeClock) -> None:
    write_image_model(folder, "first")
    async with hosting(folder, clock) as host:
        write_image_model(folder, "late")
        clock.advance(timedelta(seconds=3))
        assert (await red(host, "late")).model == "late"
