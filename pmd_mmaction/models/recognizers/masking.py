"""How a recognizer masks clips: masker, views, and what data samples tell of their clips."""

from typing import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pmd_mmaction.arguments import Config, Options, require, require_keys
from pmd_mmaction.models.maskers import Masker, Views
from pmd_mmaction.models.recognizers.part_building import build_part


def build_masker(model: nn.Module, name: str, cfg: object) -> Masker:
    """A masker for the clips of the student.

    Args:
        model: the recognizer, with its backbone.
        name: its argument that holds the config.
        cfg: the config.

    Raises:
        ValueError: for what is none.
    """
    student = model.backbone
    known = dict(token_grid=student.token_grid, clip_size=student.clip_size)
    masker = build_part(model, name, cfg, known)
    if not isinstance(masker, Masker):
        raise ValueError(
            f'{type(model).__name__}: {name} is a {type(masker).__name__}; it must be a '
            'TubeMasker, CubeMasker, RunningCellMasker or another Masker'
        )
    return masker


def build_views(
    model: nn.Module, configs: Mapping[str, dict], num_masks: int, mask_choice: str
) -> Views:
    """What draws the views of an iteration.

    Args:
        model: the recognizer, with its backbone and masker.
        configs: name to ``dict(mask_ratio=...)``; ``decode`` is a config of a masker besides.
        num_masks: masks per clip.
        mask_choice: how they are drawn, see :class:`Views`.

    Raises:
        ValueError: for a name that is taken, or a view that makes no sense.
    """
    require(model, Options, views=configs)
    configs = dict(configs)
    decode, decode_ratio, whole_clip = configs.pop('decode', None), 0.0, False
    for name, cfg in configs.items():
        if name in ('student', 'auxiliary'):
            raise ValueError(
                f'{type(model).__name__}: views gives {name!r}, whose mask ratio the phase or '
                'mask_ratio sets; take another name'
            )
        require_keys(model, ('mask_ratio',), ('mask_ratio',), **{f'view {name}': cfg})
    if decode is not None:
        require(model, Config, decode=decode)
        decode = dict(decode)
        decode_ratio = decode.pop('mask_ratio', 0.5)
        whole_clip = decode.pop('whole_clip', False)
        require('views.decode', bool, whole_clip=whole_clip)
        decode = build_masker(model, 'views.decode', decode)
        if decode.reads:
            raise ValueError(
                f'views.decode is a {type(decode).__name__}, which reads {decode.reads}: only the '
                'masker of the student is given them; take another one'
            )
    wider = {name: cfg['mask_ratio'] for name, cfg in configs.items()}
    return Views(model.masker, num_masks, mask_choice, wider, decode, decode_ratio, whole_clip)


def stack_metainfo(data_samples: Sequence, name: str, clips: int, reader: object) -> Tensor:
    """A field of the data samples' metainfo, a row for each clip of the batch.

    Args:
        data_samples: of the videos.
        name: the field; in each sample an array with a row for each clip of the video.
        clips: clips of the batch B.
        reader: who needs it, for messages.

    Returns:
        ``(B, ...)`` on the host.

    Raises:
        ValueError: if a sample lacks the field, or the rows cannot be stacked.
    """
    kind = type(reader).__name__
    missing = [index for index, sample in enumerate(data_samples) if name not in sample]
    if missing or not data_samples:
        raise ValueError(
            f'data samples {missing} of the batch have no {name}, which {kind} reads: add the '
            'transform that makes it to the pipeline, and its name to '
            f"dict(type='PackActionInputs', meta_keys=('{name}', ...))"
        )
    rows = [np.asarray(sample.get(name)) for sample in data_samples]
    shapes = sorted({array.shape for array in rows})
    if len(shapes) > 1 or len(rows) * (shapes[0] or (0,))[0] != clips:
        raise ValueError(
            f'{name}, which {kind} reads, has the shapes {shapes} in the data samples of {clips} '
            'clips: all must be alike, with a row for each clip'
        )
    return torch.from_numpy(np.concatenate(rows))
