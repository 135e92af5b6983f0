"""`myosono compare`: many models on the same patients, and which differences are more than chance."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myosono.cli.output import SIMULATED_NOTE, console, print_json, typed_command, written
from myosono.cli.train import parse_settings
from myosono.errors import MyosonoError, RunError, UsageError
from myosono.extras import require_train
from myosono.provenance import machine, now, versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from myosono.evaluation.comparison import Comparison, ModelScore
    from myosono.training import Recipe
    from myosono.training.sweep import Entrant, Pool


_DECIDED = {
    "model": "--models",
    "pretrained": "--models NAME:pretrained",
    "task": "--tasks",
    "split": "--splits",
    "seed": "--seeds",
}


def compare_command(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    models: Annotated[
        str, typer.Option(help="Names, with commas between; see myosono models. NAME:pretrained: from its weights.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for cells and report; the same command resumes it.")],
    flagship: Annotated[
        str | None, typer.Option(help="The model that the others are set against. Default: the first.")
    ] = None,
    pretrained: Annotated[str, typer.Option(help="Those of the models that start from pretrained weights.")] = "",
    tasks: Annotated[str, typer.Option(help="Tasks, with commas between.")] = "auto",
    splits: Annotated[str, typer.Option(help="Of patient, published, image; the last two leak.")] = "patient",
    seeds: Annotated[str, typer.Option(help="Seeds of split and training, with commas between.")] = "0",
    folds: Annotated[str | None, typer.Option(help="Fit these folds alone, from 0, for example 0,1.")] = None,
    recipe: Annotated[
        list[Path] | None, typer.Option(help="YAML file of settings. Repeatable: every model under every recipe.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of the network input, in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each fold.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting of every recipe. Repeatable.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Cells at once on this machine, the cores shared among them.")
    ] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Fit the cells as Ray tasks on this machine.")] = False,
    address: Annotated[str | None, typer.Option(help="Fit them on this Ray cluster, e.g. ray://host:10001.")] = None,
    profile: Annotated[bool, typer.Option("--profile/--no-profile", help="Measure latency and file size.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Fit every fold of every model, keep each result as it finishes, and report paired differences by patient."""
    require_train("myosono compare")
    from myosono.cohort import Cohort
    from myosono.evaluation.comparison import Contender, compare
    from myosono.reporting import write_comparison
    from myosono.training.sweep import CellStore, collect_entries, order_entrants, plan_cells, run_sweep

    opened = Cohort.open(cohort)
    overrides = {key: value for key, value in {"size": size, "epochs": epochs}.items() if value is not None}
    recipes = _recipes(recipe or [], overrides | parse_settings(settings or []))
    names = _names(models)
    cells = plan_cells(
        opened,
        recipes,
        models=names,
        tasks=_names(tasks),
        splits=_names(splits),
        seeds=_numbers(seeds, "--seeds"),
        pretrained=_names(pretrained),
        flagship=flagship,
        only_folds=None if folds is None else _numbers(folds, "--folds"),
    )
    store = CellStore(out)
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = _pool(workers, threads, ray=ray or address is not None, address=address)
    result = run_sweep(cells, store, pool, threads=threads, command=typed_command(), quiet=False)
    entrants = order_entrants(names, _names(pretrained), flagship)
    champion = Contender(*entrants[0], next(iter(recipes)))
    entries = collect_entries(cells, store)
    if not any(entry.contender == champion for entry in entries):
        raise RunError(_nothing(champion.label(), result.failed), path=out, remedy="The finished cells are kept.")
    found = compare(entries, flagship=champion, quiet=json)
    profiles, reason = _profiles(entrants, recipes) if profile else ({}, "not measured: --no-profile was given")
    facts = {
        "command": typed_command(),
        "created": now(),
        "versions": versions(),
        "machine": machine(),
        "cohort": opened.info.name,
        "simulated": opened.info.simulated,
        "failed": result.failed,
    }
    report = write_comparison(found, out, profiles=profiles, facts=facts, missing_profile_reason=reason)
    if json:
        print_json(found.to_dict())
    else:
        print_comparison(found, console())
        if opened.info.simulated:
            console().print(f"[yellow]{SIMULATED_NOTE}[/]")
        written(report, "report")
    if result.failed:
        raise typer.Exit(1)


def _nothing(champion: str, failed: Mapping[str, str]) -> str:
    first = next(iter(failed.items()), None)
    reason = f"; {len(failed)} folds failed, first {first[0]}: {first[1]}" if first else ""
    return f"no fold of {champion}, which the others are set against, is finished{reason}"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str, option: str) -> list[int]:
    try:
        found = [int(part) for part in _names(text)]
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is not whole numbers with commas between") from error
    if not found:
        raise UsageError(f"{option} {text!r} names none")
    return found


def _recipes(paths: Sequence[Path], overrides: dict[str, Any]) -> dict[str, Recipe]:
    from myosono.training import load_recipe

    if not paths:
        return {"default": _checked(load_recipe(None, overrides), "--set")}
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        raise UsageError(f"two recipes are called alike: {', '.join(names)}", remedy="Rename one of the files")
    return {path.stem: _checked(load_recipe(path, dict(overrides)), str(path)) for path in paths}


def _checked(recipe: Recipe, source: str) -> Recipe:
    """Refuse what the comparison decides by its own options: a setting must not be dropped unseen."""
    for name, option in _DECIDED.items():
        value = getattr(recipe, name)
        if value != type(recipe).model_fields[name].default:
            raise UsageError(f"{source}: {name}: {value} is not taken from a recipe here", remedy=f"Use {option}")
    return recipe


def _pool(workers: int, threads: int, *, ray: bool, address: str | None) -> Pool:
    from myosono.training.sweep import InProcess, Processes, RayTasks

    if ray:
        return RayTasks(address, threads=threads, slots=workers if address is None else None)
    return InProcess() if workers == 1 else Processes(workers)


def _profiles(
    entrants: Sequence[Entrant], recipes: Mapping[str, Recipe]
) -> tuple[dict[str, dict[str, Any]], str | None]:
    from myosono.export import profile_models
    from myosono.networks.registry import model_kind

    sides = {recipe.size for recipe in recipes.values()}
    if len(sides) > 1 or any(recipe.model_options for recipe in recipes.values()):
        return {}, "not measured: the recipes differ in size, or change the networks; see myosono profile"
    side = sides.pop()
    names = dict.fromkeys(entrant.model for entrant in entrants)
    networks = [name for name in names if model_kind(name) == "network"]
    try:
        measured = profile_models(networks, input_shape=(1, side, side), repeats=20)
    except Exception as error:  # noqa: BLE001 - a cost that cannot be measured must not cost the comparison
        told = str(error) if isinstance(error, MyosonoError) else f"{type(error).__name__}: {error}"
        return {}, f"not measured: {told}"
    return {one.name: one.to_dict() for one in measured}, None


def print_comparison(found: Comparison, screen: Console) -> None:
    """A table of each condition: scores, and differences from the flagship with corrected p-values; their limits."""
    from rich.markup import escape
    from rich.table import Table

    from myosono.reporting.comparison_banners import patients_banners

    for condition in found.conditions:
        warning = "  [red]this split leaks patients[/]" if condition.leaks else ""
        table = Table(title=escape(condition.label()) + warning, show_lines=True)
        table.add_column("model", overflow="fold")
        for heading in ("patients\nimages", "image accuracy", "image AUC", "patient accuracy", "AUC difference", "p"):
            table.add_column(heading, justify="right", no_wrap=heading == "p")
        rows = [score for score in found.scores if score.condition == condition]
        for score, row in zip(rows, (r for r in found.to_rows() if _same(r, condition)), strict=True):
            table.add_row(
                f"{escape(score.contender.label(recipe=found.several_recipes))}\n[dim]{_extent(score, row)}[/]",
                f"{score.patients}\n{score.images}",
                _interval(row, "image_accuracy"),
                _interval(row, "image_auc"),
                _interval(row, "patient_accuracy"),
                _interval(row, "image_auc_difference", signed=True) + _on_fewer(found, score),
                "" if row["image_auc_difference_p_holm"] is None else f"{row['image_auc_difference_p_holm']:.3f}",
            )
        screen.print(table)
    screen.print(
        f"Intervals: 95 %, patients resampled. Difference: from "
        f"{escape(found.flagship.label(recipe=found.several_recipes))}, on the same patients; "
        "p corrected over the models (Holm)."
    )
    for banner in patients_banners(found):
        screen.print(f"{banner.title}: {banner.text}", style="yellow", markup=False)


def _on_fewer(found: Comparison, score: ModelScore) -> str:
    """Said where a difference rests on a part of the patients alone."""
    shared = found.shared_patients(score)
    return "" if shared is None else f"\n[yellow]on {shared} of {found.most_patients(score)} patients[/]"


def _extent(score: ModelScore, row: Mapping[str, Any]) -> str:
    """How much of the cohort a score is of; the seeds of another tool are not known."""
    from myosono.evaluation.comparison import AS_GIVEN

    folds = f"{score.folds} of {score.of_folds} fold{'s' if score.of_folds != 1 else ''}"
    if score.condition.task == AS_GIVEN:
        return folds
    return f"{folds}, seed{'s' if len(score.seeds) != 1 else ''} {row['seeds']}"


def _same(row: Mapping[str, Any], condition: Any) -> bool:
    return (row["cohort"], row["task"], row["split"]) == (condition.cohort, condition.task, condition.split)


def _interval(row: Mapping[str, Any], name: str, *, signed: bool = False) -> str:
    from myosono.evaluation import Estimate
    from myosono.reporting.comparison_report import figure_text, interval_text

    found = Estimate(row[name], row[f"{name}_lo"], row[f"{name}_hi"])
    if found.value is None:
        return ""
    span = interval_text(found, signed=signed)
    return figure_text(found.value, signed=signed) + (f"\n({span})" if span else "")
