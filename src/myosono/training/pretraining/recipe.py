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
    """

    drawn_per_kind: int = 1000
    leaves: int = 4000
    simulated: int = 400
    views: int = 60_000
    size: int = 128
    components: int = 192
    whitening: float = 0.5
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0


OF_THE_FIT = ("epochs", "batch_size", "learning_rate", "weight_decay")
"""What the views and their answers do not depend on."""
