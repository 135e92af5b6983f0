"""`myosono train`: cohort + recipe → run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from myosono.cli.output import console, print_json, typed_command, written
from myosono.errors import RecipeError
from myosono.extras import require_train


def train_command(
    cohort: Annotated[Path, typer.Argument(help="Cohort folder.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder; the same command resumes it.")],
    recipe: Annotated[Path | None, typer.Option(help="YAML file of settings; the rest take their defaults.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. epochs=40 (repeatable).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Network; see myosono models.")] = None,
    pretrained: Annotated[
        bool | None, typer.Option("--pretrained", help="Start from pretrained weights: ours, or those of ImageNet.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="four_class, affected, ibm_vs_normal, ibm_vs_other, or label.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="patient (default), published, or image (leaks).")] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the network input, in pixels.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each fold.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same metrics.")] = None,
    only_fold: Annotated[
        list[int] | None, typer.Option("--fold", help="Fit this fold only, from 0; repeatable.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train a network over the folds of a split, predict every held-out image, evaluate, and write a report."""
    require_train("myosono train")
    from myosono.cli.evaluate import print_summary
    from myosono.cohort import Cohort
    from myosono.reporting import write_run_report
    from myosono.training import load_recipe, train

    named: dict[str, Any] = {
        "model": model, "pretrained": pretrained, "task": task, "split": split, "folds": folds, "size": size,
        "epochs": epochs, "seed": seed,
    }  # fmt: skip
    overrides = {key: value for key, value in named.items() if value is not None} | parse_settings(settings or [])
    run, evaluation = train(
        Cohort.open(cohort), load_recipe(recipe, overrides), out, only_folds=only_fold or None, command=typed_command()
    )
    report = write_run_report(run.path, evaluation)
    if json:
        print_json(evaluation.to_dict())
        return
    print_summary(evaluation, console())
    written(report, "report")


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` pairs as typed on the command line, values read as YAML.

    Raises
    ------
    RecipeError
        A pair without ``=``, or a value that is not YAML.
    """
    import yaml

    parsed: dict[str, Any] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key:
            raise RecipeError(f"--set {setting!r} is not KEY=VALUE", remedy="For example: --set learning_rate=0.001")
        try:
            parsed[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RecipeError(f"--set {key}: {value!r} is not a value: {error}") from error
    return parsed
