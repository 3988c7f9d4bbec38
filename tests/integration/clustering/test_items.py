"""Texts of callers over gRPC: taken in once, brought up to date, closed, opened, deleted."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from colonnade.clustering.v1 import clustering_service_pb2 as clustering
from colonnade.clustering.v1 import item_service_pb2 as api
from colonnade.clustering.v1.cluster_pb2 import Item
from colonnade.clustering.v1.clustering_service_pb2_grpc import (
    ClusteringServiceStub,
    add_ClusteringServiceServicer_to_server,
)
from colonnade.clustering.v1.item_service_pb2_grpc import (
    ItemServiceStub,
    add_ItemServiceServicer_to_server,
)

from libs.db.engine import Database
from libs.errors import AlreadyExists, InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.paging import PageRequest, PageTokens
from libs.rpc.requests import RequestKey
from libs.vectors.qdrant import QdrantIndex
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.item import Collection, Modality
from services.clustering.embedder import RpcEmbedder
from services.clustering.module import ITEMS, SERVICE
from services.clustering.repository.store import PostgresStore
from services.clustering.servicer import ClusteringServicer
from services.clustering.servicers.items import ItemServicer
from services.clustering.usecases.clusters import cluster_name, get_cluster
from services.clustering.usecases.curating import create_cluster
from services.clustering.usecases.leaving import leave_clusters
from services.clustering.usecases.members import add_members
from services.clustering.usecases.noting import note_strays
from services.clustering.usecases.searching import TextQuery, Wishes, search_items
from tests.support.clock import FakeClock
from tests.support.clustering.desk import Desk
from tests.support.clustering.fakes import MemoryQueue, ngrams
from tests.support.clustering.faults import Died, Fuse, Mortal
from tests.support.clustering.photos import TEXTS, Vector, axis, created
from tests.support.clustering.tables import change, rows, statements
from tests.support.rpc import serve

P = "projects/lumen"


@pytest.fixture
def woken() -> list[None]:
    """One entry for each time that the dispatcher was woken."""
    return []


@pytest.fixture
async def items(
    store: PostgresStore, clock: FakeClock, woken: list[None]
) -> AsyncIterator[ItemServiceStub]:
    servicer = ItemServicer(store, clock, PageTokens(b"secret"), lambda: woken.append(None))
    register = add_ItemServiceServicer_to_server
    async with serve(servicer, ITEMS, register, ItemServiceStub) as stub:
        yield stub


def issue(number: int, title: str = "", **more: Any) -> Item:
    title = title or f"Upload {number} stops"
    return Item(source="github", external_id=f"issue:{number}", title=title, **more)


async def create(
    items: ItemServiceStub, item: Item, parent: str = P, request_id: str = ""
) -> api.CreateItemResponse:
    return await items.CreateItem(
        api.CreateItemRequest(parent=parent, item=item, request_id=request_id)
    )


async def batch(
    items: ItemServiceStub, *wanted: Item, request_id: str = ""
) -> list[api.ItemResult]:
    request = api.BatchCreateItemsRequest(parent=P, items=wanted, request_id=request_id)
    return list((await items.BatchCreateItems(request)).results)


async def get(items: ItemServiceStub, name: str) -> Item:
    return await items.GetItem(api.GetItemRequest(name=name))


async def listed(items: ItemServiceStub, filter: str = "", **more: Any) -> list[str]:
    request = api.ListItemsRequest(parent=P, filter=filter, **more)
    return [item.title for item in (await items.ListItems(request)).items]


def outcomes(results: list[api.ItemResult]) -> list[str]:
    names = api.ItemOutcome.Name
    return [names(result.outcome).removeprefix("ITEM_OUTCOME_") for result in results]


async def waiting(database: Database) -> list[str]:
    """The items that wait for their vectors."""
    found = await rows(database, "SELECT item FROM item_vectors WHERE state = 'pending'")
    return [row.item for row in found]


async def put_into_cluster(desk: Desk, name: str) -> str:
    """Has a person put an item into a new cluster; the cluster's name."""
    wanted = Cluster("", P, "", "Uploads", desk.now(), desk.now())
    made = await create_cluster(desk.store, desk.clock, P, wanted, RequestKey("", "", ""))
    cluster = cluster_name(P, made.cluster.id)
    await add_members(desk.store, desk.clock, cluster, [name], RequestKey("", "", ""))
    return cluster


async def test_an_item_comes_back_as_it_was_sent(items: ItemServiceStub) -> None:
    sent = issue(
        1,
        body="### What happens",
        url="https://github.com/acme/lumen/issues/1",
        metadata={"labels": "bug"},
        repository="acme/lumen",
    )
    sent.source_time.FromJsonString("2026-03-04T09:15:00Z")
    made = await create(items, sent)
    assert made.outcome == api.ITEM_OUTCOME_CREATED
    item = await get(items, made.item.name)
    assert item == made.item
    assert item.state == Item.STATE_PENDING
    assert item.HasField("closed")
    assert not item.closed
    for field in ("name", "state", "closed", "create_time", "update_time"):
        item.ClearField(field)
    assert item == sent


async def test_the_same_again_is_a_duplicate_and_another_text_an_update(
    items: ItemServiceStub, clock: FakeClock
) -> None:
    first = (await create(items, issue(1, "T", body="B"))).item
    again = await create(items, issue(1, "T", body="B"))
    assert (again.outcome, again.item) == (api.ITEM_OUTCOME_DUPLICATE, first)
    clock.advance(60)
    other = await create(items, issue(1, "T", body="C"))
    assert other.outcome == api.ITEM_OUTCOME_UPDATED
    assert (other.item.name, other.item.body) == (first.name, "C")
    assert other.item.create_time == first.create_time
    assert other.item.update_time.seconds == first.update_time.seconds + 60
    assert await get(items, first.name) == other.item


async def test_external_ids_are_of_a_project_and_a_source(items: ItemServiceStub) -> None:
    item = issue(1)
    elsewhere = await create(items, item, "projects/other")
    here = await create(items, item)
    item.source = "sentry"
    other_source = await create(items, item)
    without = Item(source="manual", title="T")
    made = [
        elsewhere,
        here,
        other_source,
        await create(items, without),
        await create(items, without),
    ]
    assert {each.outcome for each in made} == {api.ITEM_OUTCOME_CREATED}
    assert len({each.item.name for each in made}) == 5


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (Item(source="github"), "item.title"),
        (Item(source="GitHub", title="T"), "item.source"),
        (Item(title="T"), "item.source"),
        (Item(source="github", title="T", url="ftp://x"), "item.url"),
    ],
)
async def test_what_is_wrong_is_named(items: ItemServiceStub, item: Item, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await create(items, item)
    assert [violation.field for violation in caught.value.violations] == [field]


async def test_a_long_body_is_cut_and_flagged(items: ItemServiceStub) -> None:
    made = (await create(items, issue(1, body="x" * 70_000))).item
    assert (len(made.body), made.truncated) == (65_536, True)
    assert (await create(items, issue(1, body="x" * 70_000))).outcome == api.ITEM_OUTCOME_DUPLICATE


async def test_each_item_of_a_batch_has_a_result_of_its_own(items: ItemServiceStub) -> None:
    await create(items, issue(1))
    results = await batch(
        items, issue(1), issue(2), Item(source="github"), issue(1, "new"), issue(2), issue(3)
    )
    assert outcomes(results) == [
        "DUPLICATE",
        "CREATED",
        "UNSPECIFIED",
        "UPDATED",
        "DUPLICATE",
        "CREATED",
    ]
    assert results[2].status.message.startswith("items[2].title")
    assert results[0].item == results[3].item
    assert results[1].item == results[4].item
    with pytest.raises(InvalidArgument):
        await batch(items, *(issue(number) for number in range(501)))
    with pytest.raises(InvalidArgument):
        await batch(items)


async def test_fifty_at_once_make_one(items: ItemServiceStub, database: Database) -> None:
    answers = await asyncio.gather(*(create(items, issue(1)) for _ in range(50)))
    assert outcomes([api.ItemResult(outcome=a.outcome) for a in answers]).count("CREATED") == 1
    assert len({answer.item.name for answer in answers}) == 1
    (count,) = await rows(
        database, "SELECT (SELECT count(*) FROM items) AS items, count(*) AS texts FROM texts"
    )
    assert (count.items, count.texts) == (1, 1)


async def test_batches_with_the_same_items_do_not_wait_for_each_other_for_ever(
    items: ItemServiceStub, database: Database
) -> None:
    numbers = list(range(60))
    turns = [numbers, numbers[::-1], numbers[30:] + numbers[:30], numbers[::2] + numbers[1::2]]
    answers = await asyncio.gather(
        *(batch(items, *(issue(number) for number in turn)) for turn in turns * 2)
    )
    assert sum(outcomes(answer).count("CREATED") for answer in answers) == 60
    assert len(await rows(database, "SELECT item FROM texts")) == 60


async def test_a_request_has_its_effect_once(items: ItemServiceStub) -> None:
    key = str(uuid4())
    first = await create(items, Item(source="manual", title="T"), request_id=key)
    assert await create(items, Item(source="manual", title="T"), request_id=key) == first
    with pytest.raises(AlreadyExists) as caught:
        await create(items, Item(source="manual", title="U"), request_id=key)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    key = str(uuid4())
    wanted = Item(source="manual", title="A"), Item(source="manual"), issue(1)
    results = await batch(items, *wanted, request_id=key)
    assert await batch(items, *wanted, request_id=key) == results
    assert len(await listed(items)) == 3


async def test_a_time_that_there_is_not_costs_one_item_only(items: ItemServiceStub) -> None:
    late, early, odd = issue(1), issue(2), issue(3)
    late.source_time.seconds = 253402300800
    early.source_time.seconds = -62135596801
    odd.source_time.nanos = -1
    results = await batch(items, issue(4), late, early, issue(5, source_time=None), odd)
    assert [bool(result.item) for result in results] == [True, False, False, True, False]
    assert results[1].status.message.startswith("items[1].source_time: ")
    assert len(await listed(items)) == 2
    with pytest.raises(InvalidArgument) as caught:
        await create(items, late)
    assert caught.value.violations[0].field == "item.source_time"


async def test_sent_again_after_it_was_deleted_a_request_brings_nothing_back(
    items: ItemServiceStub,
) -> None:
    key = str(uuid4())
    name = (await create(items, issue(1), request_id=key)).item.name
    results = await batch(items, issue(2), request_id=(other := str(uuid4())))
    for gone in (name, results[0].item):
        await items.DeleteItem(api.DeleteItemRequest(name=gone))
    with pytest.raises(NotFound):
        await create(items, issue(1), request_id=key)
    assert await batch(items, issue(2), request_id=other) == results
    assert await listed(items) == []


async def test_a_hundred_replayed_items_queue_nothing(
    items: ItemServiceStub, desk: Desk, database: Database
) -> None:
    hundred = [issue(number, body=f"body {number}") for number in range(100)]
    await batch(items, *hundred)
    await desk.embed(Modality.TEXTS)
    assert await waiting(database) == []
    assert set(outcomes(await batch(items, *hundred))) == {"DUPLICATE"}
    assert await waiting(database) == []


async def test_only_another_text_to_embed_waits_again(
    items: ItemServiceStub, desk: Desk, database: Database
) -> None:
    long = "x" * 1500
    name = (await create(items, issue(1, "T", body=long))).item.name
    await desk.embed(Modality.TEXTS)
    cluster = await put_into_cluster(desk, name)
    assert (await get(items, name)).state == Item.STATE_CLUSTERED
    more = (await create(items, issue(1, "T", body=long + "y"))).item
    assert (more.state, more.cluster) == (Item.STATE_CLUSTERED, cluster)
    assert await waiting(database) == []
    changed = await create(items, issue(1, "U", body=long))
    assert changed.outcome == api.ITEM_OUTCOME_UPDATED
    item = await get(items, name)
    assert item == changed.item
    assert (item.name, item.state, item.cluster) == (name, Item.STATE_PENDING, cluster)
    assert await waiting(database) == [name]


async def test_closed_at_its_source_means_out_of_queue_and_cluster(
    items: ItemServiceStub, desk: Desk, database: Database
) -> None:
    name = (await create(items, issue(1))).item.name
    await desk.embed(Modality.TEXTS)
    await put_into_cluster(desk, name)
    other = (await create(items, issue(2))).item.name
    for number in (1, 2, 3):
        closed = (await create(items, issue(number, closed=True))).item
        assert (closed.state, closed.closed, closed.cluster) == (Item.STATE_CLOSED, True, "")
    assert (await get(items, name)).state == Item.STATE_CLOSED
    assert (await get(items, other)).cluster == ""
    assert await waiting(database) == []
    # Sent again without a word about it, it stays closed.
    assert (await create(items, issue(1, "changed"))).item.closed
    assert await waiting(database) == []
    opened = (await create(items, issue(1, closed=False))).item
    assert opened.state == Item.STATE_PENDING
    assert await waiting(database) == [name]


async def test_closing_and_reopening(
    items: ItemServiceStub, desk: Desk, database: Database
) -> None:
    name = (await create(items, issue(1))).item.name
    await desk.embed(Modality.TEXTS)
    for _ in range(2):
        closed = (await items.CloseItem(api.CloseItemRequest(name=name))).item
        assert closed == await get(items, name)
        assert closed.state == Item.STATE_CLOSED
    for _ in range(2):
        opened = (await items.ReopenItem(api.ReopenItemRequest(name=name))).item
        assert opened == await get(items, name)
        assert opened.state == Item.STATE_PENDING
        assert await waiting(database) == [name]


async def test_a_deleted_item_is_gone_and_its_external_id_free(
    items: ItemServiceStub, database: Database
) -> None:
    name = (await create(items, issue(1))).item.name
    request = api.DeleteItemRequest(name=name, request_id=str(uuid4()))
    await items.DeleteItem(request)
    await items.DeleteItem(request)
    assert await waiting(database) == []
    for call in (
        items.GetItem(api.GetItemRequest(name=name)),
        items.CloseItem(api.CloseItemRequest(name=name)),
        items.ReopenItem(api.ReopenItemRequest(name=name)),
        items.DeleteItem(api.DeleteItemRequest(name=name)),
    ):
        with pytest.raises(NotFound):
            await call
    again = await create(items, issue(1))
    assert again.outcome == api.ITEM_OUTCOME_CREATED
    assert again.item.name != name


async def test_lists_show_everything_once_in_the_order_asked_for(
    items: ItemServiceStub, clock: FakeClock
) -> None:
    for number in range(7):
        clock.advance(1)
        item = issue(number, str(number))
        item.source_time.FromJsonString(f"2026-03-{20 - number:02}T00:00:00Z")
        await create(items, item)
    await create(items, issue(9), "projects/other")
    for order, wanted in (
        ("", "6543210"),
        ("create_time", "0123456"),
        ("source_time", "6543210"),
        ("source_time desc", "0123456"),
    ):
        found, token = "", ""
        while True:
            page = await items.ListItems(
                api.ListItemsRequest(parent=P, order_by=order, page_size=3, page_token=token)
            )
            found += "".join(item.title for item in page.items)
            token = page.next_page_token
            if not token:
                break
        assert found == wanted
    with pytest.raises(InvalidArgument):
        await listed(items, order_by="title")


async def test_filters(items: ItemServiceStub, desk: Desk, database: Database) -> None:
    first = (await create(items, issue(1, "one", repository="acme/lumen"))).item.name
    await create(items, issue(2, "two", repository="acme/basalt"))
    await desk.embed(Modality.TEXTS)
    cluster = await put_into_cluster(desk, first)
    await create(items, Item(source="manual", title="three"))
    await create(items, Item(source="manual", title="four", closed=True))
    for filter, wanted in (
        ("state = CLUSTERED", {"one"}),
        ("state = CLOSED", {"four"}),
        ("state = PENDING", {"two", "three"}),
        ("state != CLOSED AND source = manual", {"three"}),
        ('source = "github"', {"one", "two"}),
        ('external_id = "issue:2"', {"two"}),
        ('repository = "acme/lumen"', {"one"}),
        (f'cluster = "{cluster}"', {"one"}),
        (f'cluster != "{cluster}"', {"two", "three", "four"}),
    ):
        assert set(await listed(items, filter)) == wanted, filter
    await change(database, "UPDATE item_vectors SET grouped = true")
    assert await listed(items, "state = UNCLUSTERED") == ["two"]
    for wrong in ("state = OPEN", "title = x", 'cluster = "nobody"', f'cluster = "{P}/clusters/1"'):
        with pytest.raises(InvalidArgument):
            await listed(items, wrong)


async def test_quarantined_items_tell_why_and_are_retried(
    items: ItemServiceStub, desk: Desk, database: Database, woken: list[None]
) -> None:
    names = [(await create(items, issue(number))).item.name for number in range(3)]
    await desk.embed(Modality.TEXTS)
    await change(
        database,
        "UPDATE item_vectors SET state = 'quarantined', scene = '', error_reason = 'BAD_VECTOR',"
        " error_message = 'no finite vector'",
    )
    item = await get(items, names[0])
    assert item.state == Item.STATE_QUARANTINED
    assert item.error.message == "no finite vector"
    request = api.RetryItemsRequest(parent=P, names=names[:1], request_id=str(uuid4()))
    woken.clear()
    assert (await items.RetryItems(request)).count == 1
    assert (await items.RetryItems(request)).count == 1
    assert woken
    assert await waiting(database) == names[:1]
    assert (await items.RetryItems(api.RetryItemsRequest(parent="projects/other"))).count == 0
    assert (await items.RetryItems(api.RetryItemsRequest(parent=P))).count == 2
    assert (await get(items, names[0])).state == Item.STATE_PENDING
    await desk.embed(Modality.TEXTS)
    assert await waiting(database) == []


async def test_every_way_in_leaves_an_item_that_waits(
    items: ItemServiceStub, desk: Desk, store: PostgresStore, database: Database
) -> None:
    await create(items, issue(0))
    await desk.embed(Modality.TEXTS)
    await desk.arrive([axis(0)])
    assert await waiting(database) == []
    direct = f"{P}/items/{uuid7()}"

    async def by_sql() -> None:
        await change(
            database,
            "INSERT INTO items (name, point_id, scope, blob_key, words, words_time, pixels,"
            " create_time) VALUES (:name, :id, :scope, '', '{}', now(), 0, now())",
            name=direct,
            id=direct.rpartition("/")[2],
            scope=P,
        )
        await change(
            database,
            "INSERT INTO texts (item, scope, source, title) VALUES (:name, :scope, 'manual', 'T')",
            name=direct,
            scope=P,
        )
        assert (await get(items, direct)).state == Item.STATE_PENDING
        await note_strays(store)

    async def by_rpc() -> None:
        await create(items, issue(1))

    async def by_batch() -> None:
        await batch(items, issue(2), Item(source="manual", title="T"))

    async def by_reopening() -> None:
        name = (await create(items, issue(3, closed=True))).item.name
        await items.ReopenItem(api.ReopenItemRequest(name=name))

    async def by_event() -> None:
        await desk.note(created(desk.photo(axis(1))))

    for way, more in ((by_rpc, 1), (by_batch, 2), (by_reopening, 1), (by_sql, 1), (by_event, 1)):
        before = len(await waiting(database))
        await way()
        assert len(await waiting(database)) == before + more, way.__name__
    await desk.embed(Modality.TEXTS)
    await desk.embed()
    assert await waiting(database) == []
    assert (await get(items, direct)).state == Item.STATE_PENDING  # for a cluster


def _refuse(name: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError(f"{name} was called in a request")

    return refuse


async def test_no_request_asks_for_vectors_or_models(
    items: ItemServiceStub, desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = (await create(items, issue(1))).item.name
    await desk.embed(Modality.TEXTS)
    await put_into_cluster(desk, name)
    with monkeypatch.context() as patch:
        for kind in (QdrantIndex, RpcEmbedder):
            for method, _ in inspect.getmembers(kind, inspect.isfunction):
                if not method.startswith("_"):
                    patch.setattr(kind, method, _refuse(method))
        await create(items, issue(1, "changed"))
        await create(items, issue(1, closed=True))
        await batch(items, issue(1, closed=False), issue(2))
        await items.CloseItem(api.CloseItemRequest(name=name))
        await items.ReopenItem(api.ReopenItemRequest(name=name))
        await items.RetryItems(api.RetryItemsRequest(parent=P))
        await listed(items)
        await items.DeleteItem(api.DeleteItemRequest(name=name))
    assert desk.embedder.text_calls == [["Upload 1 stops"]]


class Reader:
    """Reads what is looked for with the words that texts are embedded by; ``asked`` counts it."""

    asked = 0

    async def embed_text(self, collection: Collection, text: str, scope: str) -> Vector | None:
        self.asked += 1
        return ngrams(text) if collection == TEXTS else None


async def test_texts_are_found_by_words_at_once_and_by_meaning_once_embedded(
    items: ItemServiceStub, desk: Desk
) -> None:
    reader = Reader()

    async def found(words: str) -> list[str]:
        wishes = Wishes()
        page = PageRequest(2)
        answer = await search_items(
            desk.store, desk.index, reader, P, TextQuery(words), wishes, page
        )
        assert answer.by_words == (reader.asked == 0)
        return [hit.item.name for hit in answer.hits]

    vat = (await create(items, issue(1, "Billing", body="The invoice lacks a VAT number"))).item
    dark = (await create(items, issue(2, "Dark theme", body="Grey labels are unreadable"))).item
    assert await found("invoices") == [vat.name]
    vat = (await create(items, issue(1, "Billing", body="The receipt lacks a number"))).item
    assert await found("invoices") == []
    assert await found("receipt labels") == sorted([vat.name, dark.name])
    await desk.embed(Modality.TEXTS)
    assert await found("a number is missing on the receipt") == [vat.name, dark.name]
    await items.CloseItem(api.CloseItemRequest(name=vat.name))
    assert await found("a number is missing on the receipt") == [dark.name]


async def test_what_is_closed_leaves_its_cluster_and_the_index(
    items: ItemServiceStub, desk: Desk, clock: FakeClock, database: Database
) -> None:
    names = [(await create(items, issue(number))).item.name for number in range(4)]
    await desk.embed(Modality.TEXTS)
    cluster = await put_into_cluster(desk, names[0])
    for name in names[1:]:
        await add_members(desk.store, clock, cluster, [name], RequestKey("", "", ""))
    # As if a run had grouped them.
    await change(database, "UPDATE item_vectors SET grouped = true")
    await change(database, "UPDATE scopes SET collection = :name", name=TEXTS.name)
    await items.CloseItem(api.CloseItemRequest(name=names[0]))
    await items.DeleteItem(api.DeleteItemRequest(name=names[1]))
    await items.CloseItem(api.CloseItemRequest(name=names[2]))
    await items.ReopenItem(api.ReopenItemRequest(name=names[2]))

    assert await leave_clusters(desk.store, desk.index, clock) == 3
    assert await leave_clusters(desk.store, desk.index, clock) == 0

    assert (await get_cluster(desk.store, cluster)).member_count == 1
    points = [name.rpartition("/")[2] for name in names]
    there = await desk.index.retrieve(TEXTS.name, points)
    assert [point.id for point in there] == points[2:]
    async with desk.store.read() as tx:
        departures = await tx.departures.waiting(P)
    assert [departure.item for departure in departures] == sorted(names[:3])
    assert all(departure.vector is not None for departure in departures)
    assert await waiting(database) == [names[2]]
    await desk.embed(Modality.TEXTS)
    await desk.embed(Modality.TEXTS)
    assert (await get(items, names[2])).state == Item.STATE_PENDING
    assert (await get(items, names[3])).state == Item.STATE_CLUSTERED


async def test_what_was_opened_and_grouped_again_stays(
    items: ItemServiceStub, desk: Desk, clock: FakeClock, database: Database
) -> None:
    names = [(await create(items, issue(number))).item.name for number in range(2)]
    await desk.embed(Modality.TEXTS)
    cluster = await put_into_cluster(desk, names[0])
    await add_members(desk.store, clock, cluster, names[1:], RequestKey("", "", ""))
    await change(database, "UPDATE item_vectors SET grouped = true")
    await change(database, "UPDATE scopes SET collection = :name", name=TEXTS.name)
    for name in names:
        await items.CloseItem(api.CloseItemRequest(name=name))
        await items.ReopenItem(api.ReopenItemRequest(name=name))
    await desk.embed(Modality.TEXTS)
    async with desk.store.read() as tx:
        assert [left.item for left in await tx.departures.waiting(P)] == sorted(names)
    # As if a run had grouped the first.
    await change(
        database, "UPDATE item_vectors SET grouped = true WHERE item = :name", name=names[0]
    )
    await change(database, "DELETE FROM departures WHERE item = :name", name=names[0])

    assert await leave_clusters(desk.store, desk.index, clock) == 2

    assert (await get(items, names[0])).state == Item.STATE_CLUSTERED
    (place,) = await rows(database, "SELECT item FROM members WHERE until IS NULL")
    assert place.item == names[0], "the other one waits for a run that finds it a place"
    async with desk.store.read() as tx:
        assert [left.item for left in await tx.departures.waiting(P)] == names[1:]
    assert await waiting(database) == []


async def test_leaving_goes_on_where_it_was_broken_off(
    items: ItemServiceStub, desk: Desk, clock: FakeClock, database: Database
) -> None:
    names = [(await create(items, issue(number))).item.name for number in range(2)]
    await desk.embed(Modality.TEXTS)
    cluster = await put_into_cluster(desk, names[0])
    await change(database, "UPDATE item_vectors SET grouped = true")
    await change(database, "UPDATE scopes SET collection = :name", name=TEXTS.name)
    await items.CloseItem(api.CloseItemRequest(name=names[0]))
    steps = 0
    while True:
        fuse = Fuse(steps)
        try:
            await leave_clusters(Mortal(desk.store, fuse), Mortal(desk.index, fuse), clock)
            break
        except Died:
            steps += 1
    assert steps > 5
    assert (await get_cluster(desk.store, cluster)).member_count == 0
    async with desk.store.read() as tx:
        (departure,) = await tx.departures.waiting(P)
        assert await tx.leavers.waiting(9) == {}
    assert departure.vector is not None
    assert await desk.index.retrieve(TEXTS.name, [names[0].rpartition("/")[2]]) == []


async def test_members_of_a_cluster_come_with_what_is_written_in_them(
    items: ItemServiceStub, desk: Desk, clock: FakeClock, database: Database
) -> None:
    names = []
    for number in range(6):
        item = issue(number, f"Title {number}", body="é" * 300)
        item.source = "sentry" if number == 5 else "github"
        names.append((await create(items, item)).item.name)
    cluster = await put_into_cluster(desk, names[0])
    await add_members(desk.store, clock, cluster, names[1:], RequestKey("", "", ""))
    servicer = ClusteringServicer(
        desk.store,
        desk.index,
        MemoryQueue(),
        clock,
        PageTokens(b"secret"),
        is_stopping=lambda: False,
    )
    register = add_ClusteringServiceServicer_to_server
    async with serve(servicer, SERVICE, register, ClusteringServiceStub) as stub:

        async def page(size: int, token: str = "") -> clustering.ListClusterMembersResponse:
            request = clustering.ListClusterMembersRequest(
                parent=cluster, page_size=size, page_token=token
            )
            return await stub.ListClusterMembers(request)

        with statements() as sent:
            first = await page(4)
        assert len([each for each in sent if each.lstrip().startswith("SELECT")]) == 2
        second = await page(4, first.next_page_token)
        await items.CloseItem(api.CloseItemRequest(name=names[1]))
        closed = await page(4)
    assert dict(first.source_counts) == {"github": 5, "sentry": 1}
    assert dict(second.source_counts) == {}
    members = [*first.members, *second.members]
    assert [member.item for member in members] == sorted(names)
    assert [member.title for member in members] == [f"Title {number}" for number in range(6)]
    assert {member.excerpt for member in members} == {"é" * 200}
    assert [member.source for member in members] == ["github"] * 5 + ["sentry"]
    assert first.skipped_count == 0
    assert (closed.skipped_count, len(closed.members)) == (1, 3)
    assert dict(closed.source_counts) == {"github": 4, "sentry": 1}


async def test_a_request_takes_few_statements_however_many_items(
    items: ItemServiceStub, desk: Desk
) -> None:
    with statements() as sent:
        results = await batch(items, *(issue(number) for number in range(100)))
    assert len(sent) <= 2
    await desk.embed(Modality.TEXTS)
    name = results[0].item
    for most, call in (
        (1, lambda: get(items, name)),
        (1, lambda: listed(items)),
        (2, lambda: batch(items, *(issue(number) for number in range(100)))),
        (5, lambda: batch(items, *(issue(number, "new") for number in range(100)))),
        (4, lambda: items.CloseItem(api.CloseItemRequest(name=name))),
        (4, lambda: items.ReopenItem(api.ReopenItemRequest(name=name))),
        (4, lambda: items.DeleteItem(api.DeleteItemRequest(name=name))),
        (1, lambda: items.RetryItems(api.RetryItemsRequest(parent=P))),
    ):
        with statements() as sent:
            await call()
        assert len(sent) <= most, sent


async def test_a_zero_character_costs_its_own_item_only(items: ItemServiceStub) -> None:
    spoiled = [
        issue(2, body="a\0b"),
        Item(source="notes", title="c", metadata={"a": "b\0"}),
        Item(source="notes", title="d", url="https://x\0"),
    ]
    good, *bad = await batch(items, issue(1), *spoiled)
    assert outcomes([good]) == ["CREATED"]
    assert [result.status.code for result in bad] == [3, 3, 3]
    assert "items[1].body" in bad[0].status.message
    assert "items[2].metadata" in bad[1].status.message
    assert "items[3].url" in bad[2].status.message
    assert await listed(items) == ["Upload 1 stops"]
