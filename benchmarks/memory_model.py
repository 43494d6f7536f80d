"""How much memory a PMD step needs, from the sizes of the model.

``bytes = fixed + batch x per clip``. Fixed: the trained part four times (weights, gradients, two
moments of AdamW), the frozen networks once. Per clip: what the forward pass keeps for the
backward pass, plus the largest working set on top of it, that of the auxiliary teacher's decoders.

At that moment there are no gradients yet. They are counted because an allocator does not always
give the place of the last step's gradients to activations.
"""

import math
from typing import NamedTuple

from torch import nn

# Rows of width D that a block keeps for its backward pass: input and output of two norms (4),
# queries, keys, values (3), attended values (1), the hidden layer before and after GELU (8).
BLOCK_WIDTHS = 16
# Alive in a block of a decoder without gradients: the hidden layer before and after GELU (8),
# queries, keys, values (3), residual and its norm (2).
WORKING_WIDTHS = 13


class Memory(NamedTuple):
    """Bytes of a step.

    Attributes:
        fixed: whatever the batch.
        kept: kept per clip for the backward pass.
        working: beside it per clip.
    """

    fixed: int
    kept: int
    working: int

    @property
    def per_clip(self) -> int:
        """What a clip more costs."""
        return self.kept + self.working

    def total(self, batch: int) -> int:
        """Bytes for a batch."""
        return self.fixed + batch * self.per_clip

    def largest_batch(self, gigabytes: float, reserve: float = 0.1) -> int:
        """Clips that fit into a device, a share of it left free."""
        return math.floor(((1 - reserve) * gigabytes * 2**30 - self.fixed) / self.per_clip)


def step_memory(model: nn.Module, element: int = 4) -> Memory:
    """Memory of one step of a :class:`PMDRecognizer` whose phase is set.

    Args:
        model: the recognizer, its auxiliary teacher included.
        element: bytes of an activation: 4 in float32, 2 under bf16 autocast (an approximation,
            since norms and residuals stay in float32).
    """
    encoder = model.backbone
    patches = encoder.num_patches
    visible = model.masker.num_visible(model.phase.mask_ratio)
    masked = patches - visible
    recomputed = type(encoder.blocks[0]).__name__ == 'RecomputedBlock'
    width = encoder.embed_dims
    # A recomputed block comes to life when the decoders' activations are gone: no peak.
    layers = encoder.depth * (1 if recomputed else BLOCK_WIDTHS) * visible * width
    decoders = targets = working = 0
    for decoder in model.decoders.values():
        dims, out = decoder.mask_token.shape[-1], decoder.head.out_features
        depth = len(decoder.blocks)
        # The last layer keeps its residual, second norm and MLP (11 widths) for masked tokens only.
        decoders += BLOCK_WIDTHS * depth * patches * dims - 11 * visible * dims
        decoders -= 2 * masked * dims  # the first norm sees a mask token once, not in each clip
        decoders += 3 * masked * dims + 2 * masked * out  # last norm, prediction, difference
        targets += patches * out
        if model.psd is not None:
            targets += masked * out
        if model.with_neck:
            targets += 2 * visible * out  # statistics of two groups
            decoders += len(model.neck.student_layers) * visible * out
        working = max(working, WORKING_WIDTHS * patches * dims)
    frames = encoder.in_channels * encoder.num_frames
    clip = frames * math.prod(encoder.token_grid[1:]) * encoder.patch_size**2
    trained = sum(p.numel() for p in model.parameters())
    networks = [teacher.network for teacher in model.teachers.values()]
    if model.auxiliary_teacher is not None:
        networks.append(model.auxiliary_teacher.network)
    frozen = sum(p.numel() for network in networks for p in network.parameters())
    kept = layers + decoders
    return Memory(
        4 * (4 * trained + frozen), element * kept, element * (targets + working) + 4 * clip
    )
