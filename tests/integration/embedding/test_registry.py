"""Models that people bring: found in a folder or a bucket, and what is wrong with one told."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from libs.blobs.objects import ObjectBlobs, open_blobs
from libs.errors import FailedPrecondition, InvalidArgument, Unavailable
from services.embedding.card import ModelCard
from services.embedding.card_file import read_card
from services.embedding.minilm import find_minilm
from services.embedding.registry import NGRAMS, Listed, ModelRegistry
from services.embedding.repository import ModelRepository
from services.embedding.shelf import BucketShelf, FolderShelf, Shelf, put_on_shelf
from tests.integration.embedding.towers import (
    write_dual_model,
    write_image_model,
    write_text_model,
)
from tests.support.s3 import S3StandIn, s3_server
from tests.support.shared import SHARED, needs_shared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "brought"


def registry(tmp_path: Path, shelf: Shelf, card: Path | None = None) -> ModelRegistry:
    return ModelRegistry(ModelRepository(tmp_path / "made", None), shelf, card)


async def scanned(tmp_path: Path, folder: Path) -> dict[str, Listed]:
    return await registry(tmp_path, FolderShelf(folder)).scan()


async def test_the_built_in_models_are_there_without_any_other(
    tmp_path: Path, folder: Path
) -> None:
    models = registry(tmp_path, FolderShelf(folder))
    found = await models.scan()
    assert list(found) == ["descriptor-714", NGRAMS.id]
    assert (models.default, models.text_default) == ("descriptor-714", NGRAMS.id)
    assert found["descriptor-714"].notice


@needs_shared
async def test_the_shared_cards_are_found_as_they_are(tmp_path: Path) -> None:
    found = await scanned(tmp_path, SHARED / "models")
    assert {id for id, listed in found.items() if listed.error is None} >= {
        "handcrafted714",
        "mobilenet-edgetpu-1.0-224",
        "mobilenet-v2-1.0-224",
        "squeezenet-1.1-224",
    }


async def test_models_lie_in_the_folder_or_in_folders_of_their_own(
    tmp_path: Path, folder: Path
) -> None:
    write_image_model(folder, "flat")
    write_dual_model(folder / "clip", "clip")
    write_text_model(folder / "words", "words")
    found = await scanned(tmp_path, folder)
    assert set(found) == {"descriptor-714", NGRAMS.id, "flat", "clip", "words"}
    assert all(listed.error is None for listed in found.values())
    assert (found["clip"].image is None, found["clip"].text is None) == (False, False)
    assert (found["words"].image is None, found["words"].text is None) == (True, False)
    assert found["flat"].size_bytes == (folder / "flat.onnx").stat().st_size


async def test_what_is_wrong_with_one_model_is_told_and_keeps_no_other_away(
    tmp_path: Path, folder: Path
) -> None:
    write_image_model(folder, "good")
    write_image_model(folder, "changed")
    (folder / "changed.onnx").write_bytes(b"something else")
    write_image_model(folder, "lost")
    (folder / "lost.onnx").unlink()
    write_image_model(folder / "again", "good")
    (folder / "Broken Card.json").write_text("{")
    card = json.loads(write_image_model(folder, "wrong").read_text())
    (folder / "wrong.json").write_text(json.dumps({**card, "metric": "euclidean"}))
    found = await scanned(tmp_path, folder)
    reasons = {id: str(listed.error) for id, listed in found.items() if listed.error is not None}
    assert set(reasons) == {"changed", "lost", "good-2", "broken-card", "wrong"}
    assert "damaged or not the one of its card" in reasons["changed"]
    assert "lost.onnx cannot be read" in reasons["lost"]
    assert "has the id good, which another model has" in reasons["good-2"]
    assert "the model card is wrong" in reasons["broken-card"]
    assert "card.metric" in reasons["wrong"]
    assert found["good"].error is None


async def test_a_file_that_is_nested_too_deep_is_a_card_that_is_wrong(
    tmp_path: Path, folder: Path
) -> None:
    write_image_model(folder, "good")
    (folder / "deep.json").write_text("[" * 100_000)
    found = await scanned(tmp_path, folder)
    assert "recursion limit exceeded" in str(found["deep"].error)
    assert found["good"].error is None


async def test_a_shelf_that_cannot_be_read_keeps_no_other_model_away(tmp_path: Path) -> None:
    models = registry(tmp_path, FolderShelf(tmp_path / ("x" * 300)))
    assert list(await models.scan()) == ["descriptor-714", NGRAMS.id]
    assert not models.complete


def half_written(card: Path) -> None:
    card.write_text(card.read_text()[:-9])


def unreadable(card: Path) -> None:
    card.unlink()
    card.symlink_to(card)


@pytest.mark.parametrize("harm", [half_written, unreadable])
async def test_a_card_that_cannot_be_read_for_once_is_listed_as_before(
    tmp_path: Path, folder: Path, harm: Callable[[Path], None]
) -> None:
    default = write_image_model(tmp_path / "elsewhere", "mine")
    default = default.rename(default.with_name("card-of-the-settings.json"))
    brought = write_image_model(folder, "second")
    brought = brought.rename(brought.with_name("brought.json"))
    models = registry(tmp_path, FolderShelf(folder), default)
    before = await models.scan()
    for card in (default, brought):
        content = card.read_bytes()
        harm(card)
        found = await models.scan()
        (harmed,) = (listed for listed in found.values() if listed.error is not None)
        assert isinstance(harmed.error, InvalidArgument | FailedPrecondition)
        assert harmed.card == before[harmed.id].card
        assert (list(found), models.default) == (list(before), "mine")
        card.unlink()
        card.write_bytes(content)
    assert all(listed.error is None for listed in (await models.scan()).values())


async def test_the_built_in_model_that_cannot_be_read_for_once_is_listed_as_before(
    tmp_path: Path, folder: Path
) -> None:
    models = registry(tmp_path, FolderShelf(folder))
    before = await models.scan()
    made = (tmp_path / "made").rename(tmp_path / "away")
    (tmp_path / "made").write_text("not a folder")
    found = await models.scan()
    assert (list(found), models.default) == (list(before), "descriptor-714")
    assert "cannot be written" in str(found["descriptor-714"].error)
    assert found["descriptor-714"].card == before["descriptor-714"].card
    (tmp_path / "made").unlink()
    made.rename(tmp_path / "made")
    assert (await models.scan())["descriptor-714"].error is None


async def test_changes_on_disk_are_seen(tmp_path: Path, folder: Path) -> None:
    models = registry(tmp_path, FolderShelf(folder))
    assert "late" not in await models.scan()
    card = write_image_model(folder, "late")
    assert (await models.scan())["late"].error is None
    content = (folder / "late.onnx").read_bytes()
    (folder / "late.onnx").write_bytes(content[:-1])
    assert (await models.scan())["late"].error is not None
    (folder / "late.onnx").write_bytes(content)
    assert (await models.scan())["late"].error is None
    card.unlink()
    assert "late" not in await models.scan()


async def test_the_card_of_the_settings_is_the_default(tmp_path: Path, folder: Path) -> None:
    card = write_image_model(tmp_path / "elsewhere", "mine")
    models = registry(tmp_path, FolderShelf(folder), card)
    assert next(iter(await models.scan())) == models.default == "mine"
    (tmp_path / "elsewhere" / "mine.onnx").unlink()
    assert (await models.scan())[models.default].error is not None


async def test_an_installed_network_for_texts_becomes_the_default_one(
    tmp_path: Path, folder: Path
) -> None:
    package = find_minilm()
    if package is None:
        pytest.skip("the package of the network for texts is not installed")
    repository = ModelRepository(tmp_path / "made", None, package)
    models = ModelRegistry(repository, FolderShelf(folder))
    found = await models.scan()
    assert models.text_default == "all-minilm-l6-v2"
    assert found["all-minilm-l6-v2"].error is None


async def test_a_harmed_package_for_texts_leaves_the_rules(tmp_path: Path, folder: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "model.safetensors").write_bytes(b"harmed")
    models = ModelRegistry(ModelRepository(tmp_path / "made", None, package), FolderShelf(folder))
    found = await models.scan()
    assert "not the published ones" in str(found["built-in-text"].error)
    assert models.text_default == NGRAMS.id


async def test_the_network_for_texts_that_cannot_be_read_for_once_stays_the_default_one(
    tmp_path: Path, folder: Path
) -> None:
    class Away(ModelRepository):
        away = False

        def built_in_text(self) -> ModelCard:
            if self.away:
                raise FailedPrecondition("cannot be read", reason="MODEL_NOT_READY")
            return read_card(card_path)

    card_path = write_text_model(tmp_path / "made", "words")
    repository = Away(tmp_path / "made", None)
    models = ModelRegistry(repository, FolderShelf(folder))
    before = (await models.scan())["words"]
    repository.away = True
    harmed = (await models.scan())["words"]
    assert (harmed.card, models.text_default) == (before.card, "words")
    assert harmed.error is not None


def test_a_model_is_put_on_the_shelf_with_its_files_or_not_at_all(
    tmp_path: Path, folder: Path
) -> None:
    card_path = write_dual_model(tmp_path / "download", "clip")
    card = read_card(card_path)
    placed = put_on_shelf(card, card_path, folder)
    assert read_card(placed) == card
    assert {path.name for path in placed.parent.iterdir()} == {*card.files, "clip.json"}
    assert put_on_shelf(card, card_path, folder) == placed
    (tmp_path / "download" / "clip-text.onnx").write_bytes(b"damaged")
    with pytest.raises(FailedPrecondition, match="damaged"):
        put_on_shelf(card, card_path, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3StandIn]:
    with s3_server() as server:
        server.make_bucket("models")
        yield server


@pytest.fixture
async def bucket(s3: S3StandIn, tmp_path: Path) -> AsyncIterator[ObjectBlobs]:
    blobs = open_blobs(f"s3://models/{tmp_path.name}", s3.options)
    write_dual_model(tmp_path / "local", "clip")
    for path in (tmp_path / "local").iterdir():
        await blobs.put(f"clip/{path.name}", path.read_bytes())
    yield blobs


async def test_a_bucket_is_read_at_first_use_and_copies_are_checked(
    tmp_path: Path, bucket: ObjectBlobs
) -> None:
    copies = tmp_path / "copies"
    models = registry(tmp_path, BucketShelf(bucket, copies))
    listed = (await models.scan())["clip"]
    assert listed.error is None
    assert not (copies / "clip" / "clip.onnx").exists()
    await listed.prepare()
    assert (copies / "clip" / "clip.onnx").read_bytes() == (
        tmp_path / "local" / "clip.onnx"
    ).read_bytes()
    (copies / "clip" / "clip.onnx").write_bytes(b"damaged")
    await listed.prepare()
    assert (copies / "clip" / "clip.onnx").stat().st_size > 100
    assert sorted(path.name for path in (copies / "clip").iterdir()) == [
        "clip-text.onnx",
        "clip-tokenizer.json",
        "clip.json",
        "clip.onnx",
    ]


async def test_what_is_wrong_in_a_bucket_is_told(tmp_path: Path, bucket: ObjectBlobs) -> None:
    await bucket.put("clip/clip.onnx", b"something else")
    models = registry(tmp_path, BucketShelf(bucket, tmp_path / "copies"))
    listed = (await models.scan())["clip"]
    with pytest.raises(FailedPrecondition, match="damaged or not the one of its card"):
        await listed.prepare()
    await bucket.delete("clip/clip.onnx")
    assert "is not in the bucket" in str((await models.scan())["clip"].error)
    await bucket.delete("clip/clip.json")
    assert "clip" not in await models.scan()


async def test_copies_that_cannot_be_made_keep_no_other_model_away(
    tmp_path: Path, bucket: ObjectBlobs
) -> None:
    (tmp_path / "copies").write_text("not a folder")
    models = registry(tmp_path, BucketShelf(bucket, tmp_path / "copies"))
    assert list(await models.scan()) == ["descriptor-714", NGRAMS.id]
    assert not models.complete


async def test_while_a_bucket_does_not_answer_what_was_known_stays(
    tmp_path: Path, bucket: ObjectBlobs
) -> None:
    class Away(BucketShelf):
        away = False

        async def cards(self) -> list[Path]:
            if self.away:
                raise Unavailable("the bucket does not answer")
            return await super().cards()

    shelf = Away(bucket, tmp_path / "copies")
    models = registry(tmp_path, shelf)
    assert "clip" in await models.scan()
    assert models.complete
    shelf.away = True
    assert (await models.scan())["clip"].error is None
    assert not models.complete
