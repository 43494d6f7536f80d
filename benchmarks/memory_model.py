"""How much memory a PMD step needs, from the sizes of the model.

``bytes = fixed + batch x per clip``. Fixed: the trained part four times (weights, gradients, two
moments of AdamW), the frozen networks once, and under autocast the weights once more in half
precision. Per clip: what the forward pass keeps for the backward pass, and what else lives at
the peak: in the auxiliary teacher's decoders, or at the end of the forward pass.

Under autocast only operands of matrix products and of attention are in half precision; residuals,
inputs of norms, targets and distances stay in float32.

At the peak there are no gradients yet. They are counted because an allocator does not always
give the place of the last step's gradients to activations.
"""

import math
from typing import NamedTuple

from torch import nn

FULL = 4  # bytes of a float32


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


def step_memory(model: nn.Module, element: int = FULL) -> Memory:
    """Memory of one step of a :class:`PMDRecognizer` whose phase is set.

    Args:
        model: the recognizer, its auxiliary teacher included.
        element: bytes of an operand of matrix products: 4 in float32, 2 under autocast.
    """
    encoder = model.backbone
    patches = encoder.num_patches
    visible = model.masker.num_visible(model.phase.mask_ratio)
    masked = patches - visible
    clip = math.prod(encoder.clip_size)
    kept = encoder.depth * _block_bytes(encoder, visible, element) * encoder.embed_dims
    kept += element * clip * visible // patches  # patches that are embedded
    kept += FULL * visible * encoder.embed_dims  # last norm
    alive, working = FULL * clip, 0
    for decoder in model.decoders.values():
        kept += _decoder_bytes(decoder, visible, masked, element)
        kept += element * visible * encoder.embed_dims  # its input
        out = decoder.head.out_features
        alive += (FULL * patches + element * masked) * out  # target, prediction
        if model.clfa:
            alive += 2 * FULL * visible * out  # statistics of two groups
        if model.auxiliary_teacher is not None:
            dims = decoder.mask_token.shape[-1]
            # In a block: queries, keys, values and the hidden layer before and after GELU; the
            # decoder's input in two parts and joined, residual and its norm. Beside it the
            # prediction of the decoder before.
            inside = (11 * element + 4 * FULL) * patches * dims + element * masked * out
            working = max(working, inside)
    later = _later_bytes(model, visible, masked, element)
    return Memory(_fixed_bytes(model, element), kept + later, alive + max(working - later, 0))


def _block_bytes(encoder: nn.Module, tokens: int, element: int) -> int:
    """Bytes that a block of the encoder keeps, per channel."""
    if type(encoder.blocks[0]).__name__ == 'RecomputedBlock':
        # It comes to life when the decoders' activations are gone: no peak.
        return FULL * tokens
    # Inputs of two norms; their outputs, queries, keys, values, attended values, and the hidden
    # layer before and after GELU.
    return (2 * FULL + 14 * element) * tokens


def _decoder_bytes(decoder: nn.Module, visible: int, masked: int, element: int) -> int:
    """Bytes that a decoder keeps."""
    dims, depth, patches = decoder.mask_token.shape[-1], len(decoder.blocks), visible + masked
    rows = depth * (2 * FULL + 14 * element) * patches
    rows -= (FULL + element) * masked  # the first norm sees a mask token once, not in each clip
    # The last layer has its second norm and MLP for masked tokens only.
    rows -= (FULL + 10 * element) * visible
    rows += (FULL + element) * masked  # last norm
    return rows * dims


def _later_bytes(model: nn.Module, visible: int, masked: int, element: int) -> int:
    """Bytes that are kept after the auxiliary teacher's pass: distances, and CLFA."""
    total = 0
    for decoder in model.decoders.values():
        out = decoder.head.out_features
        total += FULL * masked * out  # difference to the target
        if model.auxiliary_teacher is not None:
            total += FULL * masked * out
        if model.clfa:
            layers = len(model.clfa.student_layers)
            total += FULL * layers * visible * out
            # each FC casts its input for itself
            total += (element < FULL) * element * layers * visible * model.backbone.embed_dims
    return total


def _fixed_bytes(model: nn.Module, element: int) -> int:
    """Bytes whatever the batch."""
    trained = sum(p.numel() for p in model.parameters())
    networks = [teacher.network for teacher in model.teachers.values()]
    if model.auxiliary_teacher is not None:
        networks.append(model.auxiliary_teacher.network)
    frozen = sum(p.numel() for network in networks for p in network.parameters())
    casts = element * trained if element < FULL else 0  # autocast keeps them until the backward
    return FULL * (4 * trained + frozen) + casts
