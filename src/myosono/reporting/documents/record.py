"""What a document states: entries filled from facts, and entries that wait for the authors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from myosono.reporting.statements import Banner

State = Literal["filled", "partly filled", "open", "not applicable"]
STATES: tuple[State, ...] = ("filled", "partly filled", "open", "not applicable")
OPEN = "open: to be filled by the authors"


@dataclass(frozen=True)
class Table:
    """A small table of print-ready text; the columns after the first are numbers unless ``text`` is set."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: bool = False


@dataclass(frozen=True)
class Answer:
    """A fact in words, and the file that it comes from."""

    text: str
    source: str
    table: Table | None = None


@dataclass(frozen=True)
class Entry:
    """One item of a document.

    Attributes
    ----------
    title
        What is asked, in our words.
    answers
        Facts that answer it; empty if there are none.
    open
        What the authors must still say, if anything.
    not_applicable
        Why the item does not apply, if it does not.
    number
        As published; empty where items have no numbers.
    """

    title: str
    answers: tuple[Answer, ...] = ()
    open: str | None = None
    not_applicable: str | None = None
    number: str = ""

    @property
    def state(self) -> State:
        """How far the facts answer the item."""
        if self.not_applicable is not None:
            return "not applicable"
        if not self.answers:
            return "open"
        return "filled" if self.open is None else "partly filled"


@dataclass(frozen=True)
class Section:
    """Entries under one heading; ``figures`` are SVG elements with their captions."""

    title: str
    entries: tuple[Entry, ...]
    figures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Document:
    """One document, ready to be drawn.

    Attributes
    ----------
    stem
        File name without suffix.
    kind
        What it is, for example ``CLAIM 2024 checklist``.
    title
        Heading.
    lead
        One sentence below it.
    banners
        What must be known before the figures are believed.
    sections
        The content.
    citations
        The publications that the document follows.
    created
        Time of writing, UTC, ISO 8601.
    """

    stem: str
    kind: str
    title: str
    lead: str
    banners: tuple[Banner, ...]
    sections: tuple[Section, ...]
    citations: tuple[str, ...]
    created: str

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, in order."""
        return tuple(entry for section in self.sections for entry in section.entries)

    @property
    def counts(self) -> dict[State, int]:
        """How many entries are in which state."""
        found = Counter(entry.state for entry in self.entries)
        return {state: found[state] for state in STATES}

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and text, ready for JSON; figures are left out."""
        return {
            "document": self.stem,
            "kind": self.kind,
            "title": self.title,
            "created": self.created,
            "banners": [{"tone": one.tone, "title": one.title, "text": one.text} for one in self.banners],
            "counts": self.counts,
            "sections": [
                {"title": section.title, "entries": [_entry(entry) for entry in section.entries]}
                for section in self.sections
            ],
            "citations": list(self.citations),
        }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "title": entry.title,
        "state": entry.state,
        "answers": [_answer(answer) for answer in entry.answers],
        "open": entry.open,
        "not_applicable": entry.not_applicable,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"text": answer.text, "source": answer.source}
    if answer.table is not None:
        found["table"] = [dict(zip(answer.table.head, row, strict=True)) for row in answer.table.rows]
    return found


def listed(parts: Sequence[str]) -> str:
    """Words joined as in a sentence.

    Examples
    --------
    >>> listed(["IBM"]), listed(["IBM", "PM", "DM"])
    ('IBM', 'IBM, PM and DM')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def thousands(value: int) -> str:
    """A count for print.

    Examples
    --------
    >>> thousands(3214)
    '3,214'
    """
    return f"{value:,}"
