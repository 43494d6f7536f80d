"""Strict loading of a teacher's weights: nothing missing, nothing silently dropped."""

from typing import Sequence

from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn


def read_state_dict(checkpoint: str, prefix: str = '') -> dict[str, Tensor]:
    """The weights in a checkpoint file or URL.

    Args:
        checkpoint: where to read; loaded without executing code (see ``compat``).
        prefix: keep the keys under this prefix, if any key has it, and strip it.

    Raises:
        FileNotFoundError: naming the file and where to get one.
        ValueError: if the file holds no tensors.
    """
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'teacher checkpoint {checkpoint!r} does not exist; docs/model_zoo.md '
            'tells where to get it'
        ) from error
    for key in ('state_dict', 'model', 'module'):
        if isinstance(content.get(key), dict):
            content = content[key]
    state = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise ValueError(f'{checkpoint} holds no weights')
    if prefix and any(key.startswith(prefix) for key in state):
        state = {
            key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)
        }
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
        network: where to load.
        state: the weights.
        source: their file, for messages.
        optional: prefixes of parameters that the file may lack.
        ignored: prefixes of keys in the file that the network does not use.

    Raises:
        ValueError: naming missing, unexpected and wrongly shaped keys.
    """
    own = network.state_dict()
    wrong = [
        f'{key}: {tuple(state[key].shape)} in the file, {tuple(own[key].shape)} in the model'
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    missing = [key for key in own if key not in state and not key.startswith(tuple(optional))]
    unexpected = [key for key in state if key not in own and not key.startswith(tuple(ignored))]
    problems = [
        f'{name} {keys[:5]}{" ..." if len(keys) > 5 else ""}'
        for name, keys in (
            ('missing', missing),
            ('unexpected', unexpected),
            ('wrong shapes', wrong),
        )
        if keys
    ]
    if problems:
        raise ValueError(
            f'{source} does not fit {type(network).__name__}: '
            + '; '.join(problems)
            + '. Check the size in the config, or convert the file with '
            'tools/convert_checkpoint.py'
        )
    network.load_state_dict(
        {key: value for key, value in state.items() if key in own}, strict=False
    )
