"""Which patches moving objects touch, and in which order patches stay visible around them."""

import torch
from torch import Tensor


def object_tokens(
    boxes: Tensor, token_grid: tuple[int, int, int], frame_size: tuple[int, int]
) -> Tensor:
    """Patches that the boxes of moving objects touch (SMILE).

    An object's place at a time step is the smallest box around it in the frames of that step. It
    touches the columns from ``floor(x1 / p)`` up to ``ceil(x2 / p)``, the last included: one more
    than those it lies on, as in SMILE's code; likewise the rows.

    Source: SMILE's code (head ba5c369), by its recorded masks; see ``tests/data/golden``.

    Args:
        boxes: ``(B, objects, T, 4)`` whole numbers (x1, y1, x2, y2) in pixels; may leave the frame.
        token_grid: tokens along (time, height, width).
        frame_size: (height, width) of a frame in pixels.

    Returns:
        ``(B, N)`` bool.

    Example:
        >>> boxes = torch.tensor([[[[0, 0, 8, 8], [4, 0, 12, 8]]]])  # one object in two frames
        >>> object_tokens(boxes, (1, 2, 3), (32, 48)).view(2, 3).int()  # patches of 16 pixels
        tensor([[1, 1, 0],
                [1, 1, 0]], dtype=torch.int32)
    """
    steps, rows, columns = token_grid
    of_step = boxes.unflatten(2, (steps, -1))
    first, last = of_step[..., :2].amin(3), of_step[..., 2:].amax(3)  # (B, objects, steps, 2)
    inside = []
    for axis, tokens, side in ((1, rows, frame_size[0]), (0, columns, frame_size[1])):
        patch = side // tokens
        low = first[..., axis, None].div(patch, rounding_mode='floor')
        high = -(-last[..., axis, None]).div(patch, rounding_mode='floor')
        place = torch.arange(tokens, device=boxes.device)
        inside.append((place >= low) & (place <= high))
    return (inside[0][..., :, None] & inside[1][..., None, :]).any(1).flatten(1)


def object_ranks(objects: Tensor, noise: Tensor, kept: float) -> Tensor:
    """Ranks by which the patches of objects are masked and the others follow a tube mask (SMILE).

    The lowest stay visible: a random share of the objects' patches, then the others, those first
    that the tube mask shows longest, then the rest of the objects. So whatever number of patches
    has to be visible, it is met exactly, and by the right ones: if objects and tube mask too many
    together, patches of the background are shown, and only then those of the objects.

    Source: SMILE's code (head ba5c369), by its recorded masks; see ``tests/data/golden``.

    Args:
        objects: ``(B, N)`` bool, patches of objects.
        noise: ``(B, N)`` in [0, 1): random numbers of the objects' patches, ranks in the tube mask
            of the others.
        kept: share of the objects' patches that stays visible; their number is rounded down.

    Returns:
        ``(B, N)`` float in [0, 3).

    Example:
        >>> objects = torch.tensor([[True, True, False, False]])
        >>> noise = torch.tensor([[0.2, 0.1, 0.3, 0.4]])
        >>> object_ranks(objects, noise, kept=0.5)  # one of two object patches comes first
        tensor([[2.2000, 0.1000, 1.3000, 1.4000]])
    """
    count = objects.sum(1, keepdim=True)
    place = torch.where(objects, noise, 2.0).argsort(1).argsort(1)
    shown = place < (count.double() * kept).long()
    return noise + torch.where(objects, torch.where(shown, 0.0, 2.0), 1.0)
