"""Everything that a caller of the catalog can do, in one value."""

from dataclasses import dataclass

from services.catalog.usecases.gaps import GapCases
from services.catalog.usecases.media import MediaCases
from services.catalog.usecases.personas import PersonaCases
from services.catalog.usecases.photos import PhotoCases
from services.catalog.usecases.pillars import PillarCases
from services.catalog.usecases.uploads import UploadCases


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything that a caller can do."""

    personas: PersonaCases
    pillars: PillarCases
    photos: PhotoCases
    uploads: UploadCases
    media: MediaCases
    gaps: GapCases
