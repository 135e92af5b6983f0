"""An item asks; phrases answer from facts; what they leave unsaid stays open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from myosono.reporting.documents.record import OPEN, Answer, Entry, Section
from myosono.reporting.documents.source import DocumentSource

Phrase = Callable[[DocumentSource], Answer | None]
"""Words a fact, or gives None where the run does not tell it."""

NO_PEOPLE = "The images are simulated: no person took part."


@dataclass(frozen=True)
class Item:
    """One question of a document.

    Attributes
    ----------
    section
        Heading that it stands under.
    title
        The question in our words.
    phrases
        What may answer it.
    open
        What the authors must say in any case; None if the facts can answer it whole.
    number
        As published.
    people
        It asks about the people examined, so that it does not apply to simulated images.
    """

    section: str
    title: str
    phrases: tuple[Phrase, ...] = ()
    open: str | None = None
    number: str = ""
    people: bool = False


def fill(items: Sequence[Item], source: DocumentSource) -> tuple[Section, ...]:
    """Answer every item as far as the facts go."""
    return tuple(
        Section(title, tuple(_entry(item, source) for item in group))
        for title, group in groupby(items, key=lambda item: item.section)
    )


def _entry(item: Item, source: DocumentSource) -> Entry:
    answers = tuple(answer for phrase in item.phrases if (answer := phrase(source)) is not None)
    if item.people and source.simulated:
        # Facts about simulated patients are shown, but there is nobody for the authors to describe.
        return Entry(item.title, answers, None, NO_PEOPLE, item.number)
    hint = item.open or (None if answers else "The run folder does not tell.")
    return Entry(item.title, answers, None if hint is None else f"{OPEN}. {hint}", None, item.number)
