"""Studies as a table: a row for each site, for spreadsheets and statistics."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from myosono.clinic.reports.content import has_result, report_status
from myosono.clinic.studies.signature import changes_since
from myosono.clinic.studies.view import SiteView, StudyView

_STUDY_COLUMNS = (
    "study_uid", "patient_id", "patient_name", "sex", "birth_date", "age", "accession", "study_date", "device",
    "source", "report_status", "answer", "prediction_set", "abstained", "reasons", "physician", "physician_diagnosis",
    "signed_at", "changed_since_signature", "model", "model_sha256", "warnings",
)  # fmt: skip
_SITE_COLUMNS = (
    "site", "muscle", "side", "images", "site_label", "echo_intensity", "z_score", "z_score_note",
    "muscle_thickness_mm", "muscle_thickness_at_least", "subcutaneous_thickness_mm", "heckmatt", "heckmatt_by",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(views: Iterable[StudyView]) -> str:
    """A row for each site of each study, recorded or not; a study's own columns stand in each of its rows.

    Parameters
    ----------
    views
        Studies; their classes may differ: the columns ``p_<class>`` (of the patient) and ``site_p_<class>`` are those
        of all, in the order of first appearance, and empty where a study's model does not know the class.

    Returns
    -------
    str
        CSV (RFC 4180) with a header. A text cell that a spreadsheet would take for a formula starts with an
        apostrophe (OWASP, CSV injection); lists, and readings of several physicians, are joined by ``"; "``.
    """
    studies = list(views)
    classes = list(dict.fromkeys(name for view in studies for name in view.classes))
    patient_shares = [f"p_{name}" for name in classes]
    site_shares = [f"site_p_{name}" for name in classes]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_STUDY_COLUMNS, *patient_shares, *_SITE_COLUMNS, *site_shares])
    writer.writerow({name: _cell(name) for name in writer.fieldnames})
    for view in studies:
        shared = _study_row(view) | _shares("p", view.probabilities or {})
        for site in view.sites:
            row = shared | _site_row(site) | _shares("site_p", site.probabilities or {})
            writer.writerow({key: _cell(value) for key, value in row.items()})
    return text.getvalue()


def _study_row(view: StudyView) -> dict[str, Any]:
    held = view.held
    return {
        "study_uid": view.study_uid,
        "patient_id": view.patient_id,
        "patient_name": view.patient_name,
        "sex": view.patient_sex,
        "birth_date": view.patient_birth_date,
        "age": view.patient_age,
        "accession": view.accession,
        "study_date": view.study_date,
        "device": view.device,
        "source": view.source,
        "report_status": report_status(view),
        "answer": view.answer,
        "prediction_set": "; ".join(view.prediction_set),
        "abstained": view.abstained if has_result(view) else None,
        "reasons": "; ".join(view.reasons),
        "physician": "; ".join(one.user for one in held),
        "physician_diagnosis": "; ".join(one.diagnosis for one in held),
        "signed_at": "; ".join(one.signed_at.isoformat() for one in held if one.signed_at),
        "changed_since_signature": " ".join(dict.fromkeys(text for one in held for text in changes_since(one, view))),
        "model": view.model.get("name"),
        "model_sha256": view.model.get("sha256"),
        "warnings": "; ".join(view.banners),
    }


def _site_row(site: SiteView) -> dict[str, Any]:
    z = site.z_score or {}
    return {
        "site": site.code,
        "muscle": site.muscle,
        "side": site.side,
        "images": len(site.images),
        "site_label": site.label,
        "echo_intensity": site.echo_intensity,
        "z_score": z.get("z"),
        "z_score_note": "; ".join([*map(str, z.get("warnings", ())), *([str(z["reason"])] if z.get("reason") else [])]),
        "muscle_thickness_mm": site.muscle_thickness_mm,
        "muscle_thickness_at_least": site.muscle_thickness_at_least if site.muscle_thickness_mm is not None else None,
        "subcutaneous_thickness_mm": site.subcutaneous_thickness_mm,
        "heckmatt": site.heckmatt,
        "heckmatt_by": "; ".join(f"{name}: {grade}" for name, grade in site.heckmatt_grades),
    }


def _shares(prefix: str, probabilities: Any) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in probabilities.items()}


def _cell(value: Any) -> str:
    """Text that no spreadsheet evaluates; numbers keep their sign, since they are no text of a stranger."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if not isinstance(value, str):
        return text
    # Spreadsheets look past blanks, and past a quote that they take for the field's own.
    return f"'{text}" if text.lstrip(" \"'").startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS) else text
