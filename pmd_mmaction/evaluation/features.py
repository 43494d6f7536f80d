"""Frozen features of a pre-training model or a recognizer."""

import copy

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from pmd_mmaction.state_dicts import compare_backbone
from pmd_mmaction.teacher_configs import leave_out_files


def choose_pipeline(cfg: Config) -> list[dict]:
    """The test pipeline of a config, else the validation pipeline, else a central clip and crop.

    Args:
        cfg: config of a pre-training model or a recognizer.
    """
    for kind in ('test', 'val'):
        dataset = (cfg.get(f'{kind}_dataloader') or {}).get('dataset', {})
        if 'pipeline' in dataset:
            return dataset.pipeline
    frames, size = cfg.model.backbone.get('num_frames', 16), cfg.model.backbone.get('img_size', 224)
    dataset = (cfg.get('train_dataloader') or {}).get('dataset', {})
    while 'dataset' in dataset or 'datasets' in dataset:  # wrapped
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    steps = dataset.get('pipeline', [])
    sampling = next((step for step in steps if 'frame_interval' in step), {})
    kept = {key: sampling[key] for key in ('target_fps', 'out_of_bound_opt') if key in sampling}
    return [
        dict(type='VideoInit'),
        dict(
            type='SampleFrames',
            clip_len=frames,
            frame_interval=sampling.get('frame_interval', 4),
            num_clips=1,
            test_mode=True,
            **kept,
        ),
        dict(type='VideoDecode'),
        dict(type='AntialiasedResize', scale=size),
        dict(type='CenterCrop', crop_size=size),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]


def load_frozen(cfg: Config, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """The model of a config with the weights of a file, in eval mode, without teacher files.

    Args:
        cfg: config of a pre-training model or a recognizer; not modified.
        checkpoint: a checkpoint of the Runner, a phase student, a published file.
        device: device of the model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it does not fill the backbone.
    """
    model_cfg = copy.deepcopy(cfg.model)
    leave_out_files(model_cfg)  # teachers are not used here
    model = MODELS.build(model_cfg)
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    differences, found, _ = compare_backbone(model.state_dict(), content)
    if differences:
        raise ValueError(
            f'{checkpoint} does not fill the backbone of the config: {differences}. Is it of '
            'another config? Files of other code go through tools/convert_checkpoint.py first'
        )
    model.load_state_dict(found, strict=False)
    return model.eval().to(device)


@torch.no_grad()
def compute_features(
    model: nn.Module, inputs: Tensor, per_patch: bool = False, layer: int | None = None
) -> Tensor:
    """Features of a batch.

    Args:
        model: a pre-training model or a recognizer.
        inputs: ``(B, clips, C, T, H, W)`` normalised clips.
        per_patch: return tokens instead of their mean.
        layer: layer from 1; None means after the last norm, which the tokens of a recognizer do
            not have if it follows their mean.

    Returns:
        ``(B, D)`` means over clips and tokens, or ``(B, clips, N, D)`` tokens; float32.
    """
    batch = inputs.shape[:2]
    whole = getattr(model.backbone, 'return_feat_map', False)  # for the head of an attentive probe
    if layer is None and not per_patch and not whole:
        feature = model.extract_feat(inputs, test_mode=True)[0]
        return feature.float().view(batch[0], -1, feature.shape[-1]).mean(1)
    wanted = () if layer is None else (layer - 1,)
    encoded = model.backbone.encode(inputs.flatten(0, 1), layers=wanted)
    tokens = (encoded.layers[0] if wanted else encoded.tokens).float().unflatten(0, batch)
    return tokens if per_patch else tokens.mean((1, 2))
