"""Time, memory and efficiency of one ViT-B training step with and without PMD's terms.

    python benchmarks/step_time.py --batch 2 --repeats 5

All variants run in one process in turn; peak memory is taken in a process of its own for each.
"""

import argparse
import logging
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from flops import iteration_gflops
from harness import interleave, machine_line, markdown, paired_ratio, save_json
from mmaction.models.backbones.vit_mae import Attention
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import Phase
from pmd_mmaction.models.backbones import FusedAttention

CONFIG = Path(__file__).parents[1] / 'configs/pmd/vit-b_k400_pretrain.py'
PHASE = Phase(3, 0.9, 300, 400)
OFF = dict(psd=None, dare=None, clfa=None)
VARIANTS = {
    'base': OFF,
    'base + PSD': dict(OFF, psd=...),
    'base + DARE': dict(OFF, dare=...),
    'base + CLFA': dict(OFF, clfa=...),
    'PMD (all terms)': {},
    'base, explicit attention': OFF,
}


def build(variant: str) -> torch.nn.Module:
    """The model of the ViT-B config in phase 4, with random teachers."""
    cfg = Config.fromfile(CONFIG).model
    cfg.image_teacher.checkpoint = cfg.video_teacher.checkpoint = None
    for key, value in VARIANTS[variant].items():
        if value is None:
            cfg[key] = None
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    model.train()
    if model.psd is not None:
        model.promote_student()
    model.set_phase(PHASE, 0.85)
    if 'explicit' in variant:
        use_explicit_attention(model)
    return model


def use_explicit_attention(model: torch.nn.Module) -> None:
    """MMAction2's own softmax attention everywhere, and timm's unfused one."""
    teachers = [teacher.network for teacher in model.teachers.values()]
    for module in (m for part in (model, *teachers) for m in part.modules()):
        if isinstance(module, FusedAttention):
            module.__class__ = Attention
        elif hasattr(module, 'fused_attn'):
            module.fused_attn = False


class Step:
    """Forward, backward and AdamW on fixed random clips.

    Args:
        variant: key of ``VARIANTS``.
        batch: clips.
    """

    def __init__(self, variant: str, batch: int) -> None:
        self.model = build(variant)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)
        self.clips = torch.randn(batch, 3, 16, 224, 224)
        self.history = (torch.rand(batch, 2, 1568), torch.rand(batch, 2, 1568))

    def forward(self) -> torch.Tensor:
        """The total loss."""
        self.model.seed_masks(0)
        view = self.model.draw_view(self.clips)
        losses, _ = self.model.distill(self.clips, view, *self.history)
        return sum(losses.values())

    def __call__(self) -> None:
        """One step."""
        self.forward().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def sgemm_rate(n: int = 3072, repeats: int = 3) -> float:
    """GFLOP/s of a square float32 matrix product: this machine's practical ceiling."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    rates = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        a @ b
        rates.append(2 * n**3 / (time.perf_counter() - start) / 1e9)
    return statistics.median(rates[1:])


def peak_memory(variant: str, batch: int) -> float:
    """GiB of resident memory at the peak of two steps, in a process of its own."""
    command = [sys.executable, __file__, '--peak', variant, '--batch', str(batch)]
    return float(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
    )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument('--json', help='write the raw figures here')
    parser.add_argument('--peak', choices=VARIANTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    logging.disable(logging.INFO)
    args = parse_args()
    init_default_scope('mmaction')
    if args.peak:
        step = Step(args.peak, args.batch)
        step(), step()
        # Not getrusage: a child inherits the peak of the process that it was forked from.
        status = Path('/proc/self/status').read_text()
        print(int(status.split('VmHWM:')[1].split()[0]) / 2**20)
        return
    steps = {name: Step(name, args.batch) for name in args.variants}
    gflops = {
        name: args.batch * iteration_gflops(step.model, PHASE)['PMD step']
        for name, step in steps.items()
    }
    rate_before = sgemm_rate()
    times = interleave(steps, args.repeats)
    rate = statistics.median([rate_before, sgemm_rate()])
    rows, base = [], args.variants[0]
    for name in args.variants:
        work, median = gflops[name], statistics.median(times[name])
        rows.append(
            (
                name,
                f'{median:.2f}',
                f'{min(times[name]):.2f}-{max(times[name]):.2f}',
                f'{paired_ratio(times[name], times[base]):.3f}',
                f'{work:.0f}',
                f'{work / median / rate:.2f}',
                f'{peak_memory(name, args.batch):.2f}',
            )
        )
    print(machine_line())
    print(
        f'ViT-B, 16 x 224 x 224, fp32, batch {args.batch}, mask ratio 0.9, {args.repeats} '
        f'interleaved rounds; sgemm {rate:.0f} GFLOP/s\n'
    )
    print(
        markdown(
            ('step', 'median s', 'range s', f'ratio to {base}', 'GFLOP', 'of sgemm', 'peak GiB'),
            rows,
        )
    )
    save_json(args.json, dict(machine=machine_line(), times=times, gflops=gflops, sgemm=rate))


if __name__ == '__main__':
    main()
