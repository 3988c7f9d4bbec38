"""The gRPC face of searching."""

from typing import Any

from colonnade.clustering.v1 import search_service_pb2 as api
from colonnade.clustering.v1.search_service_pb2_grpc import SearchServiceServicer

from libs.rpc.paging import PageRequest, PageTokens
from libs.vectors.index import VectorIndex
from services.clustering.ports import Store, TextReader
from services.clustering.search_messages import answer_message, query_of, wishes_of
from services.clustering.usecases.searching import search_items

_DEFAULT_SIZE = 10
_LARGEST = 100


class SearchServicer(SearchServiceServicer):
    """Parses, calls a use case, converts."""

    def __init__(
        self, store: Store, index: VectorIndex, reader: TextReader, tokens: PageTokens
    ) -> None:
        self._store = store
        self._index = index
        self._reader = reader
        self._tokens = tokens

    async def SearchItems(
        self, request: api.SearchItemsRequest, context: Any
    ) -> api.SearchItemsResponse:
        query, wishes = query_of(request), wishes_of(request)
        listing = ("SearchItems", _digest(request))
        size = min(request.page_size or _DEFAULT_SIZE, _LARGEST)
        after = self._tokens.request(size, request.page_token, *listing).after
        found = await search_items(
            self._store,
            self._index,
            self._reader,
            request.parent,
            query,
            wishes,
            PageRequest(size, after),
        )
        token = self._tokens.token(found.next_key, *listing)
        return answer_message(found, token)


def _digest(request: api.SearchItemsRequest) -> str:
    """All of a search but its page, as a text."""
    content = api.SearchItemsRequest()
    content.CopyFrom(request)
    content.ClearField("page_token")
    content.ClearField("page_size")
    return content.SerializeToString(deterministic=True).hex()
