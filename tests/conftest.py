"""What many tests need: the shared real data (or a reason to skip), and one tiny simulated cohort and run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets beside the checkout; none of it is in the repository."""
    folder = Path(os.environ.get("MYOSONO_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not present at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory):
    """16 simulated patients, 3 images each."""
    from myosono.cohort.simulation import SimulationConfig, simulate_cohort

    config = SimulationConfig.small(16, images_per_patient=3, scale=0.25, seed=1)
    return simulate_cohort(config, tmp_path_factory.mktemp("tiny") / "cohort", progress=False)


@pytest.fixture(scope="session")
def tiny_recipe():
    """Seconds, not minutes."""
    from myosono.training import Recipe

    return Recipe(model="stanet_xs", size=64, epochs=2, folds=2, batch_size=8, validation_fraction=0.4)


@pytest.fixture(scope="session")
def tiny_run(tiny_cohort, tiny_recipe, tmp_path_factory: pytest.TempPathFactory):
    """A finished run on the tiny cohort: ``(run, evaluation)``."""
    from myosono.training import train

    return train(tiny_cohort, tiny_recipe, tmp_path_factory.mktemp("tiny") / "run", command="test", quiet=True)


@pytest.fixture(scope="session")
def tiny_model(tiny_run, tiny_cohort, tmp_path_factory: pytest.TempPathFactory):
    """The tiny run's first fold as an artefact."""
    from myosono.export import export_run

    run, _ = tiny_run
    return export_run(run, tiny_cohort, tmp_path_factory.mktemp("tiny") / "model.onnx", fold=0, quiet=True)
