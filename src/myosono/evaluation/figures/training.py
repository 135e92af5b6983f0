"""Training curves, one line per fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from myosono.evaluation.figures.style import ACCENT, QUIET, SECOND, drawing, grid, to_svg

_LOSSES = {"train_loss": SECOND, "val_loss": ACCENT}


def draw_training(logs: Mapping[str, pd.DataFrame]) -> str | None:
    """Losses and validation metrics over epochs as SVG; None if the logs hold nothing to draw.

    Parameters
    ----------
    logs
        By fold: columns ``epoch``, ``train_loss``, ``val_loss`` and any other ``val_...``.
    """
    logs = {fold: log.sort_values("epoch") for fold, log in logs.items() if "epoch" in log.columns and len(log)}
    losses = [name for name in _LOSSES if any(name in log.columns for log in logs.values())]
    others = _validation_metrics(list(logs.values()))
    panels: list[tuple[str, list[str]]] = ([("Loss", losses)] if losses else []) + [
        (f"Validation: {name.removeprefix('val_').replace('_', ' ')}", [name]) for name in others
    ]
    if not panels:
        return None
    with drawing(3.5 * len(panels), 2.9) as figure:
        for axes, (title, names) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            grid(axes)
            for name in names:
                for place, log in enumerate(logs.values()):
                    if name in log.columns:
                        known = log[["epoch", name]].dropna()
                        said = {"train_loss": "training", "val_loss": "validation"}.get(name) if not place else None
                        axes.plot(
                            known["epoch"] + 1,  # counted from 1, as while it trains
                            known[name],
                            color=_LOSSES.get(name, ACCENT),
                            lw=1.3,
                            alpha=0.75,
                            label=said,
                            marker="o" if len(known) == 1 else None,
                        )
            axes.set(title=title, xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            if names == losses:
                axes.legend(labelcolor=QUIET, fontsize=9)
        epochs = max(int(log["epoch"].max()) for log in logs.values())
        return to_svg(figure, f"Training curves of {len(logs)} folds over {epochs + 1} epochs.")


def _validation_metrics(logs: Sequence[pd.DataFrame]) -> list[str]:
    names = list(dict.fromkeys(name for log in logs for name in log.columns))
    chosen = [name for name in names if name.startswith("val_") and name not in _LOSSES]
    return [
        name for name in chosen if any(name in log.columns and pd.api.types.is_numeric_dtype(log[name]) for log in logs)
    ][:2]
