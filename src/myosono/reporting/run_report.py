"""Write ``report.html``: one file, no network, for the screen, the phone and the printer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from myosono.evaluation import Evaluation
from myosono.evaluation import figures as draw
from myosono.provenance import now, versions
from myosono.reporting.facts import RunFacts, read_run_facts
from myosono.reporting.pages import page_environment, write_files
from myosono.reporting.statements import banners, headline, interval, number, split_kind

_TITLES = {"image": "Images", "muscle": "Muscles", "patient": "Patients"}
_FILE = "report.html"


def write_run_report(run_dir: str | Path, evaluation: Evaluation, *, out_dir: str | Path | None = None) -> Path:
    """Write ``report.html`` of a run.

    Parameters
    ----------
    run_dir
        Holds ``run.json``, ``recipe.yaml`` and ``fold_K/log.csv``; what is absent is left out of the report.
    evaluation
        What :func:`myosono.evaluation.evaluate` found.
    out_dir
        Where to write. Default: the run folder.

    Raises
    ------
    RunError
        If a file of the run is damaged, or the report cannot be written.
    """
    folder = Path(run_dir)
    return _write(folder if out_dir is None else Path(out_dir), evaluation, read_run_facts(folder))


def write_evaluation_report(out_dir: str | Path, evaluation: Evaluation, *, source: str | Path) -> Path:
    """Write ``report.html`` for predictions that another tool made.

    Parameters
    ----------
    out_dir
        Created if absent.
    source
        The predictions file, named in the report by its last part.

    Raises
    ------
    RunError
        If the report cannot be written.
    """
    return _write(Path(out_dir), evaluation, RunFacts(source=Path(source).name))


def render_report(evaluation: Evaluation, facts: RunFacts) -> str:
    """The report as HTML text."""
    environment = page_environment(
        number=number,
        interval=interval,
        muscle=draw.muscle_name,
        thousands=_thousands,
        unbroken=_unbroken,
    )
    return environment.get_template("report.html").render(
        evaluation=evaluation,
        facts=facts,
        headline=headline(evaluation, facts),
        banners=banners(evaluation, facts),
        split_kind=split_kind(evaluation, facts),
        titles=_TITLES,
        figures=_figures(evaluation, facts),
        wrong=[one for one in evaluation.patients if one.label != one.target],
        written=now(),
        versions=facts.part("versions") or versions(),
    )


def _figures(evaluation: Evaluation, facts: RunFacts) -> Mapping[str, Any]:
    calibration = evaluation.calibration
    stages = {"before": False, "after": True} if calibration.fitted else {"as given": False}
    reliability = [
        draw.draw_reliability(level, f"{name}, {stage}", after=after)
        for name, level in (("Images", calibration.image), ("Patients", calibration.patient))
        for stage, after in stages.items()
    ]
    training = draw.draw_training(facts.logs) if facts.logs else None
    return {
        "confusion": [Markup(draw.draw_confusion(part, _TITLES[name])) for name, part in evaluation.levels.items()],
        "roc": [Markup(draw.draw_roc(part, _TITLES[name])) for name, part in evaluation.levels.items()],
        "reliability": [Markup(svg) for svg in reliability],
        "muscles": Markup(draw.draw_muscles(evaluation.by_muscle, 1 / len(evaluation.classes)))
        if evaluation.by_muscle
        else None,
        "patients": Markup(draw.draw_patients(evaluation.patients, evaluation.classes)),
        "training": None if training is None else Markup(training),
    }


def _thousands(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def _unbroken(text: str) -> str:
    """Keep an interval and its percentage on one line."""
    return text.replace("–", "\u2060–\u2060").replace("95 % CI ", "95\u00a0%\u00a0CI\u00a0")


def _write(folder: Path, evaluation: Evaluation, facts: RunFacts) -> Path:
    write_files(folder, {_FILE: render_report(evaluation, facts)})
    return folder / _FILE
