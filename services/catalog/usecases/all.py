"""Everything that a caller of the catalog can do, in one value."""

from dataclasses import dataclass

from services.catalog.usecases.analysis import AnalysisCases
from services.catalog.usecases.batches import BatchCases
from services.catalog.usecases.campaigns import CampaignCases
from services.catalog.usecases.candidates import CandidateCases
from services.catalog.usecases.filing import FilingCases
from services.catalog.usecases.gaps import GapCases
from services.catalog.usecases.imports import ImportCases
from services.catalog.usecases.lineage import LineageCases
from services.catalog.usecases.media import MediaCases
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.photos import PhotoCases
from services.catalog.usecases.pillars import PillarCases
from services.catalog.usecases.runs import RunCases
from services.catalog.usecases.signed_urls import SignedUrlCases
from services.catalog.usecases.suggestions import SuggestionCases
from services.catalog.usecases.templates import TemplateCases
from services.catalog.usecases.uploads import UploadCases
from services.catalog.usecases.voting import VotingCases
from services.catalog.usecases.winners import WinnerCases


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that a caller can do."""

    personas: PersonaCases
    pillars: PillarCases
    photos: PhotoCases
    batches: BatchCases
    analysis: AnalysisCases
    uploads: UploadCases
    filing: FilingCases
    imports: ImportCases
    media: MediaCases
    signed_urls: SignedUrlCases
    gaps: GapCases
    suggestions: SuggestionCases
    runs: RunCases
    candidates: CandidateCases
    voting: VotingCases
    winners: WinnerCases
    lineage: LineageCases
    templates: TemplateCases
    campaigns: CampaignCases
