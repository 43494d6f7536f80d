"""Which share of the matrix-product rate each part of a PMD step reaches, at its own shapes.

    python benchmarks/ceiling.py --batch 1 --repeats 4

Each part runs once while its matrix products are noted. Then the part, and each of its products
alone on the same shapes, are timed in turn. ``of sgemm`` is the part's rate (fused attention
counted) over the rate of its own products alone: 1 means that nothing else costs time.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Callable
from statistics import median

import torch
from harness import add_device, interleave, machine_line, markdown, product_rate, save_json
from steps import Step, build_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.benchmark import Timer

from pmd_mmaction.models.operations import count_operations
from pmd_mmaction.models.teachers import LayerGroup
from pmd_mmaction.models.terms import Step as Computed

PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)


class NoteProducts(TorchDispatchMode):
    """Counts matrix products by operand shapes and by which operands are transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.products: Counter = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in PRODUCTS:
            key = tuple((tuple(x.shape), x.stride(-1) == 1) for x in args[-2:])
            self.products[key] += 1
        return func(*args, **(kwargs or {}))


def operand(shape: tuple[int, ...], row_major: bool, device: str) -> torch.Tensor:
    """A random operand of this shape and layout."""
    if row_major:
        return torch.randn(shape, device=device)
    return torch.randn((*shape[:-2], shape[-1], shape[-2]), device=device).transpose(-1, -2)


def parts_of(step: Step) -> dict[str, Callable[[], object]]:
    """Part of a step to a call that runs it alone; backward passes free their graph."""
    model, clips = step.model, step.clips
    views = model.draw_views(clips)
    index, layers = views['student'], model.clfa.student_layers
    with torch.no_grad():
        encoded = model.backbone.encode(clips, index[0], layers)
        targets, groups = model.teach(clips, views)
        decoded = {n: decoder(encoded.tokens, *index) for n, decoder in model.decoders.items()}

    def loss_terms() -> None:
        kept = dict(zip(layers, encoded.layers))
        work = Computed(views, targets, groups, kept, decoded)
        model.terms['base'](work)
        model.clfa(work)

    def teacher(name: str) -> object:
        network = model.teachers[name]
        groups = model.clfa.teacher_groups(network.depth)
        return network(clips, [LayerGroup(layers, index.visible) for layers in groups])

    with torch.no_grad():
        tokens = encoded.tokens
    return {
        'video teacher': lambda: teacher('vid'),
        'image teacher': lambda: teacher('img'),
        'auxiliary teacher': lambda: model.auxiliary_teacher(clips, *index),
        'student encoder': lambda: model.backbone.encode(clips, index[0], layers),
        'decoders': lambda: [decoder(tokens, *index) for decoder in model.decoders.values()],
        'loss terms, CLFA included': loss_terms,
    }


def time_backward(step: Step, repeats: int) -> list[float]:
    """Seconds of the backward pass alone; gradients are added up as in accumulation."""
    times = []
    for _ in range(repeats + 1):
        loss = step.forward()
        times.append(interleave({'': loss.backward}, 1, warmup=0)[''][0])
    return times[1:]


def measure_products(products: Counter, device: str, least: float) -> tuple[float, float]:
    """GFLOP of all noted products, and seconds they take alone, each measured ``least`` seconds."""
    work = seconds = 0.0
    for ((left, a), (right, b)), count in products.items():
        x, y = operand(left, a, device), operand(right, b, device)
        timer = Timer('x @ y', globals=dict(x=x, y=y), num_threads=torch.get_num_threads())
        # A few calls of a millisecond or two would measure the scheduler.
        seconds += count * timer.blocked_autorange(min_run_time=least).median
        work += count * 2 * x.numel() * right[-1] / 1e9
    return work, seconds


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--repeats', type=int, default=4)
    parser.add_argument('--tiny', action='store_true', help='a smoke test in seconds')
    parser.add_argument('--json', help='write the raw figures here')
    add_device(parser)
    args = parser.parse_args()
    machine = machine_line(args.device)
    step = Step(build_model(tiny=args.tiny, device=args.device), args.batch)
    parts, noted, gflop = parts_of(step), {}, {}
    for name, call in parts.items():
        with NoteProducts() as notes:
            call()
        noted[name], gflop[name] = notes.products, count_operations(call) / 1e9
    loss = step.forward()
    with NoteProducts() as notes:
        loss.backward()
    noted['backward'] = notes.products
    square = product_rate(args.device)
    times = interleave(parts, args.repeats)
    times['backward'] = time_backward(step, args.repeats)
    # Twice the forward of what is trained.
    gflop['backward'] = 2 * sum(
        gflop[name] for name in ('student encoder', 'decoders', 'loss terms, CLFA included')
    )
    times |= interleave({'AdamW': step.optimizer.step}, args.repeats)
    rows = []
    for name, seconds in times.items():
        if name == 'AdamW':
            rows.append((name, f'{median(seconds):.3f}', '', '', '', '', ''))
            continue
        work, alone = measure_products(noted[name], args.device, 0.01 if args.tiny else 0.2)
        rate, ceiling = gflop[name] / median(seconds), work / alone
        rows.append(
            (
                name,
                f'{median(seconds):.3f}',
                f'{gflop[name]:.1f}',
                f'{rate:.0f}',
                f'{ceiling:.0f}',
                f'{rate / ceiling:.2f}',
                f'{alone / median(seconds):.2f}',
            )
        )
    print(machine)
    print(f'batch {args.batch}; square sgemm (3072) {square:.0f} GFLOP/s\n')
    header = ('part', 's', 'GFLOP', 'GFLOP/s', 'its products alone', 'of sgemm', 'time in products')
    print(markdown(header, rows))
    save_json(args.json, dict(machine=machine, times=times, gflop=gflop, sgemm=square))


if __name__ == '__main__':
    main()
