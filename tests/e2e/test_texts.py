"""Four thousand texts of many topics come in, are grouped and read back, by REST alone."""

from typing import Any

import httpx
import pytest

from libs.agreement import pairwise_f1, singles
from tests.support.texts import MixedText, mixed
from tests.support.wait import eventually

PROJECT = "projects/feedback"
LEAST_F1 = 0.9
BATCH = 500


@pytest.mark.timeout(1800)
async def test_texts_of_one_topic_come_together(web: httpx.AsyncClient) -> None:
    texts = mixed()
    names: dict[str, MixedText] = {}
    for start in range(0, len(texts), BATCH):
        names |= await _sent(web, texts[start : start + BATCH])
    assert len(names) == len(texts) >= 4000
    assert len({text.topic for text in texts}) >= 40

    async def all_are_embedded() -> bool:
        page = await _got(web, f"/v1/{PROJECT}/items", filter='state = "PENDING"', pageSize="1")
        return not page["items"]

    async def nothing_waits_for_a_vector() -> bool:
        scopes = (await _got(web, "/v1/clusterScopes", pageSize="200"))["clusterScopes"]
        [scope] = [scope for scope in scopes if scope["scope"] == PROJECT]
        return bool(scope["waitingCount"] == len(texts))

    await eventually(nothing_waits_for_a_vector, within=900)
    asked = {"params": {"minSize": 4}}
    made = await web.post(f"/v1/{PROJECT}/clusteringRuns", json=asked)
    assert made.status_code == 200, made.text
    run = made.json()["name"]

    async def is_over() -> Any:
        found = await _got(web, f"/v1/{run}")
        return found if found.get("endTime") else None

    ended = await eventually(is_over, within=900)
    assert ended["state"] == "JOB_STATE_SUCCEEDED", ended
    assert ended["stats"]["items"] == len(texts)
    await eventually(all_are_embedded, within=300)

    places = await _places(web)
    labels = singles([places.get(name, -1) for name in names])
    topics = {topic: n for n, topic in enumerate(sorted({text.topic for text in texts}))}
    assert pairwise_f1(labels, [topics[text.topic] for text in names.values()]) >= LEAST_F1


async def _sent(web: httpx.AsyncClient, texts: list[MixedText]) -> dict[str, MixedText]:
    """The names of items that were made of these texts."""
    items = [
        {
            "source": text.source,
            "externalId": text.external_id,
            "title": text.title,
            "body": text.body,
            "repository": text.repository,
            "sourceTime": text.source_time.isoformat().replace("+00:00", "Z"),
        }
        for text in texts
    ]
    answer = await web.post(f"/v1/{PROJECT}/items:batchCreate", json={"items": items})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    return {result["item"]: text for result, text in zip(results, texts, strict=True)}


async def _places(web: httpx.AsyncClient) -> dict[str, int]:
    """The number of the cluster that each item is in."""
    clusters = await _every(web, f"/v1/{PROJECT}/clusters", "clusters")
    found: dict[str, int] = {}
    for number, cluster in enumerate(clusters):
        for member in await _every(web, f"/v1/{cluster['name']}/members", "members"):
            found[member["item"]] = number
    return found


async def _every(web: httpx.AsyncClient, path: str, field: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = await _got(web, path, pageSize="200", pageToken=token)
        found += page[field]
        token = page["nextPageToken"]
        if not token:
            return found


async def _got(web: httpx.AsyncClient, path: str, **query: str) -> dict[str, Any]:
    answer = await web.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
