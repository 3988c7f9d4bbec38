"""The gRPC face of the texts of callers."""

from collections.abc import Callable
from typing import Any

from colonnade.clustering.v1 import cluster_pb2
from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.item_service_pb2_grpc import ItemServiceServicer
from google.protobuf.empty_pb2 import Empty

from libs.clock import Clock
from libs.rpc.paging import PageTokens
from libs.rpc.requests import request_of
from services.clustering import item_messages as convert
from services.clustering.ports import Store
from services.clustering.usecases import items


class ItemServicer(ItemServiceServicer):
    """Parses, calls a use case, converts. ``wake`` is called when items wait for their vectors."""

    def __init__(
        self, store: Store, clock: Clock, tokens: PageTokens, wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._wake = wake

    async def CreateItem(
        self, request: api.CreateItemRequest, context: Any
    ) -> api.CreateItemResponse:
        text, outcome = await items.create_item(
            self._store,
            self._clock,
            request.parent,
            convert.draft_of(request.item, "item"),
            request_of(request, "CreateItem"),
        )
        self._wake()
        return api.CreateItemResponse(
            item=convert.item_message(text), outcome=convert.outcome_value(outcome)
        )

    async def BatchCreateItems(
        self, request: api.BatchCreateItemsRequest, context: Any
    ) -> api.BatchCreateItemsResponse:
        results = await items.create_items(
            self._store,
            self._clock,
            request.parent,
            convert.drafts_of(request.items),
            request_of(request, "BatchCreateItems"),
        )
        self._wake()
        return api.BatchCreateItemsResponse(
            results=[convert.result_message(result) for result in results]
        )

    async def GetItem(self, request: api.GetItemRequest, context: Any) -> cluster_pb2.Item:
        return convert.item_message(await items.get_item(self._store, request.name))

    async def ListItems(self, request: api.ListItemsRequest, context: Any) -> api.ListItemsResponse:
        listing = ("ListItems", request.parent, request.filter, request.order_by)
        page = self._tokens.request(request.page_size, request.page_token, *listing)
        conditions = convert.item_conditions(request.filter)
        order = convert.item_order(request.order_by)
        found = await items.list_items(self._store, request.parent, page, conditions, order)
        return api.ListItemsResponse(
            items=[convert.item_message(text) for text in found.rows],
            next_page_token=self._tokens.token(found.next_key, *listing),
        )

    async def CloseItem(self, request: api.CloseItemRequest, context: Any) -> api.CloseItemResponse:
        key = request_of(request, "CloseItem")
        text = await items.close_item(self._store, self._clock, request.name, key)
        return api.CloseItemResponse(item=convert.item_message(text))

    async def ReopenItem(
        self, request: api.ReopenItemRequest, context: Any
    ) -> api.ReopenItemResponse:
        key = request_of(request, "ReopenItem")
        text = await items.reopen_item(self._store, self._clock, request.name, key)
        self._wake()
        return api.ReopenItemResponse(item=convert.item_message(text))

    async def DeleteItem(self, request: api.DeleteItemRequest, context: Any) -> Empty:
        await items.delete_item(self._store, request.name, request_of(request, "DeleteItem"))
        return Empty()

    async def RetryItems(
        self, request: api.RetryItemsRequest, context: Any
    ) -> api.RetryItemsResponse:
        key = request_of(request, "RetryItems")
        count = await items.retry_items(self._store, request.parent, request.names, key)
        self._wake()
        return api.RetryItemsResponse(count=count)
