"""What a student loses by disagreeing with its teacher."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Divergence of the student's softened probabilities from the teacher's, mean over images.

    ``T² KL(softmax(teacher / T) || softmax(student / T))`` (Hinton et al. 2015); the factor keeps the gradient's size
    whatever the temperature.

    Parameters
    ----------
    student, teacher
        Logits ``(N, classes)``.
    temperature
        ``T``, at least 1.
    """
    divergence = functional.kl_div(
        functional.log_softmax(student / temperature, dim=1),
        functional.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return divergence * temperature**2
