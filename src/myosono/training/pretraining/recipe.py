"""Settings of the pretraining, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PretrainingRecipe:
    """What is shown to teacher and student, and how the student is fitted.

    Attributes
    ----------
    drawn_per_kind, leaves, simulated
        Pictures drawn of each kind of other organs and things, of dead leaves, and simulated muscle images.
    views
        Crops that the teacher answers and the student learns.
    size
        Side of a view, in pixels.
    components
        Principal components of the teacher's features that the student learns.
    whitening
        Power of a component's standard deviation that it is divided by: 0 leaves the great ones their weight, 1 makes
        all alike.
    epochs, batch_size, learning_rate, weight_decay, seed
        Of the fit: AdamW, one epoch of warm-up, cosine to zero.
    reshuffle
        Whether every epoch takes other batches. The weights that ship were made without; with it and 20 epochs the
        student explains a little more of its teacher and is no better a start (`benchmarks/log.md`).
    """

    drawn_per_kind: int = 1000
    leaves: int = 4000
    simulated: int = 400
    views: int = 60_000
    size: int = 128
    components: int = 192
    whitening: float = 0.5
    epochs: int = 14
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0
    reshuffle: bool = False


OF_THE_FIT = ("epochs", "batch_size", "learning_rate", "weight_decay", "reshuffle")
"""What the views and their answers do not depend on."""
