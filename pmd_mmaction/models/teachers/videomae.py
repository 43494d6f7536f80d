"""The video teacher: a VideoMAE encoder."""

from inspect import signature
from itertools import islice
from typing import Collection, Iterator

from mmaction.registry import MODELS
from torch import Tensor

from pmd_mmaction.arguments import Text, checked, require_keys
from pmd_mmaction.models.backbones import MaskedVisionTransformer
from pmd_mmaction.models.teachers.frozen import FeatureTeacher
from pmd_mmaction.models.teachers.weights import load_strictly, read_state_dict

NOT_TAKEN = {'use_mean_pooling', 'return_feat_map', 'activation_checkpointing', 'frozen'}
NOT_TAKEN |= {'drop_rate', 'attn_drop_rate', 'drop_path_rate'}


@MODELS.register_module()
class VideoMAETeacher(FeatureTeacher):
    """A frozen VideoMAE ViT that sees the full clip and provides the video targets.

    Args:
        checkpoint: MMAction2-style weights of the backbone, a file or URL. Keys may have the
            prefix ``backbone.``. ``tools/convert_checkpoint.py`` converts VideoMAE's own files.
            None leaves random weights (tests, benchmarks).
        target_norm: ``'layer_norm'``, ``'channel_norm'`` (SMILE) or ``'none'``.
        last_norm: apply the network's own last norm; MVD does not.
        view: name of the view whose visible patches it sees (AMD); None: the full clip.
        **backbone: arguments of :class:`MaskedVisionTransformer`, such as ``embed_dims``, except
            ``use_mean_pooling``, which follows from the file, and those that do nothing in a
            frozen teacher (``NOT_TAKEN``).

    Raises:
        TypeError: for an unknown argument.
        ValueError: if the file lacks weights of the encoder or has other shapes.
    """

    @checked
    def __init__(
        self,
        checkpoint: Text | None = None,
        target_norm: str = 'layer_norm',
        last_norm: bool = True,
        view: Text | None = None,
        **backbone,
    ) -> None:
        allowed = sorted(set(signature(MaskedVisionTransformer).parameters) - NOT_TAKEN)
        require_keys(self, allowed, backbone=backbone)
        # Fine-tuned files have no `norm` (they pool first), pre-trained ones have it.
        state = None if checkpoint is None else read_state_dict(checkpoint, prefix='backbone.')
        backbone['use_mean_pooling'] = state is not None and 'norm.weight' not in state
        network = MaskedVisionTransformer(**backbone)
        if state is None:
            network.init_weights()
        else:
            # A fixed table may be missing from the file; a learnt one may not.
            learnt = backbone.get('position') == 'learnable'
            load_strictly(
                network,
                state,
                checkpoint,
                optional=('fc_norm.',) if learnt else ('fc_norm.', 'pos_embed'),
                ignored=('fc_norm.', 'cls_head.', 'decoder.', 'mask_token'),
            )
        super().__init__(network, target_norm, last_norm, view)
        self.depth = network.depth
        self.embed_dims = network.embed_dims
        self.token_grid = network.token_grid
        self.clip_size = network.clip_size

    def iter_layers(
        self,
        clips: Tensor,
        layers: Collection[int] | None = None,
        visible_index: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yields the ``(B, N, D)`` tokens after each layer, or ``(R, V, D)`` of the visible."""
        last = self.depth - 1 if layers is None else max(layers)
        found = self.network.iter_layers(clips, visible_index)
        for index, tokens in enumerate(islice(found, last + 1)):
            if layers is None or index in layers:
                yield tokens

    def final_norm(self, tokens: Tensor) -> Tensor:
        """The pre-trained encoder's last norm; identity for a fine-tuned one."""
        return self.network.norm(tokens)
