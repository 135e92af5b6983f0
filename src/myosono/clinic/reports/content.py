"""What a report states, as text ready for print: made from a `StudyView`, laid out by the template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from myosono.anatomy import DIAGNOSES, MUSCLES, SIDES
from myosono.clinic.reports.language import Translate
from myosono.clinic.studies.signature import changes_since
from myosono.clinic.studies.view import ImageView, OpinionView, SiteView, StudyView

Status = Literal["preliminary", "final", "amended"]

ABSENT = "–"
"""Stands for what is not known; an empty cell would read as a value that was lost."""

_CHILD = 2
"""Years below which an age is told in months."""
_UID_END = 12
"""Signs of a UID by which people tell images of a study apart; all images of a device begin alike."""


@dataclass(frozen=True)
class Share:
    """A class and its probability. ``possible``: as `is_possible`."""

    name: str
    probability: float
    possible: bool | None

    @property
    def text(self) -> str:
        """As per cent; never 0 or 100, which no calibrated probability is."""
        return percent(self.probability)


@dataclass(frozen=True)
class SiteRow:
    """A row of the table of sites; every cell is text."""

    side: str
    recorded: bool
    images: str
    label: str
    echo_intensity: str
    expected: str
    z: str
    z_high: bool
    muscle_mm: str
    fat_mm: str
    heckmatt: str


def report_status(view: StudyView) -> Status:
    """``preliminary`` until a physician signs, ``amended`` if a signed reading was replaced, by whomever."""
    if view.signed is None:
        return "preliminary"
    return "amended" if view.replaced else "final"


def percent(value: float) -> str:
    """A probability as per cent.

    Examples
    --------
    >>> percent(0.624), percent(0.9999), percent(0.0001)
    ('62 %', '> 99 %', '< 1 %')
    """
    if value >= 0.995:
        return "> 99 %"
    return "< 1 %" if value < 0.005 else f"{100 * value:.0f} %"


def diagnosis_name(code: str, t: Translate) -> str:
    """A class in words, with its code: ``Polymyositis (PM)``; a class of another model keeps its name."""
    meaning = DIAGNOSES.get(code)
    if meaning is None:
        return t(code)
    return t(meaning) if code == "Normal" else f"{t(meaning)} ({code})"


def sentence(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def answer_text(view: StudyView, t: Translate) -> str:
    """The model's answer in words: a diagnosis, several, or that it abstains (as `myosono.reading.PatientReading`)."""
    if not has_result(view):
        return t("No result yet") if view.status == "receiving" else t("No image could be read")
    if answers(view):
        return sentence(t(" or ").join(diagnosis_name(name, t) for name in view.prediction_set))
    return t("No diagnosis: the model abstains")


def has_result(view: StudyView) -> bool:
    """Whether the reader has said something of the patient; of images that it all refused it gives no probability."""
    return view.probabilities is not None or view.answer == "abstains"


def is_possible(view: StudyView, name: str) -> bool | None:
    """Whether a class is in the prediction set; None where the set is empty: an abstention excludes nothing."""
    return name in view.prediction_set if view.prediction_set else None


def answers(view: StudyView) -> bool:
    """Whether the model says anything: it abstains if no class or every class remains."""
    return view.probabilities is not None and 0 < len(view.prediction_set) < len(view.classes)


def shares(view: StudyView, t: Translate) -> tuple[Share, ...]:
    """Probabilities of the patient, in the order of the classes."""
    found = view.probabilities or {}
    return tuple(
        Share(sentence(diagnosis_name(name, t)), found[name], is_possible(view, name))
        for name in view.classes
        if name in found
    )


def patient_facts(view: StudyView, t: Translate) -> tuple[tuple[str, str], ...]:
    """Name and value of what identifies patient and examination; nothing that is unknown is left out silently."""
    sex = {"F": t("female"), "M": t("male"), "O": t("other")}.get(view.patient_sex, ABSENT)
    source = {"dicom": "DICOM", "upload": t("upload"), "demo": t("demonstration")}.get(view.source, view.source)
    return (
        (t("Name"), readable_name(view.patient_name) or ABSENT),
        (t("Patient ID"), view.patient_id or ABSENT),
        (t("Sex"), sex),
        (t("Born"), day(view.patient_birth_date)),
        (t("Age"), _age(view, t)),
        (t("Accession no."), view.accession or ABSENT),
        (t("Examined"), day(view.study_date)),
        (t("Received"), moment(view.arrived)),
        (t("Device"), view.device or ABSENT),
        (t("Source"), f"{source}, {view.sender}" if view.sender else source),
        (t("Description"), view.description or ABSENT),
        (t("Images"), f"{len(view.images)}"),
    )


def age_of(view: StudyView) -> tuple[int, Literal["years", "months"]] | None:
    """Age at the examination as people state it: completed years, of a child under two completed months.

    By the calendar where birth and examination are dated, unless an age that was stated contradicts them; else the
    stated one.
    """
    stated, born, examined = view.patient_age, view.patient_birth_date, view.study_date
    if stated is None:
        return None
    # Months of a small child come back whole from the one decimal that is kept of the years.
    months = round(12 * stated) if stated < _CHILD else 12 * int(stated)
    if born is not None and examined is not None:
        dated = 12 * (examined.year - born.year) + examined.month - born.month - (examined.day < born.day)
        months = dated if dated >= 0 and abs(dated / 12 - stated) <= 1 else months
    return (months // 12, "years") if months >= 12 * _CHILD else (months, "months")


def _age(view: StudyView, t: Translate) -> str:
    found = age_of(view)
    if found is None:
        return ABSENT
    return (t("{} years") if found[1] == "years" else t("{} months")).format(found[0])


def readable_name(name: str) -> str:
    """A DICOM person name (PS3.5 6.2.1) for print: family name first, as it is on the request.

    Examples
    --------
    >>> readable_name("Wang^XiaoDong=王^小东"), readable_name("Doe^Jane^A^Dr"), readable_name("patient 12")
    ('王 小东 (Wang, XiaoDong)', 'Doe, Jane A Dr', 'patient 12')
    """
    alphabetic, _, rest = name.partition("=")
    family, _, given = alphabetic.partition("^")
    latin = ", ".join(part for part in (family.strip(), " ".join(given.split("^")).strip()) if part)
    ideographic = " ".join(part for part in rest.partition("=")[0].split("^") if part).strip()
    return f"{ideographic} ({latin})" if ideographic and latin else ideographic or latin


def site_name(site: SiteView | ImageView, t: Translate) -> str:
    """Such as ``right deltoid``."""
    if site.muscle is None and site.side is None:
        return t("site unknown")
    muscle = t(MUSCLES.get(site.muscle or "", site.muscle or "muscle unknown"))
    return t("{side} {muscle}").format(side=_side(site, t), muscle=muscle).strip()


def _side(site: SiteView | ImageView, t: Translate) -> str:
    return t(SIDES.get(site.side or "", ""))


def site_rows(view: StudyView, t: Translate) -> tuple[tuple[str, tuple[SiteRow, ...]], ...]:
    """All sites of the protocol, recorded or not: each muscle, and its sides."""
    found: dict[str, list[SiteRow]] = {t(name): [] for name in MUSCLES.values()}
    for site in view.sites:
        name = t(MUSCLES.get(site.muscle or "", site.muscle or "site unknown"))
        found.setdefault(name, []).append(_site_row(site, t))
    return tuple((name, tuple(rows)) for name, rows in found.items() if rows)


def _site_row(site: SiteView, t: Translate) -> SiteRow:
    z = site.z_score or {}
    score, expected, sd = (z.get(name) for name in ("z", "expected", "sd"))
    label = ABSENT
    if site.label and site.probabilities:
        label = f"{t(site.label)} {percent(site.probabilities[site.label])}"
    elif site.images:
        label = t("not classified")
    return SiteRow(
        side=_side(site, t) or ABSENT,
        recorded=bool(site.images),
        images=f"{len(site.images)}" if site.images else t("not recorded"),
        label=label,
        echo_intensity=number(site.echo_intensity),
        expected=ABSENT if expected is None or sd is None else f"{expected:.0f} ± {sd:.0f}",
        z=ABSENT if score is None else f"{score:+.1f}",
        z_high=score is not None and score > 2,
        muscle_mm=("≥\N{NO-BREAK SPACE}" if site.muscle_thickness_at_least else "") + number(site.muscle_thickness_mm),
        fat_mm=number(site.subcutaneous_thickness_mm),
        heckmatt=" / ".join(dict.fromkeys(_roman(grade) for _, grade in site.heckmatt_grades)) or ABSENT,
    )


def _roman(grade: int) -> str:
    return ("I", "II", "III", "IV")[grade - 1]


def site_notes(view: StudyView, t: Translate) -> tuple[str, ...]:
    """What must be said with the table: completeness, limits of the measures, doubts about z-scores; each once."""
    notes = [t(str(view.completeness["text"]))] if view.completeness else []
    notes += [t(note) for note in view.quantification_notes]
    for site in view.sites:
        z = site.z_score or {}
        found = [*z.get("warnings", ()), *([z["reason"]] if z.get("reason") else [])]
        notes += [t("z-score: {}").format(t(str(text))) for text in found]
        if site.heckmatt_grades and site.heckmatt is None:
            said = ", ".join(f"{name} {_roman(grade)}" for name, grade in site.heckmatt_grades)
            notes.append(
                t("The physicians' Heckmatt grades differ, {site}: {grades}").format(site=site.code, grades=said)
            )
    return tuple(dict.fromkeys(notes))


def unread_images(view: StudyView, t: Translate) -> tuple[tuple[str, str], ...]:
    """Images without a result or that the reader refused, and why."""
    found = []
    for image in view.images:
        name = image_name(image, t)
        if image.status == "failed":
            found.append((name, t(image.error or "could not be read")))
        elif image.status != "read":
            found.append((name, t("not read yet")))
        reasons = [reason for frame in image.frames if frame.abstained for reason in frame.reasons[:1]]
        found += [(name, t(reason)) for reason in dict.fromkeys(reasons)]
    return tuple(found)


def image_name(image: ImageView, t: Translate) -> str:
    """What its file was called; over DICOM it has no name: its number on the study's page, with its site or its UID."""
    if image.name:
        return image.name
    number = t("image {}").format(image.id)
    if image.muscle or image.side:
        return f"{site_name(image, t)} · {number}"
    return f"{number} · UID …{image.sop_instance_uid[-_UID_END:]}" if image.sop_instance_uid else number


def signer(opinion: OpinionView) -> str:
    """Who signed, in full where that is known."""
    return f"{opinion.full_name} ({opinion.user})" if opinion.full_name else opinion.user


def agreement(opinion: OpinionView, t: Translate) -> str:
    """Whether the physician agreed with the model, and what its answer was then."""
    if opinion.agrees is None:
        return ""
    said = (
        t("The physician agrees with the model's answer")
        if opinion.agrees
        else t("The physician differs from the model's answer")
    )
    return f"{said} ({t(opinion.model_answer)})" if opinion.model_answer else said


def doubts(view: StudyView, opinion: OpinionView, t: Translate) -> tuple[str, ...]:
    """What changed since a reading was signed: its signer has not seen all that the report states."""
    return tuple(t(change) for change in changes_since(opinion, view))


def number(value: float | None) -> str:
    """One decimal, or the sign for what is not known."""
    return ABSENT if value is None else f"{value:.1f}"


def day(value: date | None) -> str:
    """ISO 8601: read alike everywhere."""
    return ABSENT if value is None else value.isoformat()


def moment(value: datetime) -> str:
    """To the minute, with its zone."""
    return f"{value:%Y-%m-%d %H:%M} {value.tzname() or ''}".strip()
