"""The change record between two runs, or two model files, for a predetermined change control plan.

Its headings are the plan's: description of modifications, modification protocol, impact assessment (FDA, Marketing
submission recommendations for a predetermined change control plan for AI-enabled device software functions, 2025).
It states what differs; why, and whether that is acceptable, is for the people who answer for the change.
"""

from __future__ import annotations

from myosono.errors import UsageError
from myosono.provenance import now
from myosono.reporting.documents.record import OPEN, Answer, Document, Entry, Section, Table
from myosono.reporting.documents.result_phrases import LEVELS, METRICS, value_text
from myosono.reporting.documents.version import Version
from myosono.reporting.statements import Banner

CITATION = (
    "US Food and Drug Administration. Marketing submission recommendations for a predetermined change control plan for "
    "artificial intelligence-enabled device software functions. Guidance, 2025."
)
_GROUPS = {
    "Data": "Data management: cohort, task and split",
    "Recipe": "Re-training: recipe",
    "Model": "Model",
    "Software": "Software and machine",
    "File": "Files and calibration",
}


def change_record(earlier: Version, later: Version) -> Document:
    """What changed from one version to another, and what became of the figures.

    Parameters
    ----------
    earlier, later
        Two runs, or two model files, from :func:`read_version`.

    Raises
    ------
    UsageError
        If one is a run and the other a model file, or their classes differ.
    """
    if earlier.kind != later.kind:
        raise UsageError(f"{earlier.name} is a {earlier.kind} and {later.name} a {later.kind}: name two of a kind")
    if set(earlier.classes) != set(later.classes):
        raise UsageError(
            f"the versions tell apart different classes: {', '.join(earlier.classes)} and {', '.join(later.classes)}",
            remedy="A change of task is a new model: document it with a model card",
        )
    return Document(
        stem="change_record",
        kind="Change record",
        title=f"Change record: {earlier.name} to {later.name}",
        lead=f"Earlier: {earlier.name}, {earlier.created}. Later: {later.name}, {later.created}. For a predetermined "
        "change control plan.",
        banners=_banners(earlier, later),
        sections=(
            Section("Description of modifications", _modifications(earlier, later)),
            Section("Modification protocol", _protocol(earlier, later)),
            Section("Impact assessment", _impact(earlier, later)),
        ),
        citations=(CITATION,),
        created=now(),
    )


def _banners(earlier: Version, later: Version) -> tuple[Banner, ...]:
    found: dict[Banner, list[str]] = {}
    for when, version in (("earlier", earlier), ("later", later)):
        for banner in version.banners:
            found.setdefault(banner, []).append(when)
    named = [
        Banner(banner.tone, f"{banner.title} ({' and '.join(when)} version)", banner.text)
        for banner, when in found.items()
    ]
    if not _comparable(earlier, later):
        known = earlier.test is not None and later.test is not None
        title, effect = ("Different tests", "is not") if known else ("Perhaps different tests", "may not be")
        text = (
            f"{_test_statement(earlier, later)} A difference of their figures {effect} the effect of the change alone."
        )
        named.append(Banner("amber", title, text))
    return tuple(sorted(named, key=lambda banner: banner.tone != "red"))


def _comparable(earlier: Version, later: Version) -> bool:
    return earlier.test == later.test and earlier.test is not None


def _test_statement(earlier: Version, later: Version) -> str:
    """Whether both were tested on the same patients, as far as it is known."""
    silent = list(dict.fromkeys(version.name for version in (earlier, later) if version.test is None))
    if silent:
        return (
            f"It is unknown whether the same patients were tested: on whom is not said by {' and '.join(silent)} "
            "(exported by an older version, or recalibrated without --evidence: export or recalibrate it again)."
        )
    if earlier.test == later.test:
        return "The same patients were tested."
    # The hash in a model file covers all roles: another choice of validation patients alone changes it too.
    return f"Different patients were tested{' or trained on' if later.kind == 'model file' else ''}."


def _modifications(earlier: Version, later: Version) -> tuple[Entry, ...]:
    entries = [_difference(title, group, earlier, later) for group, title in _GROUPS.items()]
    reason = Entry("Why the change was made, and whether the plan foresees it", open=f"{OPEN}. Cite the plan's item.")
    return (reason, *(entry for entry in entries if entry is not None))


def _difference(title: str, group: str, earlier: Version, later: Version) -> Entry | None:
    before, after = earlier.facts.get(group, {}), later.facts.get(group, {})
    names = list(dict.fromkeys([*before, *after]))
    if not names:
        return None
    differ = [name for name in names if before.get(name) != after.get(name)]
    rows = tuple((name, before.get(name, "–"), after.get(name, "–")) for name in differ)
    text = f"{len(differ)} of {len(names)} facts differ." if differ else f"None of {len(names)} facts differs."
    table = Table("What differs", ("Fact", "Earlier", "Later"), rows, text=True) if rows else None
    return Entry(title, (Answer(text, earlier.source, table),))


def _protocol(earlier: Version, later: Version) -> tuple[Entry, ...]:
    rows = []
    for level, metrics in later.figures.items():
        for key, after in metrics.items():
            before = earlier.figures.get(level, {}).get(key)
            if before is not None:
                both = before.value is not None and after.value is not None
                change = f"{(after.value or 0) - (before.value or 0):+.2f}".replace("-", "−") if both else "–"
                name = f"{LEVELS.get(level, level)}: {METRICS.get(key, key)}"
                rows.append((name, value_text(before), value_text(after), change))
    tested = _test_statement(earlier, later)
    figures = Answer(
        f"{tested} The difference has no interval here; paired tests belong to myosono compare.",
        earlier.source,
        Table("Test figures (95 % interval over patients)", ("Figure", "Earlier", "Later", "Difference"), tuple(rows)),
    )
    return (
        Entry("Performance evaluation", (figures,)),
        Entry("Acceptance criteria, as fixed in the plan", open=f"{OPEN}. Say whether each is met."),
        Entry("Update procedure: who gets it, when, and how it is undone", open=f"{OPEN}. State it."),
    )


def _impact(earlier: Version, later: Version) -> tuple[Entry, ...]:
    return (
        _decisions(earlier, later),
        Entry("Benefits, risks and their mitigation", open=f"{OPEN}. Compare with the version without the change."),
        Entry("Effect together with earlier changes", open=f"{OPEN}. Name them."),
        Entry("Approval", open=f"{OPEN}. Name, role and date."),
    )


def _decisions(earlier: Version, later: Version) -> Entry:
    title = "For whom the decision changed"
    if not _comparable(earlier, later) or not later.decisions:
        return Entry(title, open=f"{OPEN}. The versions hold no decisions on the same patients; see myosono verify.")
    before = {one.patient_id: one for one in earlier.decisions}
    changed = [(before[one.patient_id], one) for one in later.decisions if before[one.patient_id].label != one.label]
    righted = sum(new.label == new.target for _, new in changed)
    wronged = sum(old.label == old.target for old, _ in changed)
    rows = tuple((new.patient_id, new.target, old.label, new.label) for old, new in changed)
    text = (
        f"{len(changed)} of {len(later.decisions)} test patients: {righted} now right, {wronged} now wrong, "
        f"{len(changed) - righted - wronged} wrong in another way."
    )
    table = Table("Patients", ("Patient", "Target", "Earlier", "Later"), rows, text=True) if rows else None
    return Entry(title, (Answer(text, later.source, table),))
