from __future__ import annotations

import pytest
import torch

from myosono.training.distillation import distillation_loss

TEACHER = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_agreement_up_to_a_constant_costs_nothing_and_disagreement_something(temperature):
    assert distillation_loss(TEACHER + 5.0, TEACHER, temperature).item() == pytest.approx(0.0, abs=1e-6)
    assert distillation_loss(TEACHER.flip(1), TEACHER, temperature).item() > 0.1


def test_it_is_the_divergence_by_definition():
    student = torch.tensor([[0.3, 0.1, -0.2], [1.0, -1.0, 0.0]])
    p, q = torch.softmax(TEACHER / 2, 1), torch.softmax(student / 2, 1)
    expected = 4 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(distillation_loss(student, TEACHER, 2.0), expected)


def test_at_high_temperature_the_gradient_is_that_of_matching_logits():
    """Hinton et al. 2015, section 2.1: towards (student - teacher) / classes for logits of mean zero."""
    student = torch.tensor([[0.3, 0.1, -0.4]], requires_grad=True)
    teacher = TEACHER[:1] - TEACHER[:1].mean()
    distillation_loss(student, teacher, 1000.0).backward()
    torch.testing.assert_close(student.grad, (student.detach() - teacher) / 3, atol=3e-3, rtol=0)
