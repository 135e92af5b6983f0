"""Lightning as all trainings here use it: deterministic, without its own log, bar and advice."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl

from myosono.errors import TERMINATED


def plain_trainer(epochs: int, **options: Any) -> pl.Trainer:
    """A trainer of that many epochs; what it shows and keeps is up to the callbacks among ``options``."""
    return pl.Trainer(
        max_epochs=epochs,
        deterministic=True,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


@contextmanager
def silent() -> Iterator[None]:
    """Lightning's advice on worker counts, folders and machines does not apply here."""
    logs = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def fit(trainer: pl.Trainer, *arguments: Any, **options: Any) -> None:
    """Train; a signal that Lightning turned into an exit ends the program as the signal would have.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C.
    SystemExit
        With 143 after SIGTERM, the code of a program that was ended: 0 would be taken for a finished training.
    """
    try:
        trainer.fit(*arguments, **options)
    except SystemExit as end:
        if trainer.received_sigterm:
            raise SystemExit(TERMINATED) from end
        raise KeyboardInterrupt from end
    if trainer.interrupted:
        raise KeyboardInterrupt
