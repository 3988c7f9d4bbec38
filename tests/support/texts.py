"""Texts as people and machines write them, each with its topic, for tests of grouping texts.

The same seed gives the same texts. A text puts phrases of its topic together in one of many ways:
how much it says, in which words, in which house style of its source, with which noise and which
slips of the keyboard is drawn for each. Some titles say nothing, and some texts speak of another
topic in passing. So texts of a topic share some words with most others of it and few with some.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.text_topics import TOPICS, Topic

_PRODUCTS = ("Lumen", "Orchard", "Tidepool", "Basalt", "Kestrel", "Fennel")
_VERSIONS = ("2.4.1", "3.0", "5.12", "0.9.8", "2025.3")
_OPENINGS = (
    "Hi all,",
    "Hello,",
    "Not sure where to put this.",
    "Long time user here.",
    "Quick question first.",
    "Sorry if this was asked before.",
    "Since yesterday:",
    "We see this on two machines.",
    "I really like {product}, but",
    "After the update to {version}:",
)
_CLOSINGS = (
    "Thanks!",
    "Any help is welcome.",
    "Is there a workaround?",
    "Please look into it.",
    "Happy to test a fix.",
    "This has been going on for weeks.",
    "Running {product} {version}.",
    "It used to work.",
    "Anyone else?",
    "Let me know if you need more.",
)
_JOINTS = ("Also,", "And", "Besides,", "What I found:", "Note that", "By the way,", "In short:", "")
_SINCE = ("since {version}", "in {product}", "on {product} {version}", "again", "for us", "")
_VAGUE = (
    "Problem with {product}",
    "Something is broken",
    "Help needed",
    "{product} {version} issue",
    "Strange behaviour",
    "Please fix this",
)
_VAGUE_RATE = 0.15
_ASIDE_RATE = 0.2
_TYPO_RATE = 0.03
_LONG_WORD = 5
_FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MixedText:
    """A text and, in ``topic``, what it is about; ``repository`` is empty where none is known."""

    topic: str
    source: str
    external_id: str
    title: str
    body: str
    repository: str
    source_time: datetime


def mixed(count: int = 4000, topics: int = len(TOPICS), seed: int = 7) -> list[MixedText]:
    """``count`` texts of the first ``topics`` topics, mixed; the largest topic has about four times
    as many as the smallest."""
    draw = random.Random(seed)
    labels = list(TOPICS)[:topics]
    weights = [draw.uniform(0.5, 2.0) for _ in labels]
    chosen = labels + draw.choices(labels, weights, k=count - len(labels))
    draw.shuffle(chosen)
    return [_text(draw, topic, number) for number, topic in enumerate(chosen)]


def _text(draw: random.Random, label: str, number: int) -> MixedText:
    topic, source = TOPICS[label], draw.choice(tuple(_STYLES))
    title, body = _STYLES[source](draw, topic)
    if draw.random() < _VAGUE_RATE:
        title = draw.choice(_VAGUE)
    if draw.random() < _ASIDE_RATE:
        body += f"\nUnrelated: {draw.choice(TOPICS[draw.choice(tuple(TOPICS))].details)}."
    return MixedText(
        topic=label,
        source=source,
        external_id=f"{source}-{number:05}",
        title=_finished(draw, title),
        body=_finished(draw, body),
        repository=f"acme/{draw.choice(_PRODUCTS).lower()}" if source in _WITH_CODE else "",
        source_time=_FIRST_DAY + timedelta(minutes=7 * number),
    )


def _github(draw: random.Random, topic: Topic) -> tuple[str, str]:
    mark = draw.choice(("[Bug]: ", "bug: ", "", "", "[Feature] "))
    steps = "\n".join(f"{n}. {one}" for n, one in enumerate(_details(draw, topic, 1, 4), 1))
    parts = [f"### What happens\n{_claim(draw, topic)}", f"### How to see it\n{steps}"]
    if draw.random() < 0.4:
        parts.append("### Environment\n{product} {version}, " + draw.choice(("Linux", "macOS")))
    return mark + _claim(draw, topic), "\n\n".join(parts)


def _sentry(draw: random.Random, topic: Topic) -> tuple[str, str]:
    kind = draw.choice(("RuntimeError", "ValueError", "TimeoutError", "Error", "StateError"))
    lines = [f"{kind}: {_claim(draw, topic)}", *_details(draw, topic, 1, 3)]
    if draw.random() < 0.5:
        lines.append(f'  File "app/views.py", line {draw.randrange(900)}, in handle')
    return f"{kind}: {_claim(draw, topic)}", "\n".join(lines)


def _reddit(draw: random.Random, topic: Topic) -> tuple[str, str]:
    sentences = [draw.choice(_OPENINGS), _claim(draw, topic) + "."]
    said = _details(draw, topic, 1, 4)
    sentences += [f"{draw.choice(_JOINTS)} {detail}.".strip() for detail in said]
    if draw.random() < 0.3:
        sentences.append(_claim(draw, topic) + ".")
    sentences.append(draw.choice(_CLOSINGS))
    return draw.choice(("", "Help: ", "[Question] ", "")) + _claim(draw, topic), " ".join(sentences)


def _manual(draw: random.Random, topic: Topic) -> tuple[str, str]:
    said = [_claim(draw, topic), *_details(draw, topic, 1, 3)]
    if draw.random() < 0.25:
        return "", ". ".join(said)
    return _claim(draw, topic), ". ".join(said[draw.randrange(2) :])


_STYLES: dict[str, Callable[[random.Random, Topic], tuple[str, str]]] = {
    "github": _github,
    "sentry": _sentry,
    "reddit": _reddit,
    "manual": _manual,
}
_WITH_CODE = ("github", "sentry")


def _claim(draw: random.Random, topic: Topic) -> str:
    said = f"{draw.choice(topic.things)} {draw.choice(topic.troubles)}"
    return f"{said} {draw.choice(_SINCE)}".rstrip()


def _details(draw: random.Random, topic: Topic, least: int, most: int) -> Sequence[str]:
    return draw.sample(topic.details, min(draw.randint(least, most), len(topic.details)))


def _finished(draw: random.Random, text: str) -> str:
    filled = text.replace("{product}", draw.choice(_PRODUCTS))
    filled = filled.replace("{version}", draw.choice(_VERSIONS))
    words = [_slip(draw, word) for word in filled.split(" ")]
    return " ".join(words)


def _slip(draw: random.Random, word: str) -> str:
    """``word``, sometimes with two neighbouring letters exchanged or one left out."""
    if len(word) < _LONG_WORD or not word.isalpha() or draw.random() > _TYPO_RATE:
        return word
    place = draw.randrange(1, len(word) - 2)
    if draw.random() < 0.5:
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return word[:place] + word[place + 1 :]
