"""The plain base step that ours are compared with: nothing fused, nothing left out.

Both teachers and the student use an explicit softmax, a Conv3d embeds all patches before boolean
masks pick the visible ones, and the decoders compute all layers for all tokens. The weights are
those of a base-only model, so that the losses must agree (``tests/benchmarks`` checks it).

    python benchmarks/reference_step.py --batch 1
"""

import argparse
import logging
from statistics import median

import torch
import torch.nn.functional as F
from harness import add_device, interleave, machine_line
from steps import OFF, Step, build_model
from torch import Tensor, nn

from pmd_mmaction.models.backbones import FusedAttention
from pmd_mmaction.models.backbones.blocks import SplitBlock


def restore_stock_parts(model: nn.Module) -> None:
    """Gives student and teachers the attention and the blocks of MMAction2 and unfused timm."""
    networks = [model, *(teacher.network for teacher in model.teachers.values())]
    for module in (m for network in networks for m in network.modules()):
        if isinstance(module, FusedAttention | SplitBlock):
            module.__class__ = type(module).__base__
        elif hasattr(module, 'fused_attn'):
            module.fused_attn = False


def rows(tokens: Tensor, chosen: Tensor) -> Tensor:
    """``(B, N, D)`` tokens where the ``(B, N)`` bool ``chosen`` is True: ``(B, L, D)``."""
    return tokens[chosen].reshape(len(tokens), -1, tokens.shape[-1])


def encode(network: nn.Module, clips: Tensor, mask: Tensor | None = None) -> Tensor:
    """Embeds all patches, then drops the masked ones."""
    x = network.patch_embed(clips)[0] + network.pos_embed
    if mask is not None:
        x = rows(x, ~mask)
    for block in network.blocks:
        x = block(x)
    return network.norm(x)


def decode(decoder: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """All layers for all tokens, the prediction at masked ones."""
    positions = decoder.positions.expand(len(tokens), -1, -1)
    visible = decoder.embed(tokens) + rows(positions, ~mask)
    x = torch.cat([visible, decoder.mask_token + rows(positions, mask)], 1)
    for block in decoder.blocks:
        x = block(x)
    return decoder.head(decoder.norm(x[:, tokens.shape[1] :]))


class ReferenceStep(Step):
    """Base loss only; the model must be built with ``OFF``."""

    def __init__(self, model: nn.Module, batch: int, **options: bool) -> None:
        super().__init__(model, batch, **options)
        restore_stock_parts(model)

    @torch.no_grad()
    def targets(self) -> dict[str, Tensor]:
        """Teacher name to ``(B, N, D)`` layer-normalised features."""
        image, video = self.model.teachers['img'], self.model.teachers['vid']
        frames = self.clips[:, :, :: image.tubelet_size].transpose(1, 2).flatten(0, 1)
        seen = image.network.forward_features(frames)[:, image.network.num_prefix_tokens :]
        features = dict(
            img=seen.unflatten(0, (len(self.clips), -1)).flatten(1, 2),
            vid=encode(video.network, self.clips),
        )
        return {name: F.layer_norm(x, x.shape[-1:]) for name, x in features.items()}

    def forward(self) -> Tensor:
        """The base loss of both teachers."""
        view = self.model.draw_views(self.clips)['student']
        size = len(self.clips), self.model.backbone.num_patches
        mask = torch.ones(size, dtype=torch.bool, device=self.device)
        mask = mask.scatter(1, view.visible, False)
        targets = self.targets()
        tokens = encode(self.model.backbone, self.clips, mask)
        return sum(
            F.mse_loss(decode(decoder, tokens, mask), rows(targets[name], mask))
            for name, decoder in self.model.decoders.items()
        )


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--tiny', action='store_true', help='a smoke test in seconds')
    add_device(parser)
    args = parser.parse_args()
    machine = machine_line(args.device)
    step = ReferenceStep(build_model(dict(OFF), args.tiny, device=args.device), args.batch)
    times = interleave({'reference': step}, args.repeats)['reference']
    print(machine)
    print(f'reference step, batch {args.batch}: {median(times):.3f} s')


if __name__ == '__main__':
    main()
