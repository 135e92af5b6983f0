"""The training step, the schedule and the patient-level validation, as a Lightning module."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn
from torch.nn import functional

from myosono.evaluation import apply_temperature, fit_temperature
from myosono.networks import create_model
from myosono.networks.preprocess import GREY_MEAN, GREY_STD
from myosono.pooling import pool_files
from myosono.training.augment import Augmenter
from myosono.training.distillation.lessons import Lessons
from myosono.training.distillation.loss import distillation_loss
from myosono.training.optimization import make_optimizer, schedule_factor
from myosono.training.recipe import Recipe
from myosono.training.views import ViewBatch, Views, derive_seed

MONITOR = "val_patient_loss"
"""What early stopping and the best checkpoint watch: class-balanced log loss of pooled patient probabilities.

It is taken at the temperature that suits the epoch best, since every network is calibrated afterwards: an epoch must
not lose for confidence that calibration will take away."""


class Classifier(pl.LightningModule):
    """One network, one fold.

    Parameters
    ----------
    recipe
        Settings.
    num_classes
        Number of target classes.
    class_weights
        Loss weight of each class, shape ``(classes,)``.
    patients
        Patient of every input row, for pooled validation.
    files
        File of every input row, where some are frames of one: a patient's files then count alike, as in evaluation.
    steps_per_epoch
        For the schedule.
    fold
        Mixed into the seeds of augmentation.
    views
        Numbered views to train on, one number an epoch; None: fresh augmentations.
    lessons
        A teacher's answers to ``views``; needs a recipe with a teacher.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        num_classes: int,
        class_weights: Tensor,
        patients: np.ndarray[Any, Any],
        steps_per_epoch: int,
        fold: int,
        files: np.ndarray[Any, Any] | None = None,
        views: Views | None = None,
        lessons: Lessons | None = None,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.fold = fold
        self.patients, self.files = patients, files
        self.steps_per_epoch = steps_per_epoch
        self.views, self.lessons = views, lessons
        self.network = create_model(
            recipe.model, num_classes=num_classes, in_chans=1, pretrained=recipe.pretrained, **recipe.model_options
        )
        self.network = self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False) if recipe.average_decay else None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.augment = Augmenter(recipe.augmentation, mean=GREY_MEAN, std=GREY_STD)
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def deployed(self) -> nn.Module:
        """The network that is validated, kept and exported: the averaged one where there is one."""
        return self.network if self.average is None else self.average

    def forward(self, images: Tensor) -> Tensor:
        """Logits of network inputs, from the trained weights in training and the deployed ones otherwise."""
        network = self.network if self.training else self.deployed
        logits: Tensor = network(images.contiguous(memory_format=torch.channels_last))
        return logits

    def on_train_batch_end(self, *args: Any) -> None:
        """Move the average towards the weights; the decay grows from 0, so that early noise is forgotten."""
        if self.average is None:
            return
        step = self.global_step
        decay = min(self.recipe.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if kept.dtype.is_floating_point:
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_index: int) -> Tensor:
        """Loss of augmented images, drawn by position, so that a resumed run draws the same numbers."""
        images, targets, rows = batch
        seed = derive_seed(self.recipe.seed, self.fold, self.current_epoch, batch_index)
        torch.manual_seed(seed)  # dropout
        if self.lessons is not None:
            view, answers = self.lessons.batch(rows.tolist(), self.current_epoch)
            return self._distilled_loss(view, targets, answers.to(images.device))
        if self.views is not None:
            view = self.views.batch(rows.tolist(), self.current_epoch)
            return self._mixed_loss(self(view.images.to(images.device)), targets, view)
        augmented = self.augment(images.cpu(), torch.Generator().manual_seed(seed)).to(images.device)
        return functional.cross_entropy(
            self(augmented), targets, weight=self._weights(), label_smoothing=self.recipe.label_smoothing
        )

    def _weights(self) -> Tensor:
        assert isinstance(self.class_weights, Tensor)
        return self.class_weights

    def _distilled_loss(self, view: ViewBatch, targets: Tensor, answers: Tensor) -> Tensor:
        teacher = self.recipe.teacher
        assert teacher is not None
        logits = self(view.images.to(targets.device))
        taught = distillation_loss(logits, answers, teacher.temperature)
        if teacher.weight == 1:
            return taught
        return teacher.weight * taught + (1 - teacher.weight) * self._mixed_loss(logits, targets, view)

    def _mixed_loss(self, logits: Tensor, targets: Tensor, view: ViewBatch) -> Tensor:
        """Cross-entropy against both labels of each image, by their shares; weighted as the plain loss is."""
        weights, smoothing = self._weights(), self.recipe.label_smoothing
        total, norm = logits.new_zeros(()), logits.new_zeros(())
        own = view.shares.to(logits.device)
        for labels, share in ((targets, own), (view.partners.to(logits.device), 1 - own)):
            each = functional.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing, reduction="none")
            total, norm = total + (share * each).sum(), norm + (share * weights[labels]).sum()
        return total / norm

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_index: int) -> None:
        """Collect; the figures are of patients, so they wait for the last batch."""
        images, targets, rows = batch
        self._seen.append((self(images).detach().cpu(), targets.cpu(), rows.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Image loss, patient loss and patient balanced accuracy."""
        logits, targets, rows = (torch.cat(parts) for parts in zip(*self._seen, strict=True))
        self._seen.clear()
        self.log("val_loss", functional.cross_entropy(logits, targets))
        seen = rows.numpy()
        files = None if self.files is None else self.files[seen].tolist()
        for name, value in patient_scores(logits, targets, self.patients[seen], files).items():
            self.log(name, value, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer and schedule, stepped every batch."""
        optimizer = make_optimizer(self.network, self.recipe)
        warmup = max(1, round(self.recipe.warmup_epochs * self.steps_per_epoch))
        total = max(warmup + 1, self.recipe.epochs * self.steps_per_epoch)

        def factor(step: int) -> float:
            return schedule_factor(self.recipe.schedule, step, warmup=warmup, total=total)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def patient_scores(
    logits: Tensor, targets: Tensor, patients: np.ndarray[Any, Any], files: Sequence[Hashable] | None = None
) -> dict[str, float]:
    """Class-balanced log loss and balanced accuracy of patients, from image logits ``(N, classes)``.

    ``files`` tell which images are frames of one file, and so count as one together; None: none are.
    """
    raw = torch.softmax(logits.double(), dim=1).numpy()
    temperature = fit_temperature(raw, targets.numpy(), patients.tolist())
    files = range(len(patients)) if files is None else files
    keys, pooled, _ = pool_files(apply_temperature(raw, temperature), patients.tolist(), files)
    target_of = dict(zip(patients.tolist(), targets.tolist(), strict=True))
    truth = np.array([target_of[key] for key in keys])
    losses = -np.log(np.clip(pooled[np.arange(len(truth)), truth], 1e-12, None))
    balanced = float(np.mean([losses[truth == target].mean() for target in np.unique(truth)]))
    return {
        MONITOR: balanced,
        "val_patient_balanced_accuracy": float(balanced_accuracy_score(truth, pooled.argmax(1))),
    }
