"""What ``teacher_dtype`` costs in targets, losses and gradients.

    python benchmarks/teacher_precision.py --batch 2

The same step, with the same weights and masks, with teachers in float32 and in another dtype. The
teachers are random, since no trained ones come with this repository; another student stands in
for the one of the phase before.
"""

import argparse
import logging

import torch
from harness import add_device, machine_line, markdown, save_json
from steps import Step, build_model, move_auxiliary
from torch import Tensor


def relative(found: Tensor, exact: Tensor) -> float:
    """Norm of the difference over the norm."""
    return ((found.double() - exact.double()).norm() / exact.double().norm()).item()


def run(batch: int, tiny: bool, device: str, dtype: str | None = None) -> dict[str, Tensor]:
    """Targets, losses and all gradients of one step."""
    model = build_model(dict(teacher_dtype=dtype), tiny, device=device)
    model.backbone.eval()  # no drop path
    torch.manual_seed(1)
    move_auxiliary(model)
    step = Step(model, batch)
    views = model.draw_views(step.clips)
    results = {}
    targets, groups = model.teach(step.clips, views)
    for name, features in targets.items():
        results[f'{name} teacher, features'] = features
        means = [group.mean for group in groups[model.clfa.name][name]]
        results[f'{name} teacher, means of layer groups'] = torch.stack(means)
    taught = model.auxiliary_teacher(step.clips, *views['auxiliary'])
    results['auxiliary teacher, features'] = torch.stack(list(taught.values()))
    losses, smoothed, _ = model.distill(step.clips, views, step.history)
    results['patch losses'] = smoothed.detach()
    results |= {key: value.detach() for key, value in losses.items()}
    total = sum(losses.values())
    total.backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return results | dict(total=total.detach(), gradient=torch.cat(gradients))


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--dtypes', nargs='+', default=['bfloat16', 'float16'])
    parser.add_argument('--tiny', action='store_true', help='a smoke test in seconds')
    parser.add_argument('--json', help='write the raw figures here')
    add_device(parser)
    args = parser.parse_args()
    machine = machine_line(args.device)
    exact = run(args.batch, args.tiny, args.device)
    errors = {}
    for dtype in args.dtypes:
        found = run(args.batch, args.tiny, args.device, dtype)
        errors[dtype] = {name: relative(found[name], exact[name]) for name in exact}
    print(machine, '\n')
    rows = [(name, *(f'{errors[d][name]:.1e}' for d in args.dtypes)) for name in exact]
    print(markdown(('norm of the difference over the norm', *args.dtypes), rows))
    save_json(args.json, dict(machine=machine, errors=errors))


if __name__ == '__main__':
    main()
