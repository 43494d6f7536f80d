"""Lambdas of the total loss: one number for both teachers, or one for each."""

from typing import Collection, Mapping

from pmd_mmaction.functional import checks

# A teacher's name in a config to its name in the log.
TEACHERS = dict(image='img', video='vid')
LossWeight = float | Mapping[str, float]


def check_loss_weight(
    where: object, loss_weight: object, teachers: Collection[str] | None = None
) -> None:
    """Refuses what is neither a number of at least 0 nor ``dict(image=..., video=...)`` of them.

    Args:
        where: the component, for messages.
        loss_weight: the argument.
        teachers: names in the log of the model's teachers, each of which a dict must name; None
            means that they are not known yet.

    Raises:
        TypeError: for a teacher that there is not, or that a dict leaves out.
        ValueError: for a weight that is none.
    """
    if not isinstance(loss_weight, Mapping):
        checks.require_number(where, at_least=0, loss_weight=loss_weight)
        return
    names = [name for name, short in TEACHERS.items() if teachers is None or short in teachers]
    checks.require_keys(where, names, () if teachers is None else names, loss_weight=loss_weight)
    weights = {f'loss_weight.{name}': weight for name, weight in loss_weight.items()}
    checks.require_number(where, at_least=0, **weights)


def weight_of(loss_weight: LossWeight, teacher: str) -> float:
    """The weight of a teacher, given by its name in the log."""
    if not isinstance(loss_weight, Mapping):
        return loss_weight
    return next(loss_weight[name] for name, short in TEACHERS.items() if short == teacher)
