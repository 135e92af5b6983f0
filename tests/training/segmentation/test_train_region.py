"""The region network: its size, its training in miniature, its file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from myosono.errors import CohortError
from myosono.export.region import export_region
from myosono.networks import measure_cost
from myosono.networks.region import RegionConfig, RegionGraph, RegionNet
from myosono.quantification import RegionModel
from myosono.quantification.decode import borders_to_mask, decode_borders
from myosono.training.segmentation import (
    RegionRecipe,
    network_proposer,
    score_samples,
    simulate_samples,
    train_region,
)
from myosono.training.segmentation.augment import IGNORED, RegionDataset, Window, tissue_of
from myosono.training.segmentation.module import RegionModule, region_loss

SMALL = RegionConfig(rows=64, columns=32, stem=8, widths=(8, 12, 16, 16))
FAST = RegionRecipe(epochs=2, batch_size=4)


@pytest.fixture(scope="module")
def samples():
    return simulate_samples(8, seed=1, quiet=True)


def test_the_network_costs_less_than_150_mmac_and_keeps_the_size() -> None:
    config = RegionConfig()
    network = RegionNet().eval()
    assert measure_cost(network, (1, config.rows, config.columns)).macs < 150e6
    with torch.no_grad():
        assert network(torch.zeros(2, 1, config.rows, config.columns)).shape == (2, 3, config.rows, config.columns)


def test_targets_follow_the_borders_and_the_window(samples) -> None:
    sample = samples[0]
    height, width = sample.image.shape
    flat = replace(sample, borders=np.tile(np.array([[0.25], [0.75]], np.float32) * height, (1, width)))
    whole = tissue_of(flat, Window(0, 0, 1, 1), SMALL)
    np.testing.assert_array_equal(np.bincount(whole[:, 0]), [16, 32, 16])
    np.testing.assert_array_equal(np.bincount(tissue_of(flat, Window(0.25, 0, 1.0, 1), SMALL)[:, 5])[1:], [43, 21])
    unknown = replace(flat, borders=np.where(np.arange(width) < width // 2, np.nan, flat.borders).astype(np.float32))
    assert (tissue_of(unknown, Window(0, 0, 1, 1), SMALL)[:, 0] == IGNORED).all()


def test_augmentation_is_decided_by_seed_epoch_and_index(samples) -> None:
    first, second = (RegionDataset(samples, SMALL, seed=3) for _ in range(2))
    torch.testing.assert_close(first[2][0], second[2][0])
    assert not torch.equal(first[2][0], RegionDataset(samples, SMALL, seed=3, epoch=1)[2][0])
    for index in range(len(samples)):
        grey, tissue = first[index]
        assert grey.shape == (1, 64, 32)
        assert set(tissue.unique().tolist()) == {0, 1, 2}


def test_loss_is_small_for_the_truth_and_unmoved_by_unknown_columns() -> None:
    tissue = torch.zeros(1, 8, 6, dtype=torch.int64)
    tissue[:, 2:5], tissue[:, 5:], tissue[:, :, 3:] = 1, 2, IGNORED
    sure = 20.0 * torch.nn.functional.one_hot(tissue.clamp_min(0), 3).permute(0, 3, 1, 2).float()
    assert float(region_loss(sure, tissue)) < 1e-3
    changed = sure.clone()
    changed[..., 3:] = torch.randn(1, 3, 8, 3)
    torch.testing.assert_close(region_loss(changed, tissue), region_loss(sure, tissue))
    assert float(region_loss(-sure, tissue)) > 1


def test_stopped_or_not_training_ends_at_the_same_weights(samples, tmp_path, monkeypatch) -> None:
    straight = train_region(samples, tmp_path / "a", FAST, config=SMALL, quiet=True)
    finished = train_region(samples, tmp_path / "a", FAST, config=SMALL, quiet=True)

    def power_cut(module):
        if module.current_epoch == 1:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(RegionModule, "on_train_epoch_start", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train_region(samples, tmp_path / "b", FAST, config=SMALL, quiet=True)
    resumed = train_region(samples, tmp_path / "b", FAST, config=SMALL, quiet=True)
    for name, weight in straight.state_dict().items():
        torch.testing.assert_close(finished.state_dict()[name], weight, rtol=0, atol=0)
        torch.testing.assert_close(resumed.state_dict()[name], weight, rtol=0, atol=0)


def test_too_few_images_are_refused(samples, tmp_path) -> None:
    with pytest.raises(CohortError, match="fewer than one batch"):
        train_region(samples[:3], tmp_path / "c", FAST, config=SMALL, quiet=True)


def test_more_training_fits_better(samples, tmp_path) -> None:
    network = train_region(samples, tmp_path, replace(FAST, epochs=25, learning_rate=1e-2), config=SMALL, quiet=True)
    trained = score_samples(network_proposer(network), samples, quiet=True)
    untrained = score_samples(network_proposer(RegionNet(SMALL)), samples, quiet=True)
    assert np.mean([score.dice for score in trained]) > np.mean([score.dice for score in untrained]) + 0.15
    assert np.mean([score.dice for score in trained]) > 0.7


def test_the_exported_file_proposes_what_the_network_does(samples, tmp_path) -> None:
    network = RegionNet(SMALL).eval()
    path = export_region(network, tmp_path / "region.onnx", {"name": "tiny", "trained_on": "nothing", "licence": "-"})
    model = RegionModel(path, threads=1)
    for sample in samples[:2]:
        with torch.no_grad():
            tissue = RegionGraph(network)(torch.from_numpy(sample.image)).numpy()
        borders, support = decode_borders(tissue)
        region = model.propose(sample.image)
        assert np.mean(region.mask != borders_to_mask(borders, *sample.image.shape)) < 0.01
        assert region.support == pytest.approx(support, abs=1e-3)
    assert model.metadata["macs"] == measure_cost(network, (1, 64, 32)).macs
