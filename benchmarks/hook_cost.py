"""What HealthHook and TermBalanceHook add to an iteration at their default intervals.

    python benchmarks/hook_cost.py               # CPU time of a small model; operations of ViT-B

CPU time of the process, since a busy machine's clock says little; medians of interleaved rounds.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable

import torch
from harness import interleave, machine_line, markdown, product_rate, save_json
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from steps import CONFIG, Step, build_model

from pmd_mmaction.functional import Phase, effective_rank, feature_spread, target_variance
from pmd_mmaction.hooks import HealthHook, TermBalanceHook
from pmd_mmaction.hooks.health_hook import RecentFeatures
from pmd_mmaction.hooks.term_balance_hook import term_pulls
from pmd_mmaction.models.operations import build_without_weights, iteration_gflops
from pmd_mmaction.models.recognizers.diagnosis import diagnose

GRID = dict(img_size=112, num_frames=8, embed_dims=192, depth=6, num_heads=3)
RECENT = 256  # clips of HealthHook
GOAL = 0.2  # per cent


class Zeros:
    """A difficulty table in a phase's first stage."""

    by_place = False

    def __init__(self, *size: int) -> None:
        self.size = size

    def read(self, sample_idx: list[int]) -> tuple[torch.Tensor, None]:
        """Nothing was ever masked."""
        return torch.zeros(len(sample_idx), *self.size), None


def small_cases(args: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """A step of a small model, and what the hooks do in the iterations in which they do it."""
    grid = dict(img_size=32, num_frames=4, embed_dims=48, depth=3) if args.tiny else {}
    model = build_model(tiny=args.tiny, grid=GRID | grid)
    step = Step(model, args.batch)
    model.attach_difficulty(Zeros(len(model.teachers), model.backbone.num_patches))
    views = model.draw_views(step.clips)
    seen = model.observe(step.clips, views, step.history)
    for term in model.terms.values():
        term(seen)  # as in an iteration: the losses of the patches are there already
    recent = RecentFeatures(RECENT)

    def health() -> None:
        recent.add(diagnose(seen, model.terms.values(), model.num_masks).features)
        effective_rank(recent.rows)
        feature_spread(recent.rows)

    clips = step.clips[: args.clips, None]
    samples = [ActionDataSample(metainfo=dict(sample_idx=i)) for i in range(len(clips))]
    weights = list(model.backbone.parameters())

    def balance() -> None:
        term_pulls(model.term_losses(clips, samples), weights)

    return {'step': step, 'HealthHook': health, 'TermBalanceHook': balance}


def measure(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each, taken in turn."""
    times = interleave(cases, rounds, clock=time.process_time)
    return {name: statistics.median(found) for name, found in times.items()}


def balance_share(parts: dict[str, float], decoding_terms: int) -> float:
    """Operations of a measurement of TermBalanceHook over those of a step, per clip.

    Forward of all; backward to the encoder's weights alone, so a decoder counts once and the
    encoder twice, for each term that decodes; CLFA has no decoder.

    Args:
        parts: result of :func:`iteration_gflops`.
        decoding_terms: base, PSD, DARE.
    """
    trained = parts['encoder'] + parts['decoders']
    frozen = parts['base step'] - 3 * trained + parts['auxiliary teacher']
    forward = frozen + trained + parts["terms' layers"]
    backward = decoding_terms * (parts['decoders'] + 2 * parts['encoder'])
    backward += 2 * parts['encoder'] + parts["terms' layers"]
    return (forward + backward) / parts['step']


def health_at_vit_b() -> float:
    """CPU seconds per clip of what HealthHook computes on targets of ViT-B's size.

    The losses of the patches are those of base, computed already.
    """
    targets, recent = torch.randn(2, 2, 1568, 768), torch.randn(RECENT, 768)
    masked = torch.rand(2, 1568).argsort(1)[:, :1408]

    def variances() -> None:
        for target in targets:
            target_variance(target, masked)

    seconds = measure({'clips': variances, 'rank': lambda: effective_rank(recent)}, 3)
    return seconds['clips'] / 2 + seconds['rank'] / 64


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--tiny', action='store_true', help='to see that it works')
    parser.add_argument('--json', help='write the raw figures here')
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.clips = TermBalanceHook().clips
    intervals = dict(HealthHook=HealthHook().interval, TermBalanceHook=TermBalanceHook().interval)
    seconds = measure(small_cases(args), args.rounds)
    print(machine_line(), '\n')
    rows = []
    for name, interval in intervals.items():
        share = 100 * seconds[name] / seconds['step'] / interval
        rows.append(
            [name, interval, f'{1e3 * seconds[name]:.1f}', f'{1e3 * seconds["step"]:.0f}']
            + [f'{share:.4f}', 'yes' if share < GOAL else 'no']
        )
    header = ('hook', 'interval', 'CPU ms', 'step, CPU ms', '% of a run', f'under {GOAL} %')
    print(markdown(header, rows), '\n')
    parts = iteration_gflops(
        build_without_weights(Config.fromfile(CONFIG).model), Phase(3, 0.9, 300, 400), 0.85
    )
    share = balance_share(parts, decoding_terms=3)
    per_run = 100 * share * args.clips / intervals['TermBalanceHook']
    print(
        f'ViT-B, 90 %: TermBalanceHook {share:.2f} of the operations of a step per clip that it '
        f'looks at; {args.clips} of 64 clips: {per_run / 64:.4f} % of a run; under {GOAL} % from '
        f'{per_run / GOAL:.0f} clips a batch on'
    )
    rate = product_rate(n=1024)
    health = health_at_vit_b()
    step = parts['step'] / rate
    share_of_run = 100 * health / step / intervals['HealthHook']
    print(
        f'ViT-B, 90 %: HealthHook {1e3 * health:.0f} CPU ms a clip; a step {step:.1f} CPU s a clip '
        f'at the {rate:.0f} GFLOP/s of sgemm: at most {share_of_run:.2f} % of a run'
    )
    found = dict(seconds=seconds, vit_b=dict(balance=share, health=health, step=step))
    save_json(args.json, dict(machine=machine_line(), **found))


if __name__ == '__main__':
    main()
