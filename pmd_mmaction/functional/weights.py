"""What keeps the weights of a file from fitting a network."""

from typing import Mapping, Sequence

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
        ignored: prefixes of the file's weights that the network need not have; None: all of them.

    Returns:
        One line, empty if the file fits. At most five weights of each kind are named.
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
    return '; '.join(
        f'{kind} {keys[:5]}{" ..." if len(keys) > 5 else ""}'
        for kind, keys in kinds.items()
        if keys
    )
