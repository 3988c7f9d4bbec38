"""One good request of each method of the catalog, with all that it needs; and lists to walk.

A method that is added joins the rules in ``test_rules`` by a line here.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from colonnade.catalog.v1 import (
    campaign_pb2,
    gap_report_pb2,
    persona_pb2,
    photo_import_pb2,
    photo_pb2,
    pillar_pb2,
    run_pb2,
    suggestion_pb2,
)
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1 import import_service_pb2 as imports
from colonnade.catalog.v1 import planning_service_pb2 as planning
from colonnade.catalog.v1 import run_service_pb2 as runs
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from services.catalog.domain.photo import Filing, FilingState
from tests.integration.catalog.contest import Contests
from tests.integration.catalog.library import Library

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class World:
    """Makes what requests are about. Everything is new with each call."""

    lib: Library

    async def photo(self, **fields: Any) -> photo_pb2.Photo:
        """A photo of a persona of its own."""
        _, pillar = await self.lib.place()
        shelved = await self.lib.shelve(pillar, **fields)
        return await self.lib.stub.GetPhoto(catalog.GetPhotoRequest(name=shelved.name))

    async def pillar(self, **fields: Any) -> pillar_pb2.Pillar:
        """A pillar of a persona of its own."""
        name = await self.lib.pillar(await self.lib.persona(), **fields)
        return await self.lib.stub.GetPillar(catalog.GetPillarRequest(name=name))

    async def persona(self) -> persona_pb2.Persona:
        """A persona that has nothing."""
        name = await self.lib.persona()
        return await self.lib.stub.GetPersona(catalog.GetPersonaRequest(name=name))

    async def report(self, persona: str = "") -> gap_report_pb2.GapReport:
        """A gap report, of a persona of its own unless one is given."""
        persona = persona or (await self.lib.place())[0]
        request = catalog.AnalyzeGapsRequest(parent=persona)
        return (await self.lib.stub.AnalyzeGaps(request)).gap_report

    async def campaign(self, persona: str = "", posts: int = 1) -> campaign_pb2.Campaign:
        """A campaign, of a persona of its own unless one is given."""
        request = await _campaign(self, persona, posts)
        return (await self.lib.planning.ImportCampaign(request)).campaign

    async def suggestion(self, persona: str = "") -> suggestion_pb2.Suggestion:
        """A suggestion that waits for a decision."""
        campaign = await self.campaign(persona)
        request = planning.GetSuggestionRequest(name=campaign.posts[0].suggestion)
        return await self.lib.planning.GetSuggestion(request)

    async def rejected(self) -> suggestion_pb2.Suggestion:
        """A suggestion that was turned down."""
        request = planning.RejectSuggestionRequest(name=(await self.suggestion()).name)
        return (await self.lib.planning.RejectSuggestion(request)).suggestion

    async def run(self, persona: str = "") -> run_pb2.Run:
        """A run of an accepted suggestion."""
        request = planning.AcceptSuggestionRequest(name=(await self.suggestion(persona)).name)
        return (await self.lib.planning.AcceptSuggestion(request)).run

    async def contest(self) -> tuple[str, list[str]]:
        """A run without a pillar, and two candidates of it without bytes."""
        contests = Contests(self.lib)
        run = (await contests.run(await self.lib.persona())).name
        return run, await contests.shelve(run, 2)

    async def candidate(self) -> run_pb2.Candidate:
        """A candidate with a picture."""
        contests = Contests(self.lib)
        run = await contests.run(await self.lib.persona())
        return (await contests.upload(run.name)).candidate

    async def decided(self, persona: str = "") -> run_pb2.Run:
        """A run without a pillar whose winner is chosen."""
        contests = Contests(self.lib)
        run = (await contests.run(persona or await self.lib.persona())).name
        (winner,) = await contests.shelve(run, 1)
        return (await contests.choose(winner)).run

    async def batch(self, persona: str = "") -> suggestion_pb2.SuggestionBatch:
        """A batch of suggestions that nobody has worked on."""
        persona = persona or (await self.wanting())
        request = planning.CreateSuggestionBatchRequest(parent=persona)
        return await self.lib.planning.CreateSuggestionBatch(request)

    async def wanting(self) -> str:
        """A persona whose pillar lacks photos."""
        persona = await self.lib.persona()
        await self.lib.pillar(persona, weight=50)
        return persona

    async def photo_import(self, persona: str = "") -> photo_import_pb2.PhotoImport:
        """An open import."""
        persona = persona or (await self.lib.place())[0]
        request = _import(persona)
        return await self.lib.imports.CreatePhotoImport(request)


Sample = Callable[[World], Awaitable[Message]]


async def _campaign(world: World, persona: str = "", posts: int = 1) -> Any:
    persona = persona or (await world.lib.persona())
    number = next(_numbers)
    pillar = f"Pillar of campaign {number}"
    campaign = campaign_pb2.Campaign(
        display_name=f"Campaign {number}",
        posts=[
            campaign_pb2.CampaignPost(pillar=pillar, title=f"Post {n}", prompt="a cup, steam")
            for n in range(posts)
        ],
    )
    return planning.ImportCampaignRequest(
        parent=persona, campaign=campaign, create_missing_pillars=True
    )


def _import(persona: str) -> imports.CreatePhotoImportRequest:
    photo_import = photo_import_pb2.PhotoImport(source=f"trip {next(_numbers)}")
    return imports.CreatePhotoImportRequest(parent=persona, photo_import=photo_import)


def _named(kind: Any, make: Callable[[World], Awaitable[Any]], *, etag: bool = False) -> Sample:
    async def sample(world: World) -> Message:
        made = await make(world)
        request: Message = kind(name=made.name, **({"etag": made.etag} if etag else {}))
        return request

    return sample


def _of_persona(kind: Any, **fields: Any) -> Sample:
    async def sample(world: World) -> Message:
        persona, _ = await world.lib.place()
        request: Message = kind(parent=persona, **fields)
        return request

    return sample


async def _create_persona(_world: World) -> Message:
    return catalog.CreatePersonaRequest(
        persona=persona_pb2.Persona(display_name=f"Somebody {uuid.uuid4()}")
    )


async def _update_persona(world: World) -> Message:
    before = await world.persona()
    changed = persona_pb2.Persona(name=before.name, etag=before.etag, voice=str(uuid.uuid4()))
    return catalog.UpdatePersonaRequest(persona=changed)


async def _stats(world: World) -> Message:
    return catalog.GetLibraryStatsRequest(name=f"{await world.lib.persona()}/libraryStats")


async def _create_pillar(world: World) -> Message:
    pillar = pillar_pb2.Pillar(display_name=f"Theme {next(_numbers)}")
    return catalog.CreatePillarRequest(parent=await world.lib.persona(), pillar=pillar)


async def _update_pillar(world: World) -> Message:
    before = await world.pillar()
    changed = pillar_pb2.Pillar(name=before.name, etag=before.etag, description=str(uuid.uuid4()))
    return catalog.UpdatePillarRequest(pillar=changed)


async def _update_photo(world: World) -> Message:
    before = await world.photo()
    changed = photo_pb2.Photo(name=before.name, etag=before.etag, caption=str(uuid.uuid4()))
    return catalog.UpdatePhotoRequest(photo=changed)


async def _move_photo(world: World) -> Message:
    photo = await world.photo()
    other = await world.lib.pillar("/".join(photo.name.split("/")[:2]))
    return catalog.MovePhotoRequest(name=photo.name, pillar=other)


async def _unarchive_photo(world: World) -> Message:
    request = catalog.ArchivePhotoRequest(name=(await world.photo()).name)
    archived = (await world.lib.stub.ArchivePhoto(request)).photo
    return catalog.UnarchivePhotoRequest(name=archived.name, etag=archived.etag)


async def _two_photos(world: World) -> tuple[str, list[str]]:
    persona, pillar = await world.lib.place()
    return persona, [(await world.lib.shelve(pillar)).name for _ in range(2)]


async def _batch_move(world: World) -> Message:
    persona, names = await _two_photos(world)
    other = await world.lib.pillar(persona)
    return catalog.BatchMovePhotosRequest(parent=persona, names=names, pillar=other)


async def _batch_tag(world: World) -> Message:
    persona, names = await _two_photos(world)
    return catalog.BatchTagPhotosRequest(parent=persona, names=names, add_tags=["sea"])


async def _batch_archive(world: World) -> Message:
    persona, names = await _two_photos(world)
    return catalog.BatchArchivePhotosRequest(parent=persona, names=names)


async def _analyze_photos(world: World) -> Message:
    persona, names = await _two_photos(world)
    return catalog.AnalyzePhotosRequest(parent=persona, names=names, measures=["caption"])


async def _read_media(world: World) -> Message:
    persona, _ = await world.lib.place()
    photo = await world.lib.photo(persona)
    return catalog.ReadPhotoMediaRequest(name=photo.name)


async def _sign_urls(world: World) -> Message:
    persona, names = await _two_photos(world)
    return catalog.SignPhotoUrlsRequest(parent=persona, names=names)


async def _update_suggestion(world: World) -> Message:
    before = await world.suggestion()
    changed = suggestion_pb2.Suggestion(
        name=before.name, etag=before.etag, description=str(uuid.uuid4())
    )
    return planning.UpdateSuggestionRequest(suggestion=changed)


async def _create_batch(world: World) -> Message:
    return planning.CreateSuggestionBatchRequest(parent=await world.wanting())


async def _apply_template(world: World) -> Message:
    persona = await world.lib.persona()
    listed = await world.lib.planning.ListPillarTemplates(planning.ListPillarTemplatesRequest())
    return planning.ApplyPillarTemplateRequest(
        parent=persona, pillar_template=listed.pillar_templates[0].name
    )


async def _get_template(world: World) -> Message:
    listed = await world.lib.planning.ListPillarTemplates(planning.ListPillarTemplatesRequest())
    return planning.GetPillarTemplateRequest(name=listed.pillar_templates[0].name)


async def _create_import(world: World) -> Message:
    return _import((await world.lib.place())[0])


async def _import_items(world: World) -> Message:
    return imports.ListPhotoImportItemsRequest(parent=(await world.photo_import()).name)


async def _record_items(world: World) -> Message:
    return imports.RecordPhotoImportItemsRequest(
        parent=(await world.photo_import()).name, items=[_item()]
    )


def _item() -> photo_import_pb2.PhotoImportItem:
    skipped = photo_import_pb2.PhotoImportItem.OUTCOME_SKIPPED
    return photo_import_pb2.PhotoImportItem(source_path=f"{uuid.uuid4()}.jpg", outcome=skipped)


async def _accept_proposals(world: World) -> Message:
    photo = await world.photo(filing=Filing(FilingState.REVIEW, 0.9))
    persona = "/".join(photo.name.split("/")[:2])
    return imports.AcceptProposalsRequest(parent=persona, photos=[photo.name])


async def _create_run(world: World) -> Message:
    run = run_pb2.Run(display_name=str(uuid.uuid4()))
    return runs.CreateRunRequest(parent=await world.lib.persona(), run=run)


async def _update_run(world: World) -> Message:
    before = await world.run()
    changed = run_pb2.Run(name=before.name, etag=before.etag, prompt=str(uuid.uuid4()))
    return runs.UpdateRunRequest(run=changed)


async def _of_run(world: World) -> Message:
    return runs.ListCandidatesRequest(parent=(await world.contest())[0])


async def _next_pair(world: World) -> Message:
    return runs.GetNextPairRequest(name=(await world.contest())[0])


async def _leaderboard(world: World) -> Message:
    return runs.GetLeaderboardRequest(name=(await world.contest())[0])


async def _record_vote(world: World) -> Message:
    run, (one, other) = await world.contest()
    return runs.RecordVoteRequest(name=run, winner=one, loser=other)


async def _undo_vote(world: World) -> Message:
    run, pair = await world.contest()
    await Contests(world.lib).vote(*pair)
    return runs.UndoVoteRequest(name=run)


async def _place_winner(world: World) -> Message:
    persona, pillar = await world.lib.place()
    run = await world.decided(persona)
    return runs.PlaceWinnerRequest(name=run.name, pillar=pillar, etag=run.etag)


SAMPLES: dict[str, Sample] = {
    "CreatePersona": _create_persona,
    "GetPersona": _named(catalog.GetPersonaRequest, World.persona),
    "UpdatePersona": _update_persona,
    "ArchivePersona": _named(catalog.ArchivePersonaRequest, World.persona),
    "DeletePersona": _named(catalog.DeletePersonaRequest, World.persona, etag=True),
    "GetLibraryStats": _stats,
    "CreatePillar": _create_pillar,
    "GetPillar": _named(catalog.GetPillarRequest, World.pillar),
    "ListPillars": _of_persona(catalog.ListPillarsRequest),
    "UpdatePillar": _update_pillar,
    "DeletePillar": _named(catalog.DeletePillarRequest, World.pillar, etag=True),
    "GetPhoto": _named(catalog.GetPhotoRequest, World.photo),
    "ListPhotos": _of_persona(catalog.ListPhotosRequest),
    "UpdatePhoto": _update_photo,
    "MovePhoto": _move_photo,
    "DeletePhoto": _named(catalog.DeletePhotoRequest, World.photo, etag=True),
    "ArchivePhoto": _named(catalog.ArchivePhotoRequest, World.photo, etag=True),
    "UnarchivePhoto": _unarchive_photo,
    "BatchMovePhotos": _batch_move,
    "BatchTagPhotos": _batch_tag,
    "BatchArchivePhotos": _batch_archive,
    "AnalyzePhotos": _analyze_photos,
    "ListPhotoTags": _of_persona(catalog.ListPhotoTagsRequest),
    "ReadPhotoMedia": _read_media,
    "SignPhotoUrls": _sign_urls,
    "AnalyzeGaps": _of_persona(catalog.AnalyzeGapsRequest),
    "GetGapReport": _named(planning.GetGapReportRequest, World.report),
    "ListGapReports": _of_persona(planning.ListGapReportsRequest),
    "PreviewGaps": _of_persona(planning.PreviewGapsRequest),
    "CreateSuggestionBatch": _create_batch,
    "GetSuggestionBatch": _named(planning.GetSuggestionBatchRequest, World.batch),
    "ListSuggestionBatches": _of_persona(planning.ListSuggestionBatchesRequest),
    "GetSuggestion": _named(planning.GetSuggestionRequest, World.suggestion),
    "ListSuggestions": _of_persona(planning.ListSuggestionsRequest),
    "UpdateSuggestion": _update_suggestion,
    "AcceptSuggestion": _named(planning.AcceptSuggestionRequest, World.suggestion, etag=True),
    "RejectSuggestion": _named(planning.RejectSuggestionRequest, World.suggestion, etag=True),
    "DeleteSuggestion": _named(planning.DeleteSuggestionRequest, World.rejected, etag=True),
    "GetRun": _named(planning.GetRunRequest, World.run),
    "ListRuns": _of_persona(planning.ListRunsRequest),
    "CreateRun": _create_run,
    "UpdateRun": _update_run,
    "CancelRun": _named(runs.CancelRunRequest, World.run, etag=True),
    "GetCandidate": _named(runs.GetCandidateRequest, World.candidate),
    "ListCandidates": _of_run,
    "ReadCandidateMedia": _named(runs.ReadCandidateMediaRequest, World.candidate),
    "RejectCandidate": _named(runs.RejectCandidateRequest, World.candidate),
    "GetNextPair": _next_pair,
    "RecordVote": _record_vote,
    "UndoVote": _undo_vote,
    "GetLeaderboard": _leaderboard,
    "ChooseWinner": _named(runs.ChooseWinnerRequest, World.candidate),
    "UnchooseWinner": _named(runs.UnchooseWinnerRequest, World.decided, etag=True),
    "PlaceWinner": _place_winner,
    "ListWinnersWithoutPhoto": _of_persona(runs.ListWinnersWithoutPhotoRequest),
    "GetLineage": _named(runs.GetLineageRequest, World.run),
    "ImportCampaign": _campaign,
    "GetCampaign": _named(planning.GetCampaignRequest, World.campaign),
    "ListCampaigns": _of_persona(planning.ListCampaignsRequest),
    "GetPillarTemplate": _get_template,
    "ApplyPillarTemplate": _apply_template,
    "CreatePhotoImport": _create_import,
    "GetPhotoImport": _named(imports.GetPhotoImportRequest, World.photo_import),
    "ListPhotoImports": _of_persona(imports.ListPhotoImportsRequest),
    "ListPhotoImportItems": _import_items,
    "RecordPhotoImportItems": _record_items,
    "CompletePhotoImport": _named(imports.CompletePhotoImportRequest, World.photo_import),
    "ProposePillars": _of_persona(imports.ProposePillarsRequest),
    "AcceptProposals": _accept_proposals,
}


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list of one's own: the request that reads it, the field that tells one row from another,
    and a way to add a row, which answers what its field will hold."""

    request: Any
    make: Callable[[], Awaitable[str]]
    key: str = "name"


async def _personas(world: World) -> Shelf:
    word = f"w{uuid.uuid4().hex}"

    async def make() -> str:
        return await world.lib.persona(display_name=f"{word} {next(_numbers)}")

    return Shelf(catalog.ListPersonasRequest(filter=f'display_name = "{word}*"'), make)


async def _pillars(world: World) -> Shelf:
    persona = await world.lib.persona()
    return Shelf(catalog.ListPillarsRequest(parent=persona), lambda: world.lib.pillar(persona))


async def _photos(world: World) -> Shelf:
    persona, pillar = await world.lib.place()

    async def make() -> str:
        return (await world.lib.shelve(pillar)).name

    return Shelf(catalog.ListPhotosRequest(parent=persona), make)


async def _best_photos(world: World) -> Shelf:
    shelf = await _photos(world)
    shelf.request.order_by = "quality desc"
    return shelf


async def _tags(world: World) -> Shelf:
    persona, pillar = await world.lib.place()

    async def make() -> str:
        tag = uuid.uuid4().hex
        await world.lib.shelve(pillar, tags=(tag,))
        return tag

    return Shelf(catalog.ListPhotoTagsRequest(parent=persona), make, "tag")


def _shelf(kind: Any, make: Callable[[World, str], Awaitable[Any]]) -> Any:
    async def build(world: World) -> Shelf:
        persona = await world.lib.persona()
        await world.lib.pillar(persona, weight=50)

        async def one() -> str:
            return str((await make(world, persona)).name)

        return Shelf(kind(parent=persona), one)

    return build


async def _items(world: World) -> Shelf:
    parent = (await world.photo_import()).name

    async def make() -> str:
        item = _item()
        request = imports.RecordPhotoImportItemsRequest(parent=parent, items=[item])
        await world.lib.imports.RecordPhotoImportItems(request)
        return item.source_path

    return Shelf(imports.ListPhotoImportItemsRequest(parent=parent), make, "source_path")


async def _candidates(world: World) -> Shelf:
    run, _ = await world.contest()
    await world.lib.rows("DELETE FROM catalog.candidates WHERE run_id = :run", run=run[-36:])

    async def make() -> str:
        (name,) = await Contests(world.lib).shelve(run, 1)
        return name

    return Shelf(runs.ListCandidatesRequest(parent=run), make)


SHELVES: dict[str, Callable[[World], Awaitable[Shelf]]] = {
    "ListPersonas": _personas,
    "ListPillars": _pillars,
    "ListPhotos": _photos,
    "ListPhotos, the best first": _best_photos,
    "ListPhotoTags": _tags,
    "ListGapReports": _shelf(planning.ListGapReportsRequest, World.report),
    "ListSuggestionBatches": _shelf(planning.ListSuggestionBatchesRequest, World.batch),
    "ListSuggestions": _shelf(planning.ListSuggestionsRequest, World.suggestion),
    "ListRuns": _shelf(planning.ListRunsRequest, World.run),
    "ListWinnersWithoutPhoto": _shelf(runs.ListWinnersWithoutPhotoRequest, World.decided),
    "ListCandidates": _candidates,
    "ListCampaigns": _shelf(planning.ListCampaignsRequest, World.campaign),
    "ListPhotoImports": _shelf(imports.ListPhotoImportsRequest, World.photo_import),
    "ListPhotoImportItems": _items,
}


def empty_request(method: MethodDescriptor) -> Any:
    """A request of the method that says nothing."""
    return GetMessageClass(method.input_type)()


def stamp(year: int, month: int, day: int) -> Timestamp:
    """The moment at which a day begins."""
    timestamp = Timestamp()
    timestamp.FromDatetime(datetime(year, month, day, tzinfo=UTC))
    return timestamp
