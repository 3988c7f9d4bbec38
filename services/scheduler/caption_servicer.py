"""Texts for posts on the wire."""

from typing import Any, Final

import grpc
from colonnade.scheduler.v1 import caption_service_pb2 as pb
from colonnade.scheduler.v1.caption_service_pb2_grpc import CaptionServiceServicer

from services.scheduler.domain.caption import Source, Written
from services.scheduler.domain.hashtags import Hashtag, Origin, Size
from services.scheduler.usecases.write_texts import MOST, WriteTexts

Context = grpc.aio.ServicerContext[Any, Any]

_SOURCES: Final = {
    Source.MODEL: pb.CaptionSuggestion.SOURCE_MODEL,
    Source.TEMPLATE: pb.CaptionSuggestion.SOURCE_TEMPLATE,
}
_ORIGINS: Final = {
    Origin.BRAND: pb.HashtagSuggestion.ORIGIN_BRAND,
    Origin.TARGET: pb.HashtagSuggestion.ORIGIN_TARGET,
    Origin.PHOTO: pb.HashtagSuggestion.ORIGIN_PHOTO,
    Origin.PILLAR: pb.HashtagSuggestion.ORIGIN_PILLAR,
    Origin.NICHE: pb.HashtagSuggestion.ORIGIN_NICHE,
}
_SIZES: Final = {
    Size.LARGE: pb.HashtagSuggestion.SIZE_LARGE,
    Size.MEDIUM: pb.HashtagSuggestion.SIZE_MEDIUM,
    Size.NICHE: pb.HashtagSuggestion.SIZE_NICHE,
}


class CaptionServicer(CaptionServiceServicer):
    """Serves ``colonnade.scheduler.v1.CaptionService``; see the contract."""

    def __init__(self, texts: WriteTexts) -> None:
        self._texts = texts

    async def SuggestCaptions(
        self, request: pb.SuggestCaptionsRequest, context: Context
    ) -> pb.SuggestCaptionsResponse:
        """See the contract."""
        found = await self._texts.captions(request.photo, request.count or MOST, request.hint)
        return pb.SuggestCaptionsResponse(captions=map(_caption, found.written), note=found.note)

    async def SuggestHashtags(
        self, request: pb.SuggestHashtagsRequest, context: Context
    ) -> pb.SuggestHashtagsResponse:
        """See the contract."""
        found = await self._texts.hashtags(request.photo, request.count)
        return pb.SuggestHashtagsResponse(hashtags=map(_hashtag, found))


def _caption(written: Written) -> pb.CaptionSuggestion:
    return pb.CaptionSuggestion(
        caption=written.text,
        score=written.score,
        source=_SOURCES[written.source],
        model=written.model,
    )


def _hashtag(hashtag: Hashtag) -> pb.HashtagSuggestion:
    return pb.HashtagSuggestion(
        hashtag=f"#{hashtag.tag}", origin=_ORIGINS[hashtag.origin], size=_SIZES[hashtag.size]
    )
