"""The background job that writes about clusters."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from libs.aio import BlockingPool
from libs.app import App
from libs.blobs.objects import ObjectBlobs
from libs.jobs.single import one_at_a_time
from libs.jobs.stopping import unless_stopping
from libs.llm.chat import ChatModel
from libs.vectors.qdrant import QdrantIndex
from services.clustering.adapters import IndexVectors
from services.clustering.deps import process_name
from services.clustering.domain.item import Modality
from services.clustering.ports.naming import Summariser
from services.clustering.repository.store import PostgresStore
from services.clustering.summariser import ModelSummariser
from services.clustering.usecases.runs import QUEUE
from services.clustering.usecases.summarising import Clerk, summarise_due
from services.jobs import Jobs
from services.settings import Settings

SUMMARISE_TASK = "clustering.summarise"


@asynccontextmanager
async def summarising(
    app: App[Settings], store: PostgresStore, pool: BlockingPool
) -> AsyncIterator[None]:
    """Registers the task: it looks for clusters that changed, so nothing needs to announce them."""
    jobs, settings = app.need(Jobs), app.settings.clustering
    async with AsyncExitStack() as models:
        clerk = Clerk(
            store=store,
            vectors=IndexVectors(app.need(QdrantIndex)),
            writers=await _writers(app.settings, models),
            picture=app.need(ObjectBlobs).get,
            pool=pool,
            clock=app.clock,
            owner=process_name(),
            at_once=settings.summary_concurrency,
        )

        async def summarise() -> None:
            await unless_stopping(app.stopping, summarise_due(clerk))

        jobs.task(SUMMARISE_TASK, one_at_a_time(summarise))
        jobs.every(settings.summary_seconds, SUMMARISE_TASK, QUEUE)
        yield


async def _writers(settings: Settings, models: AsyncExitStack) -> Mapping[Modality, Summariser]:
    """A model that sees writes about photos, if there is one; for all else, one that writes."""
    writers: dict[Modality, Summariser] = {}
    if settings.llm.base_url:
        model = await models.enter_async_context(ChatModel(settings.llm))
        writers = dict.fromkeys(Modality, ModelSummariser(model))
    if settings.vision.base_url:
        model = await models.enter_async_context(ChatModel(settings.vision))
        writers[Modality.PHOTOS] = ModelSummariser(model, sees=True)
    return writers
