"""Differences between the weights in a file and those of a network."""

from typing import Mapping, NamedTuple, Sequence

from torch import Tensor


def weight_differences(
    own: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    optional: Sequence[str] = (),
    ignored: Sequence[str] | None = None,
) -> str:
    """Names the weights that are missing, unexpected, or of another shape.

    Args:
        own: the network's weights.
        found: the file's.
        optional: prefixes of weights that the file may lack.
        ignored: prefixes of weights in the file that the network need not have; None ignores all.

    Returns:
        One line, empty if the file fits. At most five weights of each kind are named.

    Example:
        >>> import torch
        >>> own = dict(weight=torch.zeros(2, 3), bias=torch.zeros(2))
        >>> weight_differences(own, dict(weight=torch.zeros(3, 3)))
        "missing ['bias']; wrong shapes ['weight: (3, 3) in the file, (2, 3) in the model']"
    """
    missing = [key for key in own if key not in found and not key.startswith(tuple(optional))]
    unexpected = []
    if ignored is not None:
        unexpected = [k for k in found if k not in own and not k.startswith(tuple(ignored))]
    wrong = [
        f'{key}: {tuple(found[key].shape)} in the file, {tuple(own[key].shape)} in the model'
        for key in own
        if key in found and found[key].shape != own[key].shape
    ]
    kinds = {'missing': missing, 'unexpected': unexpected, 'wrong shapes': wrong}
    return '; '.join(f'{k} {v[:5]}{" ..." if len(v) > 5 else ""}' for k, v in kinds.items() if v)


class BackboneComparison(NamedTuple):
    """A checkpoint beside the backbone that it is for.

    Attributes:
        differences: as of :func:`weight_differences`.
        found: the checkpoint's weights, without the ``module.`` of DDP.
        own: the weights of the backbone.
    """

    differences: str
    found: dict[str, Tensor]
    own: dict[str, Tensor]


def compare_backbone(weights: Mapping[str, Tensor], content: Mapping) -> BackboneComparison:
    """Compares the ``backbone.*`` of a network with those of a checkpoint.

    A pre-trained encoder ends with ``norm``; one that pools first has a fresh ``fc_norm`` instead.

    Args:
        weights: ``state_dict()`` of the network.
        content: of the checkpoint.
    """
    found = {k.removeprefix('module.'): v for k, v in content.get('state_dict', content).items()}
    own = {k: v for k, v in weights.items() if k.startswith('backbone.')}
    differences = weight_differences(own, found, optional=('backbone.fc_norm.',))
    return BackboneComparison(differences, found, own)
