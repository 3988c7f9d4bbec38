"""``make soak``: memory of the embedding service stays flat over thousands of mixed images.

``make soak ARGS=publishing`` kills what publishes instead; see ``tests.soak.publishing``.
"""

import argparse
import asyncio
import io
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from colonnade.embedding.v1 import embedding_service_pb2 as api
from colonnade.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from PIL import Image

from tests.bench.embeddings import open_channel
from tests.bench.processes import resident_bytes, service
from tests.soak import publishing
from tests.support.pictures import meadow, waves

SIDES = (64, 200, 512, 800, 1600, 3000, 4500)
FORMATS = ("JPEG", "PNG", "WEBP")
GROWTH = 1.10
# Full long before the warm-up is over, so that it does not look like a leak.
CACHE_BYTES = 2 * 1024 * 1024
SAMPLES = 20


def main() -> None:
    """Runs ``publishing`` if it is the first argument, else the one of the memory."""
    first, others = sys.argv[1:2], sys.argv[2:]
    sys.exit(publishing.main(others) if first == ["publishing"] else _memory(sys.argv[1:]))


def _memory(arguments: Sequence[str]) -> int:
    """1 if memory has grown by more than a tenth since the warm-up."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--warm-up", type=int, default=2_000, help="of these images")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="colonnade-soak-") as folder:
        sizes = _measure(Path(folder), asked.images, asked.warm_up)
    warm, last = median(sizes[: len(sizes) // 4]), median(sizes[-(len(sizes) // 4) :])
    growth = max(last, median(sizes)) / warm
    print(
        f"{asked.images:,} images; after the first {asked.warm_up:,}: {warm / 2**20:.0f} MiB, "
        f"at the end {last / 2**20:.0f} MiB, at most {max(sizes) / 2**20:.0f} MiB: "
        f"{growth:.2f} times (at most {GROWTH})"
    )
    return 0 if growth <= GROWTH else 1


def _measure(data: Path, images: int, warm_up: int) -> list[int]:
    """Bytes of memory after each of some equal parts of what follows the warm-up."""
    environment = {
        "COLONNADE_EMBEDDING__CACHE_BYTES": str(CACHE_BYTES),
        "COLONNADE_BLOBS__URL": f"file://{data / 'blobs'}",
    }
    with service("embedding", data / "embedding", environment) as running:
        pictures = _pictures(_drawn())
        sizes = []
        part = (images - warm_up) // SAMPLES
        for count in (warm_up, *[part] * SAMPLES):
            asyncio.run(_send(running.grpc, [next(pictures) for _ in range(count)]))
            sizes.append(resident_bytes(running.child.pid or 0))
            print(f"… {sizes[-1] / 2**20:.0f} MiB", file=sys.stderr, flush=True)
        return sizes[1:]


async def _send(address: str, images: Sequence[bytes]) -> None:
    async with open_channel(address) as channel:
        requests = (
            api.StreamEmbeddingsRequest(id=str(number), image=api.ImageSource(content=image))
            for number, image in enumerate(images)
        )
        async for answer in EmbeddingServiceStub(channel).StreamEmbeddings(requests):
            broken = answer.result.error.message
            assert answer.result.HasField("embedding") or "damaged" in broken, broken


def _drawn() -> list[bytes]:
    """One picture of each side and format, and one that is damaged."""
    files = []
    for side in SIDES:
        for format, draw in zip(FORMATS, (waves, meadow, waves), strict=True):
            if side > 2000 and format != "JPEG":
                continue
            buffer = io.BytesIO()
            image = draw(min(side, 800), min(side, 800) * 3 // 4)
            image.resize((side, side * 3 // 4), Image.Resampling.BICUBIC).save(buffer, format)
            files.append(buffer.getvalue())
    return [*files, files[0][: len(files[0]) // 2]]


def _pictures(files: Sequence[bytes]) -> Iterator[bytes]:
    """Files without end, no two with the same bytes; large ones are as rare as in a library."""
    chance = random.Random(1)
    weights = [1.0 / (1.0 + len(file) / 2**17) for file in files]
    number = 0
    while True:
        number += 1
        (file,) = chance.choices(files, weights)
        yield file + number.to_bytes(8, "big")


if __name__ == "__main__":
    main()
