"""``colonnade photos import``: from folders, archives and buckets into the library."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from colonnade.catalog.v1.photo_import_pb2 import PhotoImport, PhotoImportItem
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.account import Account, import_items
from cli.connection import Suite
from cli.importer import Destination, Feed, Line, Report, Result, send_files
from cli.names import below, persona_name, split_list
from cli.output import JsonOption, as_dict, err, line, out, print_json
from cli.run import FAILED, INTERRUPTED, with_suite
from cli.sources import Candidate, Source, source_of
from libs.errors import ColonnadeError

_SHOWN_PROBLEMS = 50
_SHOWN_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import ended, or how far it came; ``failures`` are the first few."""

    account: PhotoImport
    failures: list[PhotoImportItem]
    interrupted: bool

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON data."""
        counts = as_dict(self.account.counts)
        return {
            "photo_import": self.account.name,
            "source": self.account.source,
            "dry_run": self.account.dry_run,
            "interrupted": self.interrupted,
            **counts,
            "failures": [as_dict(item) for item in self.failures],
        }


def import_photos(
    sources: Annotated[
        list[str],
        typer.Argument(help="Folders, archives (.zip, .tar, .tar.gz), s3://bucket/prefix."),
    ],
    persona: Annotated[str, typer.Option(help="The persona.")],
    pillar: Annotated[
        str, typer.Option(help="The pillar to file them under; by what they show if none.")
    ] = "",
    tag: Annotated[list[str] | None, typer.Option(help="Tags to give them.")] = None,
    recursive: Annotated[bool, typer.Option(help="Folders below it too.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, store no photo.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Imports folders, archives and buckets.

    Run it again at any time: an import that was interrupted goes on, and what
    is there already is not stored twice. Ctrl-C finishes the files that are on
    their way.
    """
    parent = persona_name(persona)
    to = Destination(
        parent,
        below(parent, "pillars", pillar) if pillar else "",
        tuple(split_list(tag or [])),
        dry_run,
    )

    async def work(suite: Suite) -> list[Imported]:
        ended: list[Imported] = []
        for source in [source_of(text, recursive=recursive) for text in sources]:
            ended.append(await import_source(suite, source, to, quiet=json))
            if ended[-1].interrupted:
                break
        return ended

    ended = with_suite(work)
    if json:
        print_json(ended[0].as_dict() if len(sources) == 1 else {"imports": _dicts(ended)})
    else:
        for imported in ended:
            show_imported(imported)
    if any(imported.interrupted for imported in ended):
        raise typer.Exit(INTERRUPTED)
    if any(imported.account.counts.failed for imported in ended):
        raise typer.Exit(FAILED)


async def import_source(
    suite: Suite, source: Source, to: Destination, *, quiet: bool = False
) -> Imported:
    """Imports one source and keeps account of it with the catalog.

    Holds neither the list of files nor what became of them.
    """
    account = await Account.open(suite, source.name, to)
    feed = Feed(source.files(), ahead=source.ahead, in_turn=source.in_turn, passes=account.is_done)
    to = Destination(to.persona, to.pillar, to.tags, to.dry_run, account.name)
    with import_progress(None, done=account.done, quiet=quiet) as advance, stopping(feed):
        counting = asyncio.create_task(asyncio.to_thread(source.count))
        counting.add_done_callback(advance.counted)

        async def done(found: Candidate, what: Line) -> None:
            await account.note(found, what)
            advance(what)

        try:
            await send_files(suite, feed, to, done)
        except ColonnadeError:
            with suppress(ColonnadeError):
                await account.flush()
            raise
        await asyncio.wait([counting])
    end = await account.close(complete=not feed.stopped)
    failures = import_items(suite, end.name, 'outcome = "FAILED"', _SHOWN_FAILURES)
    return Imported(end, [item async for item in failures], feed.stopped)


@contextmanager
def stopping(feed: Feed) -> Iterator[None]:
    """The first Ctrl-C in the block stops ``feed``; the second interrupts as ever."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)

    def restore() -> None:
        if loop.remove_signal_handler(signal.SIGINT):
            signal.signal(signal.SIGINT, before)

    def stop() -> None:
        feed.stop()
        restore()
        err.print("finishing the files that are on their way; Ctrl-C again drops them")

    with suppress(NotImplementedError, RuntimeError):  # Windows, or not in the main thread
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        restore()


class import_progress:
    """A progress bar over the files of an import; calling what it yields advances it."""

    def __init__(self, total: int | None, *, done: int = 0, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=quiet,
        )
        self._task = self._progress.add_task("importing", total=total, completed=done)

    def __enter__(self) -> "import_progress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, _line: Line) -> None:
        self._progress.advance(self._task)

    def counted(self, counting: "asyncio.Future[int | None]") -> None:
        """Takes the total from a count that has ended; one that failed leaves it unknown."""
        if not counting.cancelled() and counting.exception() is None:
            self._progress.update(self._task, total=counting.result())


def show_imported(imported: Imported) -> None:
    """The counts, and the first files that failed."""
    account = imported.account
    for item in imported.failures:
        out.print(f"  failed: {item.source_path}: {item.error.message}", markup=False)
    if account.counts.failed > len(imported.failures):
        line(f"  … and {account.counts.failed - len(imported.failures)} more")
    if account.counts.failed or account.counts.skipped:
        line(f"all of them: [bold]colonnade imports report {account.name}[/bold]")
    counts = {result: getattr(account.counts, result) for result in Result}
    _show_counts(sum(counts.values()), counts, dry_run=account.dry_run)
    if imported.interrupted:
        line("interrupted; run it again, it goes on from here")


def show_report(report: Report) -> None:
    """The counts, and a line for each file that was not imported."""
    problems = [x for x in report.lines if x.result in (Result.FAILED, Result.SKIPPED)]
    for problem in sorted(problems, key=lambda x: (x.result, x.path))[:_SHOWN_PROBLEMS]:
        out.print(f"  {problem.result}: {problem.path}: {problem.message}", markup=False)
    if len(problems) > _SHOWN_PROBLEMS:
        line(f"  … and {len(problems) - _SHOWN_PROBLEMS} more")
    _show_counts(len(report.lines), {result: report.count(result) for result in Result})


def _show_counts(files: int, counts: dict[Result, int], *, dry_run: bool = False) -> None:
    listed = ", ".join(f"{count} {result}" for result, count in counts.items())
    line(f"[bold]{files} files[/bold]: {listed}" + (" (dry run)" if dry_run else ""))


def _dicts(ended: list[Imported]) -> list[dict[str, Any]]:
    return [imported.as_dict() for imported in ended]
