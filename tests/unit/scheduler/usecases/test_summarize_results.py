from services.scheduler.domain.planning import Pillar
from services.scheduler.domain.results import Lift, PillarResult
from services.scheduler.usecases.summarize_results import _reason

PILLARS = [Pillar(name, name.title(), 50, 3) for name in ("food", "street")]


def result(pillar: str, posts_needed: int | None, lift: Lift | None) -> PillarResult:
    return PillarResult(pillar, 20, 10.0, lift, posts_needed)


def test_a_doubling_would_have_shown_only_where_no_pillar_lacks_posts() -> None:
    even = Lift(1.0, 0.8, 1.25)
    food, street = result("food", 0, even), result("street", 0, even)
    assert "would have shown by now" in _reason(PILLARS, [food, street], None)
    few = result("street", 30, Lift(1.0, 0.4, 2.5))
    assert "About 30 posts more of Street" in _reason(PILLARS, [food, few], None)


def test_what_cannot_be_compared_is_no_proof_of_anything() -> None:
    apart = [result(pillar.name, None, None) for pillar in PILLARS]
    assert _reason(PILLARS, apart, None).startswith("There is nothing to compare yet")
