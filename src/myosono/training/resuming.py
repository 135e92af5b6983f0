"""Callbacks that resume as if nothing had happened, also where the run folder was moved or the end was near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint


class FoldCheckpoint(ModelCheckpoint):
    """Keeps the best score when the run folder was renamed, copied or mounted elsewhere since the kill.

    Lightning forgets the score together with the old path, and the first resumed epoch would then pass for the best.
    """

    @property
    def state_key(self) -> str:
        """Lightning's own, so that runs begun without this class resume."""
        return _parents_key(super().state_key, self, ModelCheckpoint)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """State of the checkpoint that is resumed; its files lie where the run folder lies now."""
        super().load_state_dict(self._anchored(state_dict))

    def _anchored(self, state: dict[str, Any]) -> dict[str, Any]:
        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else ""

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        best = {here(path): score for path, score in state["best_k_models"].items()}
        return state | {name: here(state[name]) for name in paths} | {"best_k_models": best, "dirpath": self.dirpath}


class FoldEarlyStopping(EarlyStopping):
    """Trains no further epoch when the run was killed between its decision to stop and its end."""

    @property
    def state_key(self) -> str:
        """Lightning's own, so that runs begun without this class resume."""
        return _parents_key(super().state_key, self, EarlyStopping)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop where patience had ended before the kill."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


def _parents_key(key: str, callback: pl.Callback, parent: type[pl.Callback]) -> str:
    return key.replace(type(callback).__qualname__, parent.__qualname__, 1)
