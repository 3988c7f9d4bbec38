"""What people do with a suite, as steps that tests are made of."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.catalog.v1.persona_pb2 import Persona
from colonnade.catalog.v1.photo_pb2 import Photo, PhotoEmbedding
from colonnade.catalog.v1.pillar_pb2 import Pillar
from colonnade.scheduler.v1 import scheduler_service_pb2 as scheduler
from colonnade.scheduler.v1.channel_pb2 import Channel
from colonnade.scheduler.v1.post_pb2 import Post

from cli.connection import Suite as Api
from cli.importer import Destination, Report, import_files
from cli.output import timestamp
from cli.photos import some_photos
from cli.walk import Found, walk
from tests.support.buffer import INSTAGRAM_ID
from tests.support.harness import ROOT, Suite
from tests.support.wait import eventually

STATE = PhotoEmbedding.State


async def new_persona(api: Api, name: str, *, weight: int = 60) -> str:
    """A persona with one pillar ``everyday``; its name."""
    persona = Persona(display_name=name, time_zone="Europe/Berlin")
    made = await api.catalog.CreatePersona(catalog.CreatePersonaRequest(persona=persona))
    await new_pillar(api, made.name, "Everyday", weight)
    return made.name


async def new_pillar(api: Api, persona: str, name: str, weight: int) -> Pillar:
    """A pillar whose id is made of its name."""
    pillar = Pillar(display_name=name, weight=weight)
    return await api.catalog.CreatePillar(
        catalog.CreatePillarRequest(parent=persona, pillar=pillar)
    )


async def import_folder(api: Api, persona: str, folder: Path) -> Report:
    """Imports a whole folder as the command line does."""
    return await import_files(api, walk(folder), Destination(persona))


async def import_some(api: Api, persona: str, folder: Path, paths: Iterable[str]) -> Report:
    """Imports some files of a folder under the pillar ``everyday``."""
    files = [Found(folder / path, path) for path in paths]
    return await import_files(api, files, Destination(persona, f"{persona}/pillars/everyday"))


async def photos_of(api: Api, persona: str, filter: str = "") -> list[Photo]:
    """All photos of a persona, newest first."""
    return await some_photos(api, persona, filter, 10_000)


async def embedded(api: Api, persona: str, *, within: float = 900.0) -> list[Photo]:
    """The photos of a persona once the embedding of each is over."""

    async def over() -> list[Photo]:
        photos = await photos_of(api, persona)
        states = Counter(photo.embedding.state for photo in photos)
        return photos if not states[STATE.STATE_PENDING] else []

    photos = await eventually(over, within=within, every=0.1)
    assert {photo.embedding.state for photo in photos} == {STATE.STATE_READY}
    return photos


async def new_channel(api: Api, persona: str, url: str, token: str) -> Channel:
    """A channel at the stand-in of Buffer."""
    channel = Channel(
        display_name="Studio",
        provider=Channel.PROVIDER_BUFFER,
        endpoint=url,
        provider_channel_id=INSTAGRAM_ID,
        access_token=token,
    )
    return await api.scheduler.CreateChannel(
        scheduler.CreateChannelRequest(parent=persona, channel=channel)
    )


def is_postable(width: int, height: int) -> bool:
    """Whether Instagram takes a picture of this shape: neither too tall nor too wide."""
    return 0.8 <= width / height <= 1.91


async def schedule(api: Api, photo: str, after: timedelta, caption: str = "Good morning") -> Post:
    """A post of ``photo`` that is due ``after`` from now."""
    due = datetime.now(UTC) + after
    post = Post(photo=photo, caption=caption, scheduled_time=timestamp(due))
    parent = "/".join(photo.split("/")[:2])
    return await api.scheduler.CreatePost(scheduler.CreatePostRequest(parent=parent, post=post))


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


async def colonnade(suite: Suite, *arguments: str, **environment: str) -> Ran:
    """Runs the command line against a suite."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main"),
        *arguments,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **suite.client_environment(), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
