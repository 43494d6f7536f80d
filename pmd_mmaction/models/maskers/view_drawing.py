"""The named views of an iteration, drawn from one ranking of the patches."""

from types import MappingProxyType
from typing import Literal, Mapping

import torch
from torch import Tensor

from pmd_mmaction.arguments import Rate, Ratio, Whole, checked, require
from pmd_mmaction.functional import visible_count
from pmd_mmaction.models.maskers.base import Masker
from pmd_mmaction.models.maskers.view import View, WholeClipView


class Views:
    """Draws the student's view, wider ones that contain it, and the patches to decode.

    Args:
        masker: ranks the patches.
        num_masks: masks per clip K.
        mask_choice: ``'disjoint'``: the K masks are cut out of one ranking, so that their visible
            sets are disjoint while they fit. ``'permuted'``: the first is the clip's own, the
            others are those of random clips of the batch (SMILE).
        wider: name to a mask ratio below the student's.
        decode: ranks the masked patches; those ranked first are decoded. None: all are.
        decode_ratio: share of the masked patches that are not decoded.
        whole_clip: ``decode`` ranks all patches instead, as in VideoMAE V2: visible ones are
            decoded too, but do not count (:class:`WholeClipView`).
    """

    @checked
    def __init__(
        self,
        masker: Masker,
        num_masks: Whole = 1,
        mask_choice: Literal['disjoint', 'permuted'] = 'disjoint',
        wider: Mapping[str, float] | None = None,
        decode: Masker | None = None,
        decode_ratio: Rate = 0.0,
        whole_clip: bool = False,
    ) -> None:
        for name, ratio in (wider or {}).items():
            require(self, Ratio, **{f'mask_ratio of {name}': ratio})
        self.masker = masker
        self.num_masks = num_masks
        self.mask_choice = mask_choice
        self.wider = dict(wider or {})
        self.decode = decode
        self.decode_ratio = decode_ratio
        self.whole_clip = whole_clip

    def check_ratio(self, mask_ratio: float) -> None:
        """Refuses a mask ratio of the student that is invalid for one of the views.

        Raises:
            ValueError: naming the ratio, and the view.
        """
        self.masker.check_ratio(mask_ratio)
        for name, ratio in self.wider.items():
            self.masker.check_ratio(ratio)
            if ratio > mask_ratio:
                raise ValueError(
                    f'the view {name!r} has mask_ratio {ratio}, above {mask_ratio} of the student, '
                    'whose patches it must contain: lower it'
                )

    def draw(
        self,
        batch: int,
        mask_ratio: float,
        generator: torch.Generator,
        auxiliary_ratio: float | None = None,
        metainfo: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> dict[str, View]:
        """Draws the views of B clips.

        Args:
            batch: number of clips B.
            mask_ratio: fraction of the patches masked for the student.
            generator: random generator; the result is on its device.
            auxiliary_ratio: mask ratio of the auxiliary teacher's own view; None: it sees what
                the student sees.
            metainfo: what the masker reads of the data samples, B rows each.

        Returns:
            ``'student'``, ``'auxiliary'`` and the wider views, ``B * num_masks`` rows each.
        """
        order = self.masker.order(batch, generator, **metainfo)
        if self.mask_choice == 'permuted':
            order = self.masker.permuted_orders(order, self.num_masks, generator)
        else:
            order = self.masker.disjoint_orders(order, self.num_masks, mask_ratio)
        student = self.masker.view(order, mask_ratio)
        views = {name: self.masker.view(order, ratio) for name, ratio in self.wider.items()}
        if self.decode is not None:
            student = self._decoded(student, generator)
        views |= dict(student=student, auxiliary=student)
        if auxiliary_ratio is not None:
            views['auxiliary'] = self.masker.view(order, auxiliary_ratio)
        return views

    def _decoded(self, student: View, generator: torch.Generator) -> View:
        """The student's view with the ``(R, M')`` patches that are decoded, in ascending order."""
        visible, masked = student
        if self.whole_clip:
            order = self.decode.order(masked.shape[0], generator)
            return WholeClipView(visible, self.decode.view(order, self.decode_ratio).visible)
        ranks = self.decode.rank(masked.shape[0], generator).flatten(1).gather(1, masked)
        kept = visible_count(masked.shape[1], self.decode_ratio)
        first = ranks.argsort(dim=1, stable=True)[:, :kept].sort(dim=1).values
        return View(visible, masked.gather(1, first))
