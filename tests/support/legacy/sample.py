"""The rows of a sample library: every shape in which a photo, a run or a post can be."""

from pathlib import Path
from typing import Any

from tests.support.pictures import encoded, waves

Row = dict[str, Any]
DAY = "2021-01-{:02} 10:00:00"


def _persona(id: int, name: str, **more: Any) -> Row:
    return {"id": id, "name": name, "created_at": DAY.format(id), **more}


def _pillar(id: int, persona: int, name: str, weight: float, **more: Any) -> Row:
    fields = {"id": id, "persona_id": persona, "name": name, "weight": weight}
    return {**fields, "created_at": DAY.format(id), **more}


def _cluster(id: int, name: str, persona: int | None = 1, **more: Any) -> Row:
    return {"id": id, "name": name, "persona_id": persona, "created_at": DAY.format(5), **more}


def _assignment(id: int, cluster: int, pillar: int, primary: bool = False, day: int = 9) -> Row:
    fields = {"id": id, "cluster_id": cluster, "pillar_id": pillar, "primary": primary}
    return {**fields, "created_at": DAY.format(day)}


def _photo(
    id: int, cluster: int | None, persona: int = 1, path: str | None = "", **more: Any
) -> Row:
    path = f"library/{id}.jpg" if path == "" else path
    fields = {"id": id, "persona_id": persona, "cluster_id": cluster, "path": path}
    return {**fields, "created_at": DAY.format(20), **more}


def _run(id: int, cluster: int | None, persona: int | None = 1, **more: Any) -> Row:
    fields = {"id": id, "cluster_id": cluster, "persona_id": persona, "status": "completed"}
    return {**fields, "name": f"Run {id}", "created_at": DAY.format(21), **more}


def _post(id: int, photo: int, status: str, **more: Any) -> Row:
    fields = {"id": id, "photo_id": photo, "persona_id": 1, "status": status}
    return {**fields, "created_at": DAY.format(22), **more}


ROWS: dict[str, list[Row]] = {
    "personas": [
        _persona(
            1,
            "Nora",
            timezone="Europe/Lisbon",
            voice='dry,\tand\nshort \\ "quoted"',
            caption_config='{"tone": "playful", "max_length": 300, "moon_phase": "full"}',
        ),
        _persona(2, "Otto", archived_at="2024-05-01 00:00:00"),
        _persona(3, "NORA", timezone="Mars/Base"),
    ],
    "content_pillars": [
        _pillar(10, 1, "Coffee", 40.5, guidelines='{"tone": "warm", "topics": ["beans"]}'),
        _pillar(11, 1, "Travel", 30),
        _pillar(12, 1, "Jubilee", 20, end_date="2022-01-01"),
        _pillar(13, 1, "Paused", 50, active=False),
        _pillar(14, 1, "Too much", 40),
        _pillar(20, 2, "Maps", 100),
    ],
    "clusters": [
        _cluster(100, "One primary", ai_prompt="a cup,\nsteaming"),
        _cluster(101, "Two, one primary"),
        _cluster(102, "Two, none primary"),
        _cluster(103, "Two primaries"),
        _cluster(104, "No pillar", status="draft"),
        _cluster(105, "Inactive pillar", status="archived"),
        _cluster(106, "Ended pillar"),
        _cluster(107, "Foreign pillar"),
        _cluster(108, "Pillar is gone"),
        _cluster(109, "One, not primary", persona=None),
    ],
    "pillar_cluster_assignments": [
        _assignment(1, 100, 10, primary=True),
        _assignment(2, 101, 11, day=1),
        _assignment(3, 101, 10, primary=True, day=2),
        _assignment(4, 102, 10, day=3),
        _assignment(5, 102, 11, day=2),
        _assignment(6, 103, 10, primary=True, day=2),
        _assignment(7, 103, 11, primary=True, day=1),
        _assignment(8, 105, 13, primary=True),
        _assignment(9, 106, 12, primary=True),
        _assignment(10, 107, 20, primary=True),
        _assignment(11, 108, 999, primary=True),
        _assignment(12, 109, 11),
        _assignment(13, 777, 11, primary=True),
    ],
    "photos": [
        _photo(1, 100, caption="A\tcup", detected_objects='["cup"]', embedding="[1,0.5,-2]"),
        _photo(2, 101),
        _photo(3, 102),
        _photo(4, 103),
        _photo(5, 104),
        _photo(6, 105),
        _photo(7, 106),
        _photo(8, 107),
        _photo(9, 108),
        _photo(10, 777),
        _photo(11, None),
        _photo(12, 109),
        _photo(13, None, persona=3),
        _photo(14, 100, persona=99),
        _photo(15, None, persona=2),
        _photo(16, 102, path="library/1.jpg"),
        _photo(17, 101, path="copies/two.jpg"),
        _photo(18, 100, path="library/lost.jpg"),
        _photo(19, 100, path="library/broken.jpg"),
        _photo(20, 100, path=None),
    ],
    "pipeline_runs": [
        _run(900, 100, prompt="it's \\ steaming"),
        _run(901, None),
        _run(902, 104, status="failed"),
        _run(903, 777, status="running"),
        _run(904, 102, persona=None),
        _run(905, 100, persona=99),
    ],
    "scheduling_posts": [
        _post(
            500,
            1,
            "posted",
            caption="Good morning",
            provider_post_id="insta-1",
            scheduled_at="2023-03-01 08:00+00",
            posted_at="2023-03-01 08:00:07+00",
        ),
        _post(501, 2, "scheduled", scheduled_at="2023-04-01 08:00+00"),
        _post(502, 3, "draft"),
        _post(503, 5, "posting", scheduled_at="2023-05-01 08:00+00"),
        _post(504, 6, "scheduled", provider_post_id="b-2", scheduled_at="2999-01-01 08:00+00"),
        _post(505, 888, "posted", posted_at="2023-06-01 08:00+00"),
        _post(506, 16, "posted", posted_at="2022-01-01 08:00+00"),
        _post(507, 11, "failed"),
    ],
}

# What the rules must say of each photo: rule, older pillar, doubts.
EXPECTED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "1": ("PRIMARY_PILLAR", "10", ()),
    "2": ("PRIMARY_PILLAR", "10", ()),
    "3": ("FIRST_PILLAR", "11", ()),
    "4": ("PRIMARY_PILLAR", "11", ("SEVERAL_PRIMARIES",)),
    "5": ("DEFAULT_PILLAR", "10", ("CLUSTER_WITHOUT_PILLAR",)),
    "6": ("PRIMARY_PILLAR", "13", ("INACTIVE_PILLAR",)),
    "7": ("PRIMARY_PILLAR", "12", ("ENDED_PILLAR",)),
    "8": ("DEFAULT_PILLAR", "10", ("FOREIGN_PILLAR", "CLUSTER_WITHOUT_PILLAR")),
    "9": ("DEFAULT_PILLAR", "10", ("DANGLING_PILLAR", "CLUSTER_WITHOUT_PILLAR")),
    "10": ("DEFAULT_PILLAR", "10", ("DANGLING_CLUSTER",)),
    "11": ("DEFAULT_PILLAR", "10", ("ORPHAN",)),
    "12": ("FIRST_PILLAR", "11", ()),
    "13": ("QUARANTINE", "", ("ORPHAN",)),
    "14": ("QUARANTINE", "", ()),
    "15": ("DEFAULT_PILLAR", "20", ("ARCHIVED_PERSONA", "ORPHAN")),
    "16": ("FIRST_PILLAR", "11", ()),
    "17": ("PRIMARY_PILLAR", "10", ()),
    "18": ("PRIMARY_PILLAR", "10", ()),
    "19": ("PRIMARY_PILLAR", "10", ()),
    "20": ("PRIMARY_PILLAR", "10", ()),
}
EXPECTED_RUNS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "900": ("PRIMARY_PILLAR", "10", ()),
    "901": ("NO_PILLAR", "", ()),
    "902": ("NO_PILLAR", "", ("CLUSTER_WITHOUT_PILLAR",)),
    "903": ("NO_PILLAR", "", ("DANGLING_CLUSTER",)),
    "904": ("FIRST_PILLAR", "11", ()),
    "905": ("QUARANTINE", "", ()),
}
"""The same of each run."""


def write_files(folder: Path) -> Path:
    """The files that the photos of the sample name, as far as they are not lost."""
    for name in ("library", "copies"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for id in range(1, 16):
        (folder / f"library/{id}.jpg").write_bytes(picture(id))
    (folder / "copies/two.jpg").write_bytes(picture(2))
    (folder / "library/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


def picture(number: int) -> bytes:
    """The small JPEG of a photo."""
    return encoded(waves(96, 72, number * 0.53), "JPEG", quality=90)
