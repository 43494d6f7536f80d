"""Pictures of masks and difficulty, once a phase."""

from __future__ import annotations

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from pmd_mmaction.arguments import Whole, checked
from pmd_mmaction.contracts import PicturedModel
from pmd_mmaction.hooks.unwrapped_model import plain_model


@HOOKS.register_module()
class PhasePictureHook(Hook):
    """Draws masks and difficulty of the last batch of each phase.

    ``masks``: the first clip under the masks of the coming step. ``difficulty``: the smoothed
    losses of some clips for each teacher, unless there are none yet. The pictures go wherever the
    visualizer's backends put them: ``vis_data/vis_image`` of the run, TensorBoard, W&B. The
    training stays as it is, bit for bit. Without phases there is one batch, the last of the run.

    Args:
        clips: clips in the picture of the difficulty.

    Raises:
        ValueError: if it is below 1.
    """

    priority = 'VERY_LOW'  # after all that prepares an iteration

    @checked
    def __init__(self, clips: Whole = 3) -> None:
        self.clips = clips

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Draws before the last step of a phase."""
        model = plain_model(runner)
        if isinstance(model, PicturedModel) and self._is_last(runner, model, batch_idx):
            try:
                str(runner.work_dir).encode()  # OpenCV crashes in a folder that is not UTF-8
                self._draw(runner, model, data_batch)
            except Exception as error:  # no reason to end a run
                runner.logger.warning(f'No pictures here: {type(error).__name__}: {error}')

    @master_only
    @torch.no_grad()
    def _draw(self, runner, model: PicturedModel, data_batch: dict) -> None:
        # Here, since Matplotlib takes a while to import.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from mmengine.visualization.utils import img_from_canvas

        from pmd_mmaction.visualization import mask_rows, plot_difficulty, plot_masks

        inputs, samples = data_batch['inputs'], data_batch['data_samples']
        first = [video[0].permute(1, 2, 3, 0).numpy() for video in inputs[: self.clips]]
        grid, patches = model.backbone.token_grid, model.backbone.num_patches
        device = next(model.backbone.parameters()).device  # whose generator draws other masks
        clips = torch.empty(sum(map(len, inputs)), device=device)
        with torch.random.fork_rng([]):  # not seeded without StepSeedHook
            views = model.draw_views(clips, samples)
        title = f'{views["student"].visible.shape[1] / patches:.0%} visible'
        decoded = model.views.decode is not None
        rows = mask_rows(views, model.num_masks, patches, title, decoded)
        figures = dict(masks=plot_masks(first[0], rows, grid))
        difficulty = model.difficulty_of(samples[: self.clips])
        if any(values.any() for values in difficulty.values()):
            of_clip = [{k: v[i].numpy() for k, v in difficulty.items()} for i in range(len(first))]
            figures['difficulty'] = plot_difficulty(first, of_clip, grid)
        for name, figure in figures.items():
            runner.visualizer.add_image(
                name, img_from_canvas(FigureCanvasAgg(figure)), runner.iter + 1
            )

    def _is_last(self, runner, model: PicturedModel, batch_idx: int) -> bool:
        """Whether the phase, or the run, ends with this iteration."""
        ends = {runner.max_epochs} | ({model.phase.end} if model.phase else set())
        return runner.epoch + 1 in ends and self.end_of_epoch(runner.train_dataloader, batch_idx)
