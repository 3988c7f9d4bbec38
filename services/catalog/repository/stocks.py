"""The photos of a persona counted for the gap report, in one statement."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.catalog.domain.photo import EmbeddingState, Filing, FilingState, PhotoState, Usage
from services.catalog.domain.supply import Condition, Stock
from services.catalog.tables import PHOTOS

_C = PHOTOS.c
_CONDITION = ("usage", "embedding_state", "held", "embargoed", "lapsed", "unsorted")
_MILLION = 1_000_000
_UNSETTLED = [state for state in FilingState if not Filing(state).settled]


def stocks_at(persona: str, as_of: datetime, shares_since: datetime) -> sa.Select[Any]:
    """Scenes of one pillar, condition and size, counted: a few dozen rows, however many photos.

    What a condition means is left to the domain. Archived photos are not among them.
    """
    scenes = _scenes(persona, as_of, shares_since).subquery()
    kind = [scenes.c[name] for name in ("pillar_id", *_CONDITION, "size")]
    return sa.select(
        *kind,
        sa.func.count().label("scenes"),
        sa.cast(sa.func.sum(scenes.c.posted), sa.Integer).label("posted"),
        sa.func.max(scenes.c.newest).label("newest"),
        sa.cast(sa.func.coalesce(sa.func.sum(scenes.c.quality), 0), sa.BigInteger).label("quality"),
        sa.cast(sa.func.sum(scenes.c.measured), sa.Integer).label("measured"),
    ).group_by(*kind)


def _scenes(persona: str, as_of: datetime, shares_since: datetime) -> sa.Select[Any]:
    """The photos of each scene of a pillar that are in one condition."""
    moment = sa.literal(as_of, _C.create_time.type)
    embargoed = sa.func.coalesce(_C.embargo_time > moment, sa.false())
    lapsed = sa.func.coalesce(_C.expire_time < moment, sa.false())
    kind = [
        _C.pillar_id,
        _C.usage,
        _C.embedding_state,
        _C.held,
        embargoed.label("embargoed"),
        lapsed.label("lapsed"),
        _C.filing_state.in_(_UNSETTLED).label("unsorted"),
    ]
    posted = sa.and_(_C.posted_time > shares_since, _C.posted_time <= moment)
    counts = (
        sa.func.count().label("size"),
        sa.func.count().filter(posted).label("posted"),
        sa.func.max(_C.create_time).label("newest"),
        # Whole numbers, so that the order in which rows are read has no part in the sum.
        sa.func.sum(sa.cast(_C.quality * _MILLION, sa.Integer)).label("quality"),
        sa.func.count(_C.quality).label("measured"),
    )
    there = (
        _C.persona_id == persona,
        _C.state == PhotoState.ACTIVE,
        _C.create_time <= moment,
    )
    groups = [sa.text(str(place)) for place in range(1, len(kind) + 1)]
    # The scene comes first because it tells nearly all rows apart: it is what sorting compares.
    return sa.select(*kind, *counts).where(*there).group_by(_C.scene, *groups)


def stock_of(row: Any) -> Stock:
    """The stock that a row of ``stocks_at`` tells of."""
    return Stock(
        pillar=row.pillar_id,
        condition=Condition(
            usage=Usage(row.usage),
            embedding=EmbeddingState(row.embedding_state),
            held=row.held,
            embargoed=row.embargoed,
            lapsed=row.lapsed,
            unsorted=row.unsorted,
        ),
        size=row.size,
        scenes=row.scenes,
        posted=row.posted,
        newest=row.newest,
        quality=row.quality / _MILLION,
        measured=row.measured,
    )
