"""Muscle borders from drawn aponeuroses."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from myosono.errors import CohortError
from myosono.training.segmentation import group_samples, hold_out, read_aponeurosis_folder
from myosono.training.segmentation.samples import Sample, simulate_samples
from myosono.training.segmentation.targets import find_lines, muscle_borders


def drawn(*lines: tuple[int, int, int, int], shape: tuple[int, int] = (100, 80)) -> np.ndarray:
    """Lines of ``(top, bottom, left, right)``, half-open."""
    mask = np.zeros(shape, np.uint8)
    for top, bottom, left, right in lines:
        mask[top:bottom, left:right] = 255
    return mask


def test_muscle_lies_between_the_inner_edges_of_the_first_two_lines() -> None:
    borders = muscle_borders(drawn((10, 14, 0, 80), (50, 55, 0, 80), (80, 83, 0, 80)))
    np.testing.assert_array_equal(borders, [[14] * 80, [50] * 80])


def test_columns_without_both_lines_are_unknown() -> None:
    borders = muscle_borders(drawn((10, 14, 0, 80), (50, 55, 20, 60)))
    assert borders is not None
    assert np.isnan(borders[:, :20]).all()
    assert np.isnan(borders[:, 60:]).all()
    assert not np.isnan(borders[:, 20:60]).any()


def test_pieces_of_an_interrupted_line_are_one_and_scraps_are_none() -> None:
    lines = find_lines(drawn((10, 14, 0, 30), (11, 15, 35, 80), (50, 54, 0, 80), (70, 72, 40, 50)))
    assert [round(line.depth) for line in lines] == [12, 52]
    assert lines[0].drawn.sum() == 75


def test_one_line_makes_no_muscle() -> None:
    assert muscle_borders(drawn((10, 14, 0, 80))) is None
    assert muscle_borders(drawn()) is None


def write_set(root, count: int) -> None:
    (root / "images").mkdir()
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    rows = ["file,mask,original_width,original_height"]
    for number in range(count):
        grey = rng.integers(30, 200, (100, 80), dtype=np.uint8)
        Image.fromarray(grey).save(root / "images" / f"{number}.png")
        Image.fromarray(drawn((10, 14, 0, 80), (50, 55, 0, 80))).save(root / "masks" / f"{number}.png")
        rows.append(f"images/{number}.png,masks/{number}.png,800,600")
    (root / "index.csv").write_text("\n".join(rows))


def test_a_folder_of_masks_is_read_and_a_broken_one_refused(tmp_path) -> None:
    write_set(tmp_path, 3)
    samples = read_aponeurosis_folder(tmp_path, quiet=True)
    assert [sample.layout for sample in samples] == ["800x600"] * 3
    assert samples[0].borders.shape == (2, samples[0].image.shape[1])
    Image.fromarray(drawn(shape=(5, 5))).save(tmp_path / "masks" / "1.png")
    with pytest.raises(CohortError, match=r"1\.png"):
        read_aponeurosis_folder(tmp_path, quiet=True)
    with pytest.raises(CohortError, match=r"index\.csv is missing"):
        read_aponeurosis_folder(tmp_path / "images", quiet=True)


def test_look_alikes_stay_on_one_side_of_the_split() -> None:
    samples = simulate_samples(12, quiet=True)
    twins = [*samples, *(Sample(f"{s.name}b", s.layout, s.image // 2 + 10, s.borders) for s in samples)]
    groups = group_samples(twins)
    assert groups[:12] == groups[12:]
    train, test = hold_out(twins, folds=3)
    assert len(train) + len(test) == 24
    names = [{sample.name.removesuffix("b") for sample in part} for part in (train, test)]
    assert names[1]
    assert not names[0] & names[1]


def test_simulated_borders_lie_on_the_fasciae() -> None:
    """Just above the superficial border lies the bright fascia, brighter than muscle just below it."""
    differences = []
    for sample in simulate_samples(12, seed=3, quiet=True):
        assert (sample.borders[0] < sample.borders[1]).all()
        columns = np.arange(sample.image.shape[1])
        row = np.rint(sample.borders[0]).astype(int)
        differences.append(sample.image[row - 2, columns].mean() - sample.image[row + 12, columns].mean())
    assert np.mean(differences) > 10
    assert min(differences) > -10
