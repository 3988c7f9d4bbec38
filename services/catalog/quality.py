"""What can be measured on a picture by looking at its thumbnail. Blocks for a few milliseconds."""

import logging
from collections.abc import Collection

from PIL import Image

from libs.image_quality import MEASURES, Sample
from services.catalog.domain.measures import MEASURED, Measure

log = logging.getLogger(__name__)


def measures_of(
    thumbnail: Image.Image, width: int, height: int, wanted: Collection[str] = MEASURED
) -> tuple[Measure, ...]:
    """What can be said of a picture of this upright size; one that fails leaves the others be."""
    sample = Sample(thumbnail, width, height)
    return tuple(_measured(id, sample) for id in wanted)


def _measured(id: str, sample: Sample) -> Measure:
    try:
        return Measure(id, round(MEASURES[id](sample), 4))
    except Exception as error:
        log.exception("%s could not be measured", id)
        return Measure.failed(id, "MEASURE_FAILED", f"{type(error).__name__}: {error}")
