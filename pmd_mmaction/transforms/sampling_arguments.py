"""Checks the arguments of MMAction2's ``SampleFrames``, which ignores unknown ones."""

import inspect
from collections.abc import Callable, Mapping, Sequence

from mmaction.datasets.transforms import SampleFrames
from mmaction.registry import TRANSFORMS

from pmd_mmaction.arguments import Whole, argument_names, require, require_keys

COUNTS = ('clip_len', 'frame_interval', 'num_clips')


def check_sampling(pipeline: Sequence[dict | Callable]) -> None:
    """Refuses misspelt and impossible arguments of ``SampleFrames`` and its subclasses.

    Otherwise ``frame_intervall=4`` would train for weeks on neighbouring frames.

    Args:
        pipeline: configs of transforms; those that are built already are passed over.

    Raises:
        TypeError: for an argument that the transform has not.
        ValueError: for an invalid number of frames or clips.
    """
    for step in pipeline:
        kind = step.get('type') if isinstance(step, Mapping) else None
        kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
        if not (inspect.isclass(kind) and issubclass(kind, SampleFrames)):
            continue
        where, given = kind.__name__, {k: v for k, v in step.items() if k != 'type'}
        require_keys(where, argument_names(kind), config=given)
        require(where, Whole, **{k: v for k, v in given.items() if k in COUNTS})
