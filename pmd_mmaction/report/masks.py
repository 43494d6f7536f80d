"""The views of a clip in every phase."""

from types import SimpleNamespace

import torch
from matplotlib.figure import Figure

from pmd_mmaction.models.recognizers.masking import build_masker, build_views, stack_metainfo
from pmd_mmaction.report.run import Run, frames_of, sample_of
from pmd_mmaction.visualization import mask_rows, plot_masks

# arguments of a model that say which views are drawn, with their defaults
VIEWS = dict(views={}, num_masks=1, mask_choice='disjoint')


def draw_masks(run: Run) -> Figure:
    """The views of the first clip in every phase: what each network sees, what is decoded."""
    config, backbone = run.cfg.model, run.backbone
    model = SimpleNamespace(backbone=backbone)
    model.masker = build_masker(model, 'masker', config.masker)
    # two clips: with mask_choice='permuted' one may get the mask of the other
    samples = [sample_of(run.videos, index) for index in range(min(2, len(run.videos)))]
    views, masks = build_views(model, *(config.get(k, d) for k, d in VIEWS.items())), {}
    metainfo = {
        name: stack_metainfo([s['data_samples'] for s in samples], name, len(samples), model.masker)
        for name in model.masker.reads
    }
    for title, ratio in run.phases.items():
        generator = torch.Generator().manual_seed(0)
        drawn = views.draw(len(samples), ratio, generator, metainfo=metainfo)
        decoded = views.decode is not None
        masks |= mask_rows(drawn, views.num_masks, backbone.num_patches, title, decoded)
    return plot_masks(frames_of(samples[0]), masks, backbone.token_grid)
