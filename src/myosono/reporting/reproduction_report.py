"""Write what `myosono reproduce` found: one HTML page, one CSV file, one JSON file."""

from __future__ import annotations

from pathlib import Path

from myosono.evaluation import Estimate
from myosono.evaluation.reproduction import PUBLISHED, Outcome, Reproduction
from myosono.evaluation.result import Spread
from myosono.provenance import now
from myosono.reporting.pages import csv_text, json_text, page_environment, write_files
from myosono.reporting.statements import Banner

STEM = "reproduction"
TASK_TITLES = {
    "affected": "S1 · Normal or affected",
    "ibm_vs_normal": "S2 · Normal or IBM",
    "ibm_vs_other": "S3 · IBM or PM, DM",
    "four_class": "S4 · four classes",
}


def write_reproduction(out_dir: str | Path, found: Reproduction) -> Path:
    """Write ``reproduction.html``, ``.csv`` and ``.json``; return the page's path.

    Raises
    ------
    RunError
        If they cannot be written.
    """
    folder = Path(out_dir)
    files = {
        f"{STEM}.html": render_reproduction(found),
        f"{STEM}.json": json_text(found.to_dict()),
        f"{STEM}.csv": csv_text(found.to_rows()),
    }
    write_files(folder, files)
    return folder / f"{STEM}.html"


def render_reproduction(found: Reproduction) -> str:
    """The page as HTML text."""
    environment = page_environment(spread=spread_text, interval=interval_text)
    return environment.get_template("reproduction.html").render(
        found=found,
        banners=reproduction_banners(found),
        titles=TASK_TITLES,
        sources=list(dict.fromkeys(one.source for one in PUBLISHED)),
        published=PUBLISHED,
        written=now(),
    )


def spread_text(spread: Spread) -> str:
    """Mean ± standard deviation over folds, in per cent.

    Examples
    --------
    >>> spread_text(Spread(0.8125, 0.031)), spread_text(Spread(0.8125, None)), spread_text(Spread(None, None))
    ('81.2 ± 3.1', '81.2', '–')
    """
    if spread.mean is None:
        return "–"
    return f"{100 * spread.mean:.1f}" + ("" if spread.sd is None else f" ± {100 * spread.sd:.1f}")


def interval_text(estimate: Estimate) -> str:
    """The 95 % interval in per cent, or nothing.

    Examples
    --------
    >>> interval_text(Estimate(0.8, 0.7123, 0.9))
    '71.2–90.0'
    """
    if estimate.lo is None or estimate.hi is None:
        return ""
    return f"{100 * estimate.lo:.1f}–{100 * estimate.hi:.1f}"


def leak_statement(found: Reproduction) -> str | None:
    """What the image-level columns are worth, in words; None if no run leaks."""
    leaking = [one for one in found.outcomes if one.leaks]
    if not leaking:
        return None
    shares = [one.patient_in_train for one in leaking if one.patient_in_train is not None]
    share = f"{100 * _mean(leaking):.0f} % of the test images" if shares else "Test images"
    folds = "published folds are" if found.fold_files else "image-level folds are"
    return (
        f"The {folds} made by image: {share} there belong to patients whose other images were trained on. Those "
        "accuracies tell how well a network knows a patient again, not how well it does on a new one. Only the "
        "patient-level columns speak for new patients."
    )


def _mean(leaking: list[Outcome]) -> float:
    known = [(one.patient_in_train, one.images) for one in leaking if one.patient_in_train is not None]
    return sum(share * images for share, images in known) / sum(images for _, images in known)


def reproduction_banners(found: Reproduction) -> list[Banner]:
    """Banners in order of gravity."""
    leak = leak_statement(found)
    banners = [] if leak is None else [Banner("red", "The image-level folds leak", leak)]
    if found.simulated:
        text = (
            "Made by this package's simulation, for testing and demonstration. Nothing here is evidence about "
            "patients, and the published figures, which are of real images, cannot be compared with it."
        )
        banners.append(Banner("amber", "Simulated images", text))
    if not found.complete:
        text = f"{len(found.outcomes)} of {found.planned} runs are done. The same command goes on."
        banners.append(Banner("amber", "Not finished", text))
    return banners
