"""Training steps that the benchmarks time: a config with random teachers, AdamW, fixed clips."""

from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import Phase
from pmd_mmaction.hooks import CompileHook
from pmd_mmaction.models.terms import History

CONFIG = Path(__file__).parents[1] / 'configs/pmd/vit-b_k400_pretrain.py'
OFF = dict(psd=None, dare=None, clfa=None)
TINY_GRID = dict(img_size=32, num_frames=4)
TINY = dict(embed_dims=48, depth=3, num_heads=3, **TINY_GRID)


def build_model(
    changes: dict | None = None,
    tiny: bool = False,
    grid: dict | None = None,
    ratio: float = 0.9,
    backbone: dict | None = None,
    device: str = 'cpu',
) -> torch.nn.Module:
    """The ViT-B pre-training model in phase 4 with random teachers, ready to train.

    Args:
        changes: arguments of the model to replace; None switches a part off.
        tiny: widths and depths of a smoke test.
        grid: sizes of the student and both teachers, such as ``img_size``, where they differ.
        ratio: mask ratio.
        backbone: further arguments of the student's encoder.
        device: where it trains.
    """
    init_default_scope('mmaction')
    cfg = Config.fromfile(CONFIG).model.to_dict()
    cfg['image_teacher']['checkpoint'] = cfg['video_teacher']['checkpoint'] = None
    sizes = TINY if tiny else grid or {}
    for part in ('backbone', 'video_teacher'):
        cfg[part].update(sizes)
    cfg['backbone'].update(backbone or {})
    image = cfg['image_teacher']
    image['num_frames'] = cfg['backbone']['num_frames']
    image['model_kwargs'] = dict(
        img_size=cfg['backbone']['img_size'],
        embed_dim=cfg['backbone']['embed_dims'],
        depth=cfg['backbone']['depth'],
        num_heads=cfg['backbone']['num_heads'],
    )
    torch.manual_seed(0)
    model = MODELS.build({**cfg, **(changes or {})})
    model.init_weights()
    model.train()
    if model.psd is not None:
        model.promote_student()
    # At 90 % a tiny grid would leave nothing visible.
    model.set_phase(Phase(3, 0.5 if tiny else ratio, 300, 400), 0.5 if tiny else ratio)
    model.seed_masks(0)
    return model.to(device)


def move_auxiliary(model: torch.nn.Module) -> None:
    """Makes the student, with noise on its weights, the auxiliary teacher."""
    weights = {k: v for k, v in model.student_state_dict().items() if v.is_floating_point()}
    model.promote_student({k: v + 0.02 * torch.randn_like(v) for k, v in weights.items()})


class Step:
    """Forward, backward and AdamW on fixed random clips, on the model's device.

    Args:
        model: result of :func:`build_model`.
        batch: clips.
        fused: PyTorch's fused AdamW.
        compiled: ``distill`` under ``torch.compile``, as ``CompileHook`` does it.
        inference: the teachers under ``torch.inference_mode``.
        autocast: forward under bfloat16 autocast: what ``--amp`` is on a GPU.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        batch: int,
        fused: bool = False,
        compiled: bool = False,
        inference: bool = False,
        autocast: bool = False,
    ) -> None:
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=fused)
        self.distill = model.distill
        if compiled:
            self.distill = torch.compile(model.distill, **CompileHook().options)
        if inference:
            for teacher in (*model.teachers.values(), model.auxiliary_teacher):
                teacher.forward = torch.inference_mode()(teacher.forward)
        self.autocast = autocast
        self.device = next(model.parameters()).device
        self.clips = torch.randn(batch, *model.backbone.clip_size, device=self.device)
        size = batch, len(model.teachers), model.backbone.num_patches
        self.history = History(*torch.rand(2, *size, device=self.device))

    def forward(self) -> torch.Tensor:
        """The total loss."""
        losses, _, _ = self.distill(self.clips, self.model.draw_views(self.clips), self.history)
        return sum(losses.values())

    def __call__(self) -> None:
        """One step."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss = self.forward()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
