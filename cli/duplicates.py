"""``colonnade duplicates``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from colonnade.catalog.v1 import catalog_service_pb2 as catalog
from colonnade.clustering.v1 import duplicate_pb2
from colonnade.clustering.v1 import duplicate_service_pb2 as api
from colonnade.clustering.v1.duplicate_pb2 import (
    DuplicateEvidence,
    DuplicatePair,
    DuplicateSet,
    DuplicateThresholds,
    DuplicateVerdict,
)
from rich.markup import escape

from cli.connection import Suite
from cli.contact_sheet import write_sheet
from cli.file_names import file_names
from cli.names import below, persona_name
from cli.output import JsonOption, last_part, line, print_json, table, when, word
from cli.run import FAILED, with_suite
from libs.errors import InvalidArgument

app = typer.Typer(help="Copies, variants and bursts among the photos.", no_args_is_help=True)

PersonaOption = Annotated[str, typer.Option(help="The persona, where ids are given and no names.")]
MinStructure = Annotated[
    float | None, typer.Option(help="Copies: least correlation of details.", min=0, max=1)
]
MaxDistance = Annotated[
    int | None, typer.Option(help="Copies: most differing bits of 136.", min=0, max=136)
]
MinAgreement = Annotated[
    float | None, typer.Option(help="Variants: least share that is the same.", min=0, max=1)
]
MinCosine = Annotated[float | None, typer.Option(help="Bursts: least cosine.", min=0, max=1)]

_MARKS = 136
# The end of an id is as good as random.
_SHORT = 8
_MOST = 10_000
_TURNED = {
    2: "mirrored",
    3: "upside down",
    4: "mirrored, upside down",
    5: "mirrored, turned",
    6: "turned",
    7: "mirrored, turned",
    8: "turned",
}


class VerdictOption(StrEnum):
    """What photos are to each other."""

    DUPLICATE = "duplicate"
    VARIANT = "variant"
    BURST = "burst"


@dataclass(frozen=True, slots=True)
class _Found:
    """Sets, the names of the files in them, and how many photos are still to be compared."""

    sets: Sequence[DuplicateSet]
    files: dict[str, str]
    waiting: int


@app.command("list")
def list_sets(
    persona: str,
    verdict: Annotated[list[VerdictOption] | None, typer.Option(help="Only of these.")] = None,
    min_structure: MinStructure = None,
    max_distance: MaxDistance = None,
    min_agreement: MinAgreement = None,
    min_cosine: MinCosine = None,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="Also what was decided about.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only count the sets.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many sets at most.")] = 50,
    sheet: Annotated[Path | None, typer.Option(help="Write a picture of the sets here.")] = None,
    json: JsonOption = False,
) -> None:
    """Lists sets of copies, variants and bursts, with what is known of them."""
    parent = persona_name(persona)
    thresholds = _thresholds(min_structure, max_distance, min_agreement, min_cosine)
    if preview:
        return _preview(parent, thresholds, json, reviewed=reviewed)

    async def work(suite: Suite) -> _Found:
        request = api.ListDuplicateSetsRequest(
            parent=parent,
            verdicts=[_value(each) for each in verdict or ()],
            thresholds=thresholds,
            include_reviewed=reviewed,
        )
        sets, waiting = await some_sets(suite, request, limit)
        if sheet is not None:
            await write_sheet(suite, sets, sheet)
        return _Found(
            sets, await file_names(suite, (p for each in sets for p in _photos(each))), waiting
        )

    found = with_suite(work)
    print_json(found.sets) if json else _show_sets(parent, found)
    if sheet is not None and not json:
        line(f"the sets are in {escape(str(sheet))}")
    return None


def _preview(parent: str, thresholds: DuplicateThresholds, json: bool, *, reviewed: bool) -> None:
    request = api.PreviewDuplicatesRequest(
        parent=parent, thresholds=thresholds, include_reviewed=reviewed
    )
    found = with_suite(lambda suite: suite.duplicates.PreviewDuplicates(request))
    if json:
        return print_json(found)
    for each in found.counts:
        name = word(DuplicateVerdict, each.verdict)
        line(f"  {name:<10} {each.sets} sets, {each.others} photos besides the keepers")
    _show_waiting(found.waiting_count)
    return None


def _show_sets(parent: str, found: _Found) -> None:
    if not found.sets:
        line(f"no duplicates in {parent}")
    rows = []
    for each in found.sets:
        reason = word(DuplicateSet.Reason, each.keeper_reason)
        keeper = found.files.get(each.keeper.photo, last_part(each.keeper.photo))
        title = f"{word(DuplicateVerdict, each.verdict)}\n{each.name[-_SHORT:]}"
        rows.append((title, f"{keeper}\n{_size(each.keeper)}", f"keep: {reason}"))
        rows += [
            ("", f"{found.files.get(o.photo, last_part(o.photo))}\n{_size(o)}", known(o.evidence))
            for o in each.others
        ]
    if rows:
        table(f"Duplicates of {parent}", ("set", "photo", "what is known"), rows)
    _show_waiting(found.waiting)


def _show_waiting(waiting: int) -> None:
    if waiting:
        line(f"[yellow]{waiting} photos are still to be compared[/yellow]")


def _size(candidate: duplicate_pb2.DuplicateCandidate) -> str:
    posted = ", posted" if candidate.posted else ""
    return f"{candidate.pixels / 1e6:.2f} megapixels{posted}"


def known(evidence: DuplicateEvidence) -> str:
    """What is known of two photos, in a few words."""
    parts = []
    if evidence.HasField("structure"):
        parts.append(f"details {evidence.structure:.3f}")
        parts.append(f"{evidence.agreement:.0%} the same")
    if evidence.HasField("overlap") and evidence.overlap < 0.98:
        parts.append(f"{evidence.overlap:.0%} of the picture")
    if evidence.HasField("distance"):
        parts.append(f"hash {evidence.distance}/{_MARKS}")
    if evidence.HasField("cosine"):
        parts.append(f"cosine {evidence.cosine:.3f}")
    if evidence.orientation in _TURNED and evidence.compared:
        parts.append(_TURNED[evidence.orientation])
    if evidence.HasField("seconds_apart"):
        parts.append(f"{evidence.seconds_apart:.0f} s apart")
    return ", ".join(parts) or "nothing"


async def some_sets(
    suite: Suite, request: api.ListDuplicateSetsRequest, limit: int
) -> tuple[list[DuplicateSet], int]:
    """Up to ``limit`` sets, page by page, and how many photos are still to be compared."""
    found: list[DuplicateSet] = []
    waiting = 0
    while len(found) < limit:
        request.page_size = min(200, limit - len(found))
        page = await suite.duplicates.ListDuplicateSets(request)
        found.extend(page.duplicate_sets)
        waiting = page.waiting_count
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    return found, waiting


def _photos(found: DuplicateSet) -> list[str]:
    return [found.keeper.photo, *(other.photo for other in found.others)]


@app.command()
def show(first: str, second: str, persona: PersonaOption = "", json: JsonOption = False) -> None:
    """Shows what is known of any two photos."""
    one, other, parent = _two(first, second, persona)
    name = f"{parent}/duplicatePairs/{last_part(one)}_{last_part(other)}"
    request = api.GetDuplicatePairRequest(name=name)
    found = with_suite(lambda suite: suite.duplicates.GetDuplicatePair(request))
    print_json(found) if json else _show_pair(found)


def _show_pair(found: DuplicatePair) -> None:
    line(f"{word(DuplicateVerdict, found.verdict)}: {known(found.evidence)}")
    if found.decision:
        line(f"decided: {word(DuplicateVerdict, found.decision)}")


@app.command()
def review(
    first: str,
    second: str,
    same: Annotated[bool, typer.Option("--same", help="They are copies.")] = False,
    variant: Annotated[bool, typer.Option("--variant", help="One is an edit.")] = False,
    burst: Annotated[bool, typer.Option("--burst", help="Shots of one moment.")] = False,
    different: Annotated[bool, typer.Option("--different", help="They are not alike.")] = False,
    persona: PersonaOption = "",
    json: JsonOption = False,
) -> None:
    """Notes for good what two photos are to each other."""
    chosen = {"DUPLICATE": same, "VARIANT": variant, "BURST": burst, "DIFFERENT": different}
    decisions = [name for name, is_it in chosen.items() if is_it]
    if len(decisions) != 1:
        raise typer.BadParameter("give one of --same, --variant, --burst and --different")
    one, other, parent = _two(first, second, persona)
    request = _reviews(parent, [(one, other)], _value(decisions[0]))
    found = with_suite(lambda suite: suite.duplicates.ReviewDuplicatePairs(request))
    if json:
        return print_json(found.duplicate_reviews[0])
    line(f"noted: {decisions[0].lower()}; it will not be asked about again")
    return None


@app.command("reviews")
def list_reviews(persona: str, json: JsonOption = False) -> None:
    """Lists what was decided, oldest first."""
    parent = persona_name(persona)

    async def work(suite: Suite) -> list[duplicate_pb2.DuplicateReview]:
        request = api.ListDuplicateReviewsRequest(parent=parent, page_size=200)
        found: list[duplicate_pb2.DuplicateReview] = []
        while True:
            page = await suite.duplicates.ListDuplicateReviews(request)
            found.extend(page.duplicate_reviews)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    found = with_suite(work)
    if json:
        return print_json(found)
    table(
        f"Reviews of {parent}",
        ("photos", "decision", "time"),
        [
            (
                f"{last_part(r.first)}\n{last_part(r.second)}",
                word(DuplicateVerdict, r.decision),
                when(r.create_time),
            )
            for r in found
        ],
        whole="photos",
    )
    return None


@app.command()
def forget(first: str, second: str, persona: PersonaOption = "", json: JsonOption = False) -> None:
    """Takes a decision back."""
    one, other, parent = _two(first, second, persona)

    async def work(suite: Suite) -> str:
        request = api.ListDuplicateReviewsRequest(parent=parent, page_size=200)
        while True:
            page = await suite.duplicates.ListDuplicateReviews(request)
            for each in page.duplicate_reviews:
                if {each.first, each.second} == {one, other}:
                    gone = api.DeleteDuplicateReviewRequest(name=each.name)
                    await suite.duplicates.DeleteDuplicateReview(gone)
                    return each.name
            request.page_token = page.next_page_token
            if not page.next_page_token:
                raise InvalidArgument.of("second", "nothing was decided about these two")

    name = with_suite(work)
    print_json({"name": name}) if json else line("forgotten; it may be asked about again")


@app.command()
def check(
    persona: str,
    min_structure: MinStructure = None,
    max_distance: MaxDistance = None,
    min_agreement: MinAgreement = None,
    min_cosine: MinCosine = None,
    json: JsonOption = False,
) -> None:
    """Measures the verdicts by what was decided: precision and recall."""
    thresholds = _thresholds(min_structure, max_distance, min_agreement, min_cosine)
    request = api.EvaluateDuplicatesRequest(parent=persona_name(persona), thresholds=thresholds)
    found = with_suite(lambda suite: suite.duplicates.EvaluateDuplicates(request))
    print_json(found) if json else _show_quality(found)


def _show_quality(found: api.EvaluateDuplicatesResponse) -> None:
    if not found.pairs:
        line("nothing was decided yet: colonnade duplicates review")
        return
    precision = f"{found.precision:.1%}" if found.HasField("precision") else "-"
    recall = f"{found.recall:.1%}" if found.HasField("recall") else "-"
    line(f"{found.pairs} reviewed pairs: precision {precision}, recall {recall}")
    table(
        "",
        ("decided", "verdict", "#pairs"),
        [
            (word(DuplicateVerdict, o.decision), word(DuplicateVerdict, o.verdict), o.count)
            for o in found.outcomes
        ],
    )
    used = found.thresholds.min_structure
    if found.HasField("suggested_min_structure"):
        line(f"best at --min-structure {found.suggested_min_structure:.3f}; it is {used:.3f}")
    else:
        line("a threshold is suggested from 20 reviews on, copies and others among them")


@app.command()
def resolve(
    set: Annotated[str, typer.Argument(help="Its name, or the end of it with --persona.")],
    keep: Annotated[str, typer.Option(help="The photo to keep; the suggested one if unset.")] = "",
    persona: PersonaOption = "",
    json: JsonOption = False,
) -> None:
    """Keeps one photo of a set and archives the others; the catalog can take them back."""
    parent = _parent(set, persona)

    async def work(suite: Suite) -> tuple[str, list[str]]:
        found = await _set_named(suite, parent, set)
        photos = _photos(found)
        kept = below(parent, "photos", keep) if keep else found.keeper.photo
        if kept not in photos:
            raise InvalidArgument.of("keep", f"{kept} is not in the set")
        others = [photo for photo in photos if photo != kept]
        # Each was compared with the keeper of the set, so that is what is known.
        pairs = [(found.keeper.photo, other.photo) for other in found.others]
        await suite.duplicates.ReviewDuplicatePairs(_reviews(parent, pairs, found.verdict))
        answer = await suite.catalog.BatchArchivePhotos(
            catalog.BatchArchivePhotosRequest(parent=parent, names=others)
        )
        bad = [result for result in answer.results if result.status.code]
        if bad:
            line(f"[red]{len(bad)} photos could not be archived[/red]")
            raise typer.Exit(FAILED)
        return kept, others

    kept, others = with_suite(work)
    if json:
        return print_json({"kept": kept, "archived": others})
    line(f"kept {kept}, archived {len(others)}; colonnade photos unarchive takes them back")
    return None


async def _set_named(suite: Suite, parent: str, text: str) -> DuplicateSet:
    """The set of that name, or of the only name that ends so."""
    if text.startswith("personas/"):
        return await suite.duplicates.GetDuplicateSet(api.GetDuplicateSetRequest(name=text))
    sets, _ = await some_sets(suite, api.ListDuplicateSetsRequest(parent=parent), _MOST)
    found = [each for each in sets if each.name.endswith(text)]
    if len(found) != 1:
        raise InvalidArgument.of("set", f"{len(found)} sets of {parent} end in {text}")
    return found[0]


def _reviews(
    parent: str, pairs: Iterable[tuple[str, str]], decision: Any
) -> api.ReviewDuplicatePairsRequest:
    decisions = [
        api.DuplicateDecision(first=first, second=second, decision=decision)
        for first, second in pairs
    ]
    return api.ReviewDuplicatePairsRequest(parent=parent, decisions=decisions)


def _thresholds(
    min_structure: float | None,
    max_distance: int | None,
    min_agreement: float | None,
    min_cosine: float | None,
) -> DuplicateThresholds:
    return DuplicateThresholds(
        min_structure=min_structure,
        max_distance=max_distance,
        min_agreement=min_agreement,
        min_cosine=min_cosine,
    )


def _value(name: str) -> Any:
    return DuplicateVerdict.Value(f"DUPLICATE_VERDICT_{name.upper()}")


def _two(first: str, second: str, persona: str) -> tuple[str, str, str]:
    """The names of two photos and of their persona."""
    parent = _parent(first, persona)
    one, other = (below(parent, "photos", text) for text in (first, second))
    return one, other, parent


def _parent(text: str, persona: str) -> str:
    if text.startswith("personas/"):
        return "/".join(text.split("/")[:2])
    if not persona:
        raise typer.BadParameter("give names such as personas/…, or ids with --persona")
    return persona_name(persona)
