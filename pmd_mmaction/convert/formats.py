"""The formats by name, and conversion from one to another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping, Sequence

from torch import Tensor

from pmd_mmaction.convert.encoder import ClipSize, EncoderSize, fit_positions
from pmd_mmaction.convert.huggingface import read_huggingface, write_huggingface
from pmd_mmaction.convert.huggingface_folder import HuggingFaceFolder
from pmd_mmaction.convert.mmaction import read_mmaction, write_backbone, write_recognizer
from pmd_mmaction.convert.pretraining import read_pretraining
from pmd_mmaction.convert.rename import Conversion
from pmd_mmaction.convert.timm_vit import read_clip, read_mae, read_timm, write_timm
from pmd_mmaction.convert.videomae import read_videomae

# Name: what it is, its reader, the positions that its code computes if the file has none.
VIDEO_SOURCES = {
    'videomae': ('VideoMAE, VideoMAE V2, AMD, SMILE: their own .pth', read_videomae, 'sinusoid_1d'),
    'mvd': ('MVD: its own .pth', read_videomae, 'sincos_3d'),
    'mmaction': ('MMAction2 zoo, and everything trained here', read_mmaction, 'sinusoid_1d'),
    'huggingface': ('Hugging Face VideoMAE: folder or file', read_huggingface, 'sinusoid_1d'),
}
IMAGE_SOURCES = {
    'mae': ('MAE: its own .pth', read_mae),
    'clip': ("CLIP: state dict with OpenAI's names, or with SMILE's vision_encoder", read_clip),
    'timm': ('timm ViT state dict', read_timm),
}
TARGETS = {
    'timm': 'image teacher (.pth)',
    'mmaction': 'video teacher, student, backbone to fine-tune (.pth)',
    'student': 'whole pre-training model with its decoders, to go on from (.pth)',
    'recognizer': 'whole fine-tuned Recognizer3D (.pth)',
    'huggingface': 'folder for from_pretrained',
}
SOURCES = {name: entry[0] for name, entry in (IMAGE_SOURCES | VIDEO_SOURCES).items()}


@dataclass(frozen=True)
class Options:
    """Options that do not follow from the weights.

    Attributes:
        clip: clips that the result is for; None means those of the source.
        source_clip: clips that the source was trained on; None means 16 frames of 224 px.
        position: positions that the source computes if its file has none; None means those of
            its own code.
        num_heads: attention heads, for widths that do not determine them.
        labels: names of the classes, for Hugging Face.
        custom_code: see :func:`write_huggingface`.
    """

    clip: ClipSize | None = None
    source_clip: ClipSize | None = None
    position: str | None = None
    num_heads: int | None = None
    labels: Sequence[str] | None = None
    custom_code: bool = False


@dataclass(frozen=True)
class Result:
    """A finished conversion.

    Attributes:
        conversion: weights and report.
        common: weights in the common form; None for image formats.
        clip: clips that the result is for.
        folder: what ``--to huggingface`` writes.
    """

    conversion: Conversion
    common: dict[str, Tensor] | None
    clip: ClipSize
    folder: HuggingFaceFolder | None = None


def convert(
    state_dict: Mapping[str, Tensor], source: str, target: str, options: Options = Options()
) -> Result:
    """Converts the weights of one format to another.

    Args:
        state_dict: the source's weights.
        source: a key of ``SOURCES``.
        target: a key of ``TARGETS``.
        options: what does not follow from the weights.

    Raises:
        ValueError: if there is no such conversion, or the weights are not of that format.
    """
    if target == 'timm' and replace(options, num_heads=None) != Options():
        raise ValueError(
            'an image teacher is converted as it is, and timm interpolates positions: no option '
            'but --num-heads applies to it'
        )
    if source in IMAGE_SOURCES and target == 'timm':
        return Result(IMAGE_SOURCES[source][1](state_dict), None, ClipSize(1))
    if source not in VIDEO_SOURCES or target not in TARGETS:
        raise ValueError(f'no conversion from {source} to {target}')
    if target != 'huggingface' and (options.labels is not None or options.custom_code):
        raise ValueError('--labels and --custom-code belong to --to huggingface')
    _, read, position = VIDEO_SOURCES[source]
    if target == 'student':
        if read is not read_videomae:
            raise ValueError(f'no conversion from {source} to student')
        read = read_pretraining
    read_out = read(state_dict)
    if not EncoderSize.of(read_out.state_dict).qv_bias:
        note = 'no layer of the source has biases on queries and values, so the result has none'
        read_out = read_out.with_state(read_out.state_dict, note)
    if target == 'timm':
        written = write_timm(read_out.state_dict)
        return Result(read_out.then(written), read_out.state_dict, ClipSize(1))
    source_clip = options.source_clip or ClipSize()
    clip = options.clip or source_clip
    fitted = fit_positions(read_out, options.position or position, source_clip, clip)
    if target == 'huggingface':
        written, folder = write_huggingface(
            fitted.state_dict, clip, options.num_heads, options.labels, options.custom_code
        )
        return Result(fitted.then(written), fitted.state_dict, clip, folder)
    if target == 'student':
        return Result(fitted, fitted.state_dict, clip)
    write = write_backbone if target == 'mmaction' else write_recognizer
    return Result(fitted.then(write(fitted.state_dict)), fitted.state_dict, clip)
