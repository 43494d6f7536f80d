"""The files next to the weights in a folder for ``from_pretrained``."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

from safetensors.torch import save
from torch import Tensor

from pmd_mmaction.arguments import Whole, require
from pmd_mmaction.convert.encoder import ClipSize, EncoderSize

MAX_CONFIG_BYTES = 2**20  # with the names of 20 000 classes


@dataclass(frozen=True)
class HuggingFaceFolder:
    """The content of a folder.

    Attributes:
        state_dict: content of ``model.safetensors``.
        config: content of ``config.json``.
        preprocessor: content of ``preprocessor_config.json``.
        code: Python file to put beside them, or None.
    """

    state_dict: dict[str, Tensor]
    config: dict
    preprocessor: dict
    code: Path | None


def read_folder_config(path: Path) -> dict:
    """The content of a ``config.json``.

    Raises:
        ValueError: if it is not a config, or too large to be one.
    """
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ValueError(f'{path} has {path.stat().st_size} bytes, too many for a config.json')
    try:
        config = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is no JSON: {error}') from error
    if not isinstance(config, dict):
        raise ValueError(f'{path} holds no config')
    return config


def clip_size_of(config: Mapping) -> ClipSize:
    """The clip size given by ``config.json``.

    Raises:
        ValueError: if it is not VideoMAE's.
    """
    if config.get('model_type') != 'videomae':
        raise ValueError(f'its config.json is of a {config.get("model_type")!r}, not a videomae')
    sizes = dict(num_frames=config.get('num_frames', 16), image_size=config.get('image_size', 224))
    require('config.json', Whole, **sizes)
    return ClipSize(*sizes.values())


def model_config(
    size: EncoderSize, clip: ClipSize, num_heads: int, classifies: bool, pools: bool
) -> dict:
    """``config.json`` without names of classes.

    Args:
        size: sizes of the encoder.
        clip: clips it is for.
        num_heads: attention heads.
        classifies: whether there is a head.
        pools: whether it averages the tokens before the last norm.
    """
    return dict(
        model_type='videomae',
        architectures=['VideoMAEForVideoClassification' if classifies else 'VideoMAEModel'],
        hidden_size=size.embed_dims,
        num_hidden_layers=size.depth,
        num_attention_heads=num_heads,
        intermediate_size=size.mlp_dims,
        image_size=clip.img_size,
        num_frames=clip.num_frames,
        patch_size=size.patch_size,
        tubelet_size=size.tubelet_size,
        num_channels=3,
        qkv_bias=size.qv_bias,  # the name in transformers 4
        qv_bias=size.qv_bias,
        hidden_act='gelu',
        layer_norm_eps=1e-6,
        use_mean_pooling=pools,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def label_names(count: int, labels: Sequence[str] | None) -> dict:
    """The classes in ``config.json``.

    Args:
        count: classes of the head.
        labels: their names; None numbers them.

    Raises:
        ValueError: if there are not ``count`` different names.
    """
    names = [f'LABEL_{i}' for i in range(count)] if labels is None else list(labels)
    if len(names) != count:
        raise ValueError(f'{len(names)} labels for a head of {count} classes')
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f'several classes have the label(s) {twice[:5]}')
    return dict(
        id2label={str(i): name for i, name in enumerate(names)},
        label2id={name: i for i, name in enumerate(names)},
    )


def preprocessor_config(img_size: int) -> dict:
    """Resizes the short side, crops the centre and normalises as this project's configs do."""
    return dict(
        image_processor_type='VideoMAEImageProcessor',
        do_resize=True,
        size=dict(shortest_edge=img_size),
        do_center_crop=True,
        crop_size=dict(height=img_size, width=img_size),
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=[123.675 / 255, 116.28 / 255, 103.53 / 255],
        image_std=[58.395 / 255, 57.12 / 255, 57.375 / 255],
        resample=2,
    )


def write_folder(folder: HuggingFaceFolder, dst: Path, meta: dict) -> None:
    """Writes the files of a Hugging Face model.

    Args:
        folder: their content.
        dst: an empty folder.
        meta: content of ``conversion.json``.
    """
    weights = {key: value.contiguous() for key, value in folder.state_dict.items()}
    (dst / 'model.safetensors').write_bytes(save(weights, metadata=dict(format='pt')))
    contents = {
        'config.json': folder.config,
        'preprocessor_config.json': folder.preprocessor,
        'conversion.json': meta,
    }
    for name, content in contents.items():
        (dst / name).write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    if folder.code:
        shutil.copyfile(folder.code, dst / folder.code.name)
