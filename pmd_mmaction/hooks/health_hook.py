"""Whether the student learns, in numbers that compare over methods."""

from __future__ import annotations

from typing import Annotated

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor

from pmd_mmaction.arguments import Whole, checked, whole
from pmd_mmaction.contracts import DiagnosableModel
from pmd_mmaction.functional import effective_rank, feature_spread
from pmd_mmaction.hooks.unwrapped_model import plain_model


class RecentFeatures:
    """The features of the newest clips, on their device; nothing here waits for it.

    Args:
        size: rows that are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self.rows: Tensor | None = None

    def add(self, features: Tensor) -> None:
        """Puts ``(n, D)`` features in the place of the oldest; rows that are not finite are not."""
        features = features[-self.size :]
        if self.rows is None:
            self.rows = features.new_zeros(self.size, features.shape[1])
        places = (torch.arange(len(features), device=features.device) + self.seen) % self.size
        finite = features.isfinite().all(1, keepdim=True)
        self.rows[places] = torch.where(finite, features, self.rows[places])
        self.seen += len(features)

    @property
    def full(self) -> bool:
        """Whether as many clips were seen as there are rows."""
        return self.seen >= self.size


@HOOKS.register_module()
class HealthHook(Hook):
    """Logs how much of the targets the student explains, and how its features spread.

    ``explained_<teacher>``: 1 - squared error / variance of the target on masked tokens, around its
    mean over the batch: 0 is a student that predicts the mean. ``explained_place_<teacher>``: the
    same around the mean of each patch position: 0 is one that knows only where a patch is.
    ``feature_rank`` and ``feature_spread`` (:func:`effective_rank`, :func:`feature_spread`) of the
    pooled student features of recent clips: near 1 and near 0 after a collapse.
    ``held_out_explained_<teacher>``: ``explained_<teacher>`` of a batch of validation clips, after
    each validation: far below that of the training clips if the student knows these by heart.
    docs/healthy_run.md shows what they look like.

    The values of training steps stay on the device until the log reads them. Works with any
    ``MaskedDistillation``. With several ranks the log has those of the first. ``CompileHook``
    compiles a second graph for the diagnosed iterations.

    Args:
        interval: iterations from one diagnosis to the next.
        clips: number of recent student features that rank and spread are taken from.

    Raises:
        ValueError: if ``interval`` is below 1 or ``clips`` below 2.
    """

    priority = 5  # after NonFiniteHook (HIGHEST), before the losses are logged (VERY_HIGH)

    @checked
    def __init__(self, interval: Whole = 10, clips: Annotated[int, whole(2)] = 256) -> None:
        self.interval = interval
        self.recent = RecentFeatures(clips)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Asks for a diagnosis when it is due."""
        model = plain_model(runner)
        if isinstance(model, DiagnosableModel):
            model.diagnose_next(runner.iter % self.interval == 0)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Puts the diagnosis beside the losses, for the log."""
        model = plain_model(runner)
        diagnosis = model.pop_diagnosis() if isinstance(model, DiagnosableModel) else None
        if diagnosis is None or outputs is None:
            return
        outputs.update(diagnosis.explained)
        self.recent.add(diagnosis.features)
        if self.recent.full:
            outputs['feature_rank'] = effective_rank(self.recent.rows)
            outputs['feature_spread'] = feature_spread(self.recent.rows)

    @master_only
    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Logs the diagnosis of a batch of validation clips, under the masks of the last step."""
        model, loader = plain_model(runner), runner.val_dataloader
        if not isinstance(model, DiagnosableModel):
            return
        held_out = getattr(loader.dataset, 'datasets', [loader.dataset])[-1]  # of KNNMetric's two
        count = min(loader.batch_sampler.batch_size, len(held_out))
        batch = pseudo_collate([held_out[i * len(held_out) // count] for i in range(count)])
        diagnosis = model.examine(**model.data_preprocessor(batch, training=False))
        for key, value in diagnosis.explained.items() if diagnosis else ():
            runner.message_hub.update_scalar(f'val/held_out_{key}', value.item())
