"""The image teacher: any timm ViT."""

import inspect
from typing import Annotated, Collection, Iterator, Literal, Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from pmd_mmaction.arguments import (
    Options,
    Text,
    Whole,
    checked,
    colours,
    require,
    require_divisible,
)
from pmd_mmaction.functional import sincos_2d
from pmd_mmaction.models.teachers.frozen import FeatureTeacher
from pmd_mmaction.models.teachers.weights import load_strictly, read_state_dict

# What MMAction2's VideoMAE configs normalise with, on the 0-255 scale.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class TimmImageTeacher(FeatureTeacher):
    """A frozen timm ViT that sees one frame per tubelet and provides the image targets.

    Args:
        model_name: a timm ViT of any family with one grid of tokens (``vit_*``, ``deit*``,
            ``beit*``, ``eva*``, ...), for example ``'vit_base_patch16_224.mae'``.
        num_frames: frames per clip T.
        tubelet_size: frames per token; the teacher sees the first frame of each tubelet.
        frame_size: side of the clips in pixels if it differs from the model's own ``img_size``, to
            which frames are then resized. For example, a model with patch size 14 gets the
            14 x 14 grid of a student with 224 px from
            ``frame_size=224, model_kwargs=dict(img_size=196)``.
        checkpoint: local weights (.pth or .safetensors; MAE's own files work).
        pretrained: load timm's published weights instead (needs the hub).
        target_norm: ``'layer_norm'``, ``'channel_norm'`` (SMILE) or ``'none'``.
        last_norm: apply the network's own last norm; MVD does not.
        position: ``'own'``: those of the weights; ``'sincos_2d'``: MAE's table computed for the
            grid, whatever the weights contain, and 0 for class and register tokens (MVD).
        normalization: ``'timm'`` re-normalises clips to the mean and std that timm lists for the
            model if they differ from the data preprocessor's; ``'data'`` does not.
        data_mean: ``mean`` of the data preprocessor (0-255).
        data_std: ``std`` of the data preprocessor.
        model_kwargs: further arguments for ``timm.create_model``, such as ``img_size``.

    Raises:
        ValueError: for an unknown model or one of another family, an invalid argument, or
            weights that do not fit.
    """

    @checked
    def __init__(
        self,
        model_name: Text,
        num_frames: Whole = 16,
        tubelet_size: Whole = 2,
        frame_size: Whole | None = None,
        checkpoint: Text | None = None,
        pretrained: bool = False,
        target_norm: str = 'layer_norm',
        last_norm: bool = True,
        position: Literal['own', 'sincos_2d'] = 'own',
        normalization: Literal['timm', 'data'] = 'timm',
        data_mean: Annotated[Sequence[float], colours()] = IMAGENET_MEAN,
        data_std: Annotated[Sequence[float], colours(above=0)] = IMAGENET_STD,
        model_kwargs: Options | None = None,
    ) -> None:
        require_divisible(self, num_frames=num_frames, tubelet_size=tubelet_size)
        if checkpoint is not None and pretrained:
            raise ValueError('give either checkpoint (a local file) or pretrained=True, not both')
        network = _create_model(model_name, pretrained, model_kwargs or {})
        _check_family(model_name, network)
        if checkpoint is not None:
            from timm.models import vision_transformer

            family = inspect.getmodule(type(network))
            adapt = getattr(family, 'checkpoint_filter_fn', vision_transformer.checkpoint_filter_fn)
            state = adapt(read_state_dict(checkpoint), network)
            computed = () if position == 'own' else ('pos_embed',)
            ignored = ('head.', 'fc_norm.', 'decoder')
            load_strictly(network, state, checkpoint, optional=computed, ignored=ignored)
        if position == 'sincos_2d':
            _compute_positions(network)
        super().__init__(network, target_norm, last_norm)
        self.num_frames = num_frames
        self.tubelet_size = tubelet_size
        self.depth = len(network.blocks)
        require(self, Whole, **{'model_kwargs.depth': self.depth})
        self.embed_dims = network.embed_dim
        embed = network.patch_embed
        self.token_grid = (num_frames // tubelet_size, *embed.grid_size)
        self.resize_to = None if frame_size is None else tuple(embed.img_size)
        frame = embed.img_size if frame_size is None else (frame_size, frame_size)
        self.clip_size = (embed.proj.in_channels, num_frames, *frame)
        # the recognizer's data preprocessor has to agree with these
        self.data_mean = data_mean if normalization == 'timm' else None
        self.data_std = data_std if normalization == 'timm' else None
        self._init_normalization(normalization, data_mean, data_std)

    def _init_normalization(
        self, normalization: str, data_mean: Sequence[float], data_std: Sequence[float]
    ) -> None:
        cfg = self.network.pretrained_cfg
        scale, shift = [], []
        for own_mean, own_std, mean, std in zip(cfg['mean'], cfg['std'], data_mean, data_std):
            # (x*std + mean - 255*own_mean) / (255*own_std)
            scale.append(std / (255 * own_std))
            shift.append((mean - 255 * own_mean) / (255 * own_std))
        same = all(abs(a - 1) < 1e-4 for a in scale) and all(abs(b) < 1e-4 for b in shift)
        self.same_normalization = same or normalization == 'data'
        self.register_buffer('scale', torch.tensor(scale).view(-1, 1, 1), persistent=False)
        self.register_buffer('shift', torch.tensor(shift).view(-1, 1, 1), persistent=False)

    def iter_layers(
        self,
        clips: Tensor,
        layers: Collection[int] | None = None,
        visible_index: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yields the ``(B, N, D)`` tokens after each layer, without class or register tokens.

        Raises:
            ValueError: for visible patches: it sees full frames only.
        """
        if visible_index is not None:
            raise ValueError('TimmImageTeacher sees full frames; leave out its view')
        # All frames of all clips as one batch of images.
        images = clips[:, :, :: self.tubelet_size].transpose(1, 2).flatten(0, 1)
        if not self.same_normalization:
            images = images * self.scale + self.shift
        if self.resize_to is not None:
            images = F.interpolate(images, self.resize_to, mode='bilinear', antialias=True)
        found = self.network.forward_intermediates(
            images,
            indices=list(range(self.depth) if layers is None else layers),
            stop_early=True,
            output_fmt='NLC',
            intermediates_only=True,
        )
        while found:  # each is freed when the next is asked for
            yield found.pop(0).unflatten(0, (len(clips), -1)).flatten(1, 2)

    def final_norm(self, tokens: Tensor) -> Tensor:
        """timm's last norm (``ln_post`` in CLIP, identity in models that pool first).

        It acts per token, so it commutes with dropping the class token.
        """
        return self.network.norm(tokens)


def _check_family(model_name: str, network: nn.Module) -> None:
    """Refuses networks whose tokens do not stay on one grid of patches."""
    embed = getattr(network, 'patch_embed', None)
    if not (
        hasattr(network, 'forward_intermediates')
        and hasattr(network, 'num_prefix_tokens')
        and isinstance(getattr(network, 'blocks', None), nn.Module)
        and hasattr(embed, 'grid_size')
        and hasattr(embed, 'proj')
    ):
        raise ValueError(
            f'{model_name} is a {type(network).__name__}, whose tokens do not stay on one grid of '
            'patches; the image teacher needs a plain timm ViT (vit_*, deit*, beit*, eva*, ...)'
        )


def _compute_positions(network: nn.Module) -> None:
    """Puts MAE's positions into a network, whatever it has."""
    grid, own = network.patch_embed.grid_size, network.pos_embed
    if own is None:
        raise ValueError(
            "TimmImageTeacher: position is 'sincos_2d', but the model adds no positions: take "
            "position='own'"
        )
    table = sincos_2d(grid, network.embed_dim)
    prefix = own.shape[1] - table.shape[1]  # class and register tokens that have a position
    own.data = F.pad(table, (0, 0, prefix, 0)).to(own)


def _create_model(model_name: str, pretrained: bool, model_kwargs: dict) -> nn.Module:
    """The timm model; errors name the part of the config that timm does not accept."""
    import timm  # with the package it would cost each tool two seconds at its start

    if not timm.is_model(model_name):
        raise ValueError(
            f'TimmImageTeacher: model_name is {model_name!r}, which the installed timm '
            f"{timm.__version__} does not know; timm.list_models('vit*') lists what it has"
        )
    try:
        return timm.create_model(model_name, pretrained, **{'num_classes': 0, **model_kwargs})
    # "got an unexpected keyword argument", or sizes that do not make a network
    except (ArithmeticError, AssertionError, TypeError, ValueError) as error:
        raise ValueError(
            f'TimmImageTeacher: model_kwargs is {dict(model_kwargs)}, which timm refuses: '
            f'{str(error) or type(error).__name__}'
        ) from error
