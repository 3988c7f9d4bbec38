"""Briefs that differ from each other, in place of what a model would write."""

import random
from typing import Any

_SUBJECTS = "teapot bicycle lighthouse staircase orchard accordion umbrella greenhouse ferry quilt"
_COLOURS = "vermilion ochre slate ivory turquoise charcoal saffron lilac copper emerald"
_PLACES = "railway platform,harbour wall,attic room,tiled courtyard,bakery window,gravel drive"
_TIMES = "before breakfast,during a thunderstorm,in late October,on market day,past midnight"
_VERBS = "leaning drying resting waiting gleaming rusting floating folding turning cooling"


def brief(number: int) -> dict[str, Any]:
    """The brief of that number; equal numbers give equal briefs."""
    choice = random.Random(number)

    def one(words: str, separator: str | None = None) -> str:
        return choice.choice(words.split(separator))

    subject, colour = one(_SUBJECTS), one(_COLOURS)
    scene = f"{one(_VERBS)} on a {one(_PLACES, ',')} {one(_TIMES, ',')}"
    extras = " ".join(choice.sample(_VERBS.split() + _COLOURS.split() + _SUBJECTS.split(), 8))
    return {
        "title": f"{colour.title()} {subject} {number}",
        "description": f"A {colour} {subject}, {scene}.",
        "prompt": f"A {colour} {subject} {scene}; {extras}; number {number}",
        "keywords": [subject, colour],
    }
