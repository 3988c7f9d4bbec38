"""The perceptual hash that comes with an embedding."""

from pathlib import Path

from PIL import Image, ImageOps

from libs.errors import InvalidArgument
from libs.image_hash import ALGORITHM, distance, hash_of
from services.embedding.convert import result_message
from services.embedding.model import open_embedder
from services.embedding.repository import ModelRepository
from tests.integration.embedding.towers import write_image_model
from tests.support.scenes import jpeg, scene


async def test_an_embedding_comes_with_the_hash_of_the_picture(tmp_path: Path) -> None:
    picture = scene(1, (800, 600))
    flat = Image.new("RGB", (300, 200), "red")
    sent = [jpeg(picture), jpeg(ImageOps.mirror(picture)), jpeg(flat), b"not a picture"]
    model = ModelRepository.in_data(tmp_path).at(write_image_model(tmp_path))
    async with open_embedder(model) as embedder:
        results = await embedder.embed_images([*sent, sent[0]])
    first, mirrored, plain, broken, again = [result_message(result) for result in results]
    assert first.perceptual_hash.algorithm == ALGORITHM
    # Whatever size the model wants, it is the hash of the picture.
    whole = hash_of(picture)
    assert whole is not None
    assert distance(whole, first.perceptual_hash.bits)[0] <= 4
    apart, orientation = distance(first.perceptual_hash.bits, mirrored.perceptual_hash.bits)
    assert (apart <= 4, orientation) == (True, 2)
    assert again.perceptual_hash == first.perceptual_hash
    assert (plain.perceptual_hash.algorithm, plain.perceptual_hash.bits) == (ALGORITHM, b"")
    assert isinstance(results[3], InvalidArgument)
    assert not broken.HasField("perceptual_hash")
