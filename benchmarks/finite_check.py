"""What NonFiniteHook's check costs: a ViT-B step, and the check on its gradients.

    python benchmarks/finite_check.py --batch 2 --repeats 5

Times in turn a step of PMD (forward, backward, AdamW), the check of loss and gradients that the
hook adds, clipping by norm as in MMEngine, and clipping with the check.
"""

import argparse
import logging
import math
from statistics import median

import torch
from harness import add_device, interleave, machine_line, markdown, save_json
from mmengine.optim import OptimWrapper
from steps import Step, build_model

from pmd_mmaction.hooks.nonfinite.finite_guard import FiniteGuard


class Check:
    """What the guard does between backward and the end of the iteration; nothing is updated.

    Args:
        model: a model with gradients.
        guarded: with the check.
        clipped: with clipping by norm.
    """

    def __init__(self, model: torch.nn.Module, guarded: bool, clipped: bool) -> None:
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        clip = dict(max_norm=math.inf) if clipped else None
        self.wrapper = OptimWrapper(optimizer=self.optimizer, clip_grad=clip)
        self.wrapper.initialize_count_status(model, 1, 2)
        self.clipped = clipped
        self.guard = FiniteGuard(model, self.wrapper) if guarded else None

    def __call__(self) -> None:
        """Clips and checks, as this case does."""
        if self.clipped:
            self.wrapper._clip_grad()
        if self.guard is not None:
            self.guard._before_step(self.optimizer, (), {})
            if not self.guard.close_iteration().updated:
                raise SystemExit('the gradients were not finite: nothing was measured')


class KeptStep(Step):
    """A step that leaves its gradients to be checked."""

    def __call__(self) -> None:
        """One step."""
        self.optimizer.zero_grad()
        self.forward().backward()
        self.optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--tiny', action='store_true', help='a smoke test')
    parser.add_argument('--json', help='file for the raw figures')
    add_device(parser)
    args = parser.parse_args()
    logging.disable(logging.INFO)
    model = build_model(tiny=args.tiny, device=args.device)
    cases = {
        'step': KeptStep(model, args.batch),
        'check': Check(model, guarded=True, clipped=False),
        'clipping by norm': Check(model, guarded=False, clipped=True),
        'clipping by norm, with the check': Check(model, guarded=True, clipped=True),
    }
    times = interleave(cases, args.repeats)
    trained = sum(p.numel() for p in model.parameters() if p.grad is not None)
    print(f'{machine_line(args.device)}; batch {args.batch}, {trained / 1e6:.1f} M gradients\n')
    rows = []
    for name, seconds in times.items():
        low, middle, high = (1000 * f(seconds) for f in (min, median, max))
        share = median(seconds) / median(times['step'])
        rows.append((name, f'{middle:.1f}', f'{low:.1f}-{high:.1f}', f'{share:.2%}'))
    print(markdown(('what', 'median ms', 'range ms', 'of the step'), rows))
    save_json(args.json, times)


if __name__ == '__main__':
    main()
