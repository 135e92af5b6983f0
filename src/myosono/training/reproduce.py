"""The published protocol: four tasks over the published folds, then the same by patient, for the networks compared.

Every task × split × network is a run folder of its own, made by `train`, so a killed protocol goes on where it stopped.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from myosono.cohort import Cohort
from myosono.evaluation import Evaluation
from myosono.evaluation.reproduction import Outcome, Reproduction
from myosono.provenance import machine, now, versions
from myosono.training.inputs import discard_inputs
from myosono.training.reproduce_plan import PlannedRun, Protocol
from myosono.training.run import Run
from myosono.training.train import train

_BEGUN = frozenset({"recipe.yaml", "splits.parquet", "splits.partial", "run.json.partial"})


def reproduce(
    protocol: Protocol,
    out: str | Path,
    *,
    command: str = "",
    quiet: bool = False,
    after_run: Callable[[Reproduction, Path, Evaluation], None] | None = None,
) -> Reproduction:
    """Run what is planned, run by run; finished runs are read, begun ones resumed.

    Parameters
    ----------
    out
        Folder of the run folders, ``out/runs``.
    after_run
        Called after each run, also one that was finished before, with the results so far, the run's folder and its
        evaluation.

    Raises
    ------
    RunError
        If ``out`` holds runs of another recipe or cohort.
    """
    folder = Path(out)
    found = _empty(protocol, command)
    timings: dict[str, list[float]] = {}
    for number, planned in enumerate(protocol.runs):
        evaluation = _evaluation_of_finished(planned, folder, protocol.cohort)
        if evaluation is None:
            if not quiet:
                left = _time_left(protocol.runs[number:], timings)
                _say(f"run {number + 1} of {len(protocol.runs)}: {planned.title}{left}")
            started = time.perf_counter()
            evaluation = _run(protocol, planned, folder, command, quiet=quiet)
            timings.setdefault(planned.recipe.model, []).append(time.perf_counter() - started)
        outcome = Outcome.from_evaluation(
            evaluation, task=planned.recipe.task, model=planned.recipe.model, run=planned.folder
        )
        found = _with(found, outcome)
        if after_run is not None:
            after_run(found, folder / planned.folder, evaluation)
    return found


def _run(protocol: Protocol, planned: PlannedRun, out: Path, command: str, *, quiet: bool) -> Evaluation:
    folder = out / planned.folder
    _clear_stillborn(folder)
    _, evaluation = train(
        protocol.cohort, planned.recipe, folder, only_folds=protocol.only_folds, command=command, quiet=quiet
    )
    # With a subset of folds the run stays open, and sixteen runs of kept inputs would fill a disk.
    discard_inputs(folder / "inputs.npy")
    return evaluation


def _clear_stillborn(folder: Path) -> None:
    """Remove a run folder that was killed before its run.json was written: nothing was fitted in it yet."""
    if folder.is_dir() and not (folder / "run.json").exists() and {item.name for item in folder.iterdir()} <= _BEGUN:
        shutil.rmtree(folder)


def _evaluation_of_finished(planned: PlannedRun, out: Path, cohort: Cohort) -> Evaluation | None:
    folder = out / planned.folder
    if not (folder / "run.json").exists():
        return None
    run = Run.open(folder)
    same = run.recipe == planned.recipe and run.facts["cohort"]["content_hash"] == cohort.info.content_hash
    if not same or run.facts["status"] != "finished":
        return None  # train resumes it, or says what is different
    return Evaluation.from_dict(json.loads((folder / "metrics.json").read_text(encoding="utf-8")))


def _empty(protocol: Protocol, command: str) -> Reproduction:
    info = protocol.cohort.info
    shared = protocol.base.model_dump(mode="json")
    return Reproduction(
        cohort=info.name,
        source=info.source,
        simulated=info.simulated,
        images=info.images,
        patients=info.patients,
        fold_files=protocol.fold_files,
        models=protocol.models,
        tasks=protocol.tasks,
        planned=len(protocol.runs),
        outcomes=(),
        settings={key: value for key, value in shared.items() if key not in ("model", "task", "split")},
        notes=protocol.notes,
        command=command,
        created=now(),
        machine=machine(),
        versions=versions(),
    )


def _with(found: Reproduction, outcome: Outcome) -> Reproduction:
    return replace(found, outcomes=(*found.outcomes, outcome))


def _time_left(runs: Sequence[PlannedRun], timings: dict[str, list[float]]) -> str:
    known: list[float] = []
    for run in runs:
        past = timings.get(run.recipe.model)
        if not past:
            return ""
        known.append(sum(past) / len(past))
    minutes = sum(known) / 60
    return f"; about {minutes:.0f} min left" if minutes < 120 else f"; about {minutes / 60:.0f} h left"


def _say(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"[bold cyan]{text}[/]", highlight=False)
