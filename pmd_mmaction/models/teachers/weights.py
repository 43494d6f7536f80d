"""Strict loading of a teacher's weights: nothing missing, nothing silently dropped."""

from typing import Mapping, Sequence

from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from pmd_mmaction.state_dicts import weight_differences


def read_state_dict(checkpoint: str, prefix: str = '') -> dict[str, Tensor]:
    """The weights in a checkpoint file or URL.

    Args:
        checkpoint: file or URL; loaded without executing code (see ``compat``).
        prefix: keep the keys under this prefix, if any key has it, and strip it.

    Raises:
        FileNotFoundError: naming the file and where to get one.
        ValueError: if the file has no tensors, or entries that are not tensors.
    """
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'checkpoint {checkpoint!r} does not exist; docs/model_zoo.md tells where to get those '
            'of teachers'
        ) from error
    for key in 3 * ('state_dict', 'model', 'module'):  # possibly nested, in any order
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    state = dict(content) if isinstance(content, Mapping) else {}
    others = [k for k, v in state.items() if not isinstance(k, str) or not isinstance(v, Tensor)]
    if len(others) == len(state):
        raise ValueError(
            f'{checkpoint} holds no weights: its entries are {others[:5]}. Save the one that is a '
            "state dict as 'state_dict'"
        )
    if others:
        raise ValueError(
            f'{checkpoint} holds entries among its weights that are none: {others[:5]}'
        )
    if prefix and any(key.startswith(prefix) for key in state):
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return state


def load_strictly(
    network: nn.Module,
    state: dict[str, Tensor],
    source: str | None,
    optional: Sequence[str] = (),
    ignored: Sequence[str] = (),
) -> None:
    """Loads ``state`` and refuses every difference that is not expected.

    Args:
        network: the network to load into.
        state: the weights.
        source: file of the weights, for messages.
        optional: prefixes of parameters that the file may lack.
        ignored: prefixes of keys in the file that the network does not use.

    Raises:
        ValueError: naming missing, unexpected and wrongly shaped keys.
    """
    own = network.state_dict()
    differences = weight_differences(own, state, optional, ignored)
    if differences:
        raise ValueError(
            f'{source} does not fit {type(network).__name__}: {differences}. Check the size in the '
            'config, or convert the file with tools/convert_checkpoint.py'
        )
    network.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)
