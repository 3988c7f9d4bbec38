"""The steps of the main job. Each looks at what is there, does what is missing, and says so."""

import asyncio

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1.gap_report_pb2 import GapReport
from colonnade.catalog.v1.persona_pb2 import Cadence, LibraryStats, Persona
from colonnade.catalog.v1.photo_pb2 import Photo
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.catalog.v1.suggestion_pb2 import Suggestion, SuggestionBatch
from colonnade.clustering.v1 import duplicate_pb2
from colonnade.clustering.v1 import duplicate_service_pb2 as api
from colonnade.clustering.v1.clustering_run_pb2 import ClusteringRun
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.type.v1.job_pb2 import JobState
from colonnade.type.v1.time_window_pb2 import TimeWindow

from cli.cluster_runs import run_clustering
from cli.clusters import all_clusters
from cli.connection import Suite
from cli.duplicates import known, some_sets
from cli.importer import Destination, Report, import_files
from cli.importing import import_progress
from cli.output import last_part, word
from cli.photos import some_photos
from cli.suggestions import watch_suggestions, write_suggestions
from demo.children import TOKEN
from demo.plan import Plan, divided
from demo.show import Show
from libs.errors import AlreadyExists, FailedPrecondition

BRIEFS = 5
EMBED_TIMEOUT = 1800.0


async def persona(suite: Suite, plan: Plan, show: Show) -> Persona:
    """The persona of the plan, which posts every morning."""
    wanted = Persona(
        display_name=plan.persona_name,
        time_zone=plan.time_zone,
        voice=plan.voice,
        cadence=Cadence(
            posts_per_week=7,
            min_gap_hours=12,
            windows=[TimeWindow(start_minute=8 * 60, end_minute=10 * 60)],
        ),
    )
    request = catalog.CreatePersonaRequest(persona_id=plan.persona_id, persona=wanted)
    try:
        made = await suite.catalog.CreatePersona(request)
        show.done(f"persona {made.display_name} ({made.name}), {made.time_zone}")
    except AlreadyExists:
        name = f"personas/{plan.persona_id}"
        made = await suite.catalog.GetPersona(catalog.GetPersonaRequest(name=name))
        show.there(f"persona {made.display_name} ({made.name})")
    return made


async def pillars(suite: Suite, parent: str, plan: Plan, show: Show) -> None:
    """The pillars of the plan, with their weights."""
    for planned in plan.pillars:
        wanted = Pillar(
            display_name=planned.display_name,
            weight=planned.weight,
            description=planned.description,
            posts_per_week=planned.posts_per_week,
        )
        request = catalog.CreatePillarRequest(parent=parent, pillar_id=planned.id, pillar=wanted)
        try:
            made = await suite.catalog.CreatePillar(request)
            told = f"weight {made.weight} %, {made.posts_per_week} posts a week"
            show.done(f"pillar {made.display_name}, {told}: {made.description}")
        except AlreadyExists:
            show.there(f"pillar {planned.display_name}, weight {planned.weight} %")


async def photos(suite: Suite, parent: str, plan: Plan) -> Report:
    """Every file of the plan's folder: examples under the pillar that their folder belongs to,
    then the rest without a pillar."""
    division = divided(plan)
    parts = [(f"{parent}/pillars/{id}", files) for id, files in division.examples.items()]
    parts.append(("", division.rest))
    whole = Report()
    with import_progress(sum(len(files) for _, files in parts)) as advance:
        for pillar, files in parts:
            report = await import_files(suite, files, Destination(parent, pillar), progress=advance)
            whole.lines.extend(report.lines)
    return whole


async def embedded(suite: Suite, parent: str, show: Show) -> LibraryStats:
    """Waits until no photo waits for its embedding any more."""
    deadline = asyncio.get_running_loop().time() + EMBED_TIMEOUT
    request = catalog.GetLibraryStatsRequest(name=f"{parent}/libraryStats")
    with show.progress("embedding") as advance:
        while True:
            stats = await suite.catalog.GetLibraryStats(request)
            advance(stats.photos - stats.embedding_pending, stats.photos)
            if not stats.embedding_pending:
                return stats
            if asyncio.get_running_loop().time() > deadline:
                raise FailedPrecondition(
                    f"{stats.embedding_pending} photos still wait for their embedding"
                )
            await asyncio.sleep(0.2)


async def filed(suite: Suite, parent: str, plan: Plan, show: Show) -> None:
    """Tells where the photos went that came without a pillar, and why, and which ones wait."""
    await suite.imports.ProposePillars(imports.ProposePillarsRequest(parent=parent))
    proposed, waiting = [
        sorted(await some_photos(suite, parent, condition, 5000), key=_by_confidence)
        for condition in ('filing.state = "PROPOSED"', 'filing.state = "REVIEW"')
    ]
    titles = {f"{parent}/pillars/{pillar.id}": pillar.display_name for pillar in plan.pillars}
    groups = {name: [photo for photo in proposed if photo.pillar == name] for name in titles}
    where = ", ".join(f"{len(group)} in {titles[name]}" for name, group in groups.items())
    show.done(f"{len(proposed)} photos filed by what they show: {where}")
    # One of average confidence for each pillar, and the least sure one of all.
    examples = [group[len(group) // 2] for group in groups.values() if group]
    for photo in (*examples, *proposed[-1:]):
        sure = f"{photo.filing.confidence:.0%} sure"
        show.detail(f"{photo.source_path}, {sure}: {photo.filing.reason}")
    if waiting:
        show.done(f"{len(waiting)} wait in the inbox, to be sorted in bulk, such as")
        show.detail(f"{waiting[0].source_path}: {waiting[0].filing.reason}")
        show.detail(f"colonnade inbox {plan.persona_id} lists them")


def _by_confidence(photo: Photo) -> tuple[float, str]:
    return -photo.filing.confidence, photo.name


async def duplicates(suite: Suite, parent: str, show: Show) -> None:
    """Waits until all photos are compared, then shows the largest sets of each verdict."""
    request = api.ListDuplicateSetsRequest(parent=parent)
    sets, waiting = await some_sets(suite, request, 5000)
    with show.progress("comparing") as update:
        total = waiting
        while waiting:
            update(total - waiting, total)
            await asyncio.sleep(0.5)
            request.page_token = ""
            sets, waiting = await some_sets(suite, request, 5000)
        update(total, total)
    names = await _file_names(suite, parent)
    for verdict in (
        duplicate_pb2.DUPLICATE_VERDICT_DUPLICATE,
        duplicate_pb2.DUPLICATE_VERDICT_VARIANT,
        duplicate_pb2.DUPLICATE_VERDICT_BURST,
    ):
        found = [each for each in sets if each.verdict == verdict]
        others = sum(len(each.others) for each in found)
        kind = word(duplicate_pb2.DuplicateVerdict, verdict)
        show.done(f"{kind}: {others} photos beside {len(found)} that are better kept")
        for each in found[:2]:
            keeper, other = each.keeper.photo, each.others[0]
            reason = word(duplicate_pb2.DuplicateSet.Reason, each.keeper_reason)
            show.detail(f"keep {names.get(keeper, keeper)} ({reason}), not")
            show.detail(f"  {names.get(other.photo, other.photo)}: {known(other.evidence)}")


async def clusters(suite: Suite, parent: str, show: Show) -> None:
    """Groups the photos and shows the groups."""

    def progress(run: ClusteringRun) -> None:
        show.step(f"clustering: {run.progress.phase or 'queued'}")

    run = await run_clustering(suite, parent, ClusteringRun(), progress)
    if run.error.message:
        raise FailedPrecondition(f"clustering failed: {run.error.message}")
    stats = run.stats
    found = await all_clusters(suite, parent)
    if stats.noop:
        show.there(f"{len(found)} clusters, nothing has changed since they were made")
    else:
        show.done(
            f"version {run.version}: {stats.clustered} of {stats.items} photos in "
            f"{stats.clusters} clusters, {stats.unclustered} like nothing else, "
            f"{stats.duration_millis} ms"
        )
    names = await _file_names(suite, parent)
    show.clusters(found, names)


async def gap_report(suite: Suite, parent: str) -> GapReport:
    """What each pillar lacks over 30 days."""
    request = catalog.AnalyzeGapsRequest(parent=parent, horizon_days=30)
    return (await suite.catalog.AnalyzeGaps(request)).gap_report


async def briefs(suite: Suite, parent: str, show: Show) -> None:
    """Five briefs for what is missing most; those of the last demo, if there was one."""
    listing = planning.ListSuggestionBatchesRequest(parent=parent, page_size=1)
    batches = (await suite.planning.ListSuggestionBatches(listing)).suggestion_batches
    there = bool(batches) and batches[0].state != JobState.JOB_STATE_FAILED

    def progress(_batch: SuggestionBatch, new: Suggestion | None) -> None:
        if new is None:
            return
        told = f"{new.rank}. {new.title} for {last_part(new.pillar)}"
        show.there(told) if there else show.done(told)
        show.detail(new.description)
        show.detail(f"Why: {new.reason}")

    if there:
        batch, _ = await watch_suggestions(suite, batches[0], progress)
    else:
        wanted = SuggestionBatch(count=BRIEFS)
        batch, _ = await write_suggestions(suite, parent, wanted, progress)
    if batch.error.message:
        show.detail(batch.error.message)


async def channel(suite: Suite, parent: str, account: str, endpoint: str, show: Show) -> None:
    """Connects the persona's Instagram account at the stand-in of Buffer."""
    wanted = Channel(
        display_name="Instagram by Buffer",
        provider=Channel.PROVIDER_BUFFER,
        endpoint=endpoint,
        provider_channel_id=account,
        access_token=TOKEN,
    )
    request = scheduler.CreateChannelRequest(parent=parent, channel_id="instagram", channel=wanted)
    try:
        made = await suite.scheduler.CreateChannel(request)
        show.done(f"channel {made.name} ({made.service}, through {endpoint})")
    except AlreadyExists:
        show.there(f"channel {parent}/channels/instagram")


async def _file_names(suite: Suite, parent: str) -> dict[str, str]:
    return {photo.name: photo.file_name for photo in await some_photos(suite, parent, "", 5000)}
