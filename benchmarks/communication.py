"""What ranks send in a training step of the tiny model, and when: gloo processes on one machine.

    python benchmarks/communication.py --ranks 2 4 8

Each step is profiled on rank 0. Times mean nothing here, since the processes share the cores; what
counts is the number of collectives, their bytes, and whether they start before the backward pass
has ended. Hooks beside the table's are not part of it.
"""

import argparse
import logging
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from harness import free_port, machine_line, markdown, save_json
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from torch.profiler import profile

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.dare import pack_rows
from pmd_mmaction.functional import Phase
from pmd_mmaction.hooks.difficulty.dare_hook import DifficultyReader
from pmd_mmaction.hooks.difficulty.shared_table import create_shared_table
from pmd_mmaction.teacher_configs import leave_out_files

CONFIG = Path(__file__).parents[1] / 'configs/pmd/vit-tiny_demo_pretrain.py'
BATCH, WARMUP, STEPS = 2, 4, 4  # DDP sorts its buckets in the first iterations
LAUNCHERS = {
    'all_reduce': 'c10d::allreduce_',
    'all_gather': 'c10d::allgather_',
    'barrier': 'c10d::barrier',
    'broadcast': 'c10d::broadcast_',
}


def build() -> torch.nn.Module:
    """The model of the demo in its last phase, with random teachers."""
    cfg = Config.fromfile(CONFIG).model
    leave_out_files(cfg)
    model = MODELS.build(cfg)
    model.init_weights()
    model.promote_student()
    model.set_phase(Phase(3, 0.9, 12, 16), 0.85)
    return model.train()


def run_rank(rank: int, ranks: int, port: int, accumulation: int, results: mp.SimpleQueue) -> None:
    """Trains some steps and reports the events of rank 0."""
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    init_default_scope('mmaction')
    dist.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=ranks)
    torch.manual_seed(rank)
    model = build()
    spec, videos = model.difficulty_spec, ranks * BATCH
    share = create_shared_table(videos, spec.num_teachers, spec.num_patches, 'float16', None)
    model.attach_difficulty(DifficultyReader(share.table))
    wrapped = MMDistributedDataParallel(model, broadcast_buffers=False, bucket_cap_mb=1)
    optimizer = OptimWrapper(
        torch.optim.AdamW(model.parameters(), 1e-4), accumulative_counts=accumulation
    )
    optimizer.initialize_count_status(model, 0, WARMUP + STEPS)
    samples = [ActionDataSample(metainfo=dict(sample_idx=rank * BATCH + i)) for i in range(BATCH)]
    clips = [torch.zeros(1, *model.backbone.clip_size, dtype=torch.uint8) for _ in range(BATCH)]

    def step() -> None:
        share.bring_up([sample.sample_idx for sample in samples])
        wrapped.train_step(dict(inputs=clips, data_samples=samples), optimizer)
        losses = model.pop_patch_losses()
        rows = pack_rows(losses.masked_index, losses.smoothed, share.table.layout)
        share.write(losses.sample_idx, rows)

    for _ in range(WARMUP):
        step()
    with profile(record_shapes=True) as recorded:
        for _ in range(STEPS):
            step()
    if rank == 0:
        gradient = 4 * sum(p.numel() for p in model.parameters() if p.requires_grad)
        results.put((gradient, summarize(recorded.events())))
    dist.barrier()
    dist.destroy_process_group()


def summarize(events: list) -> dict[tuple[str, str], list[float]]:
    """(collective, when it starts) to calls, bytes handed in and calls before backward's end."""
    events = sorted(events, key=lambda event: event.time_range.start)
    forwards = [e.time_range for e in events if e.name == 'DistributedDataParallel.forward']
    backward = [e.time_range for e in events if e.name.startswith('autograd::engine')]
    found: dict[tuple[str, str], list[float]] = {}
    for event, start in with_launch(events):
        forward = max((f for f in forwards if f.start <= start), key=lambda f: f.start)
        following = min((f.start for f in forwards if f.start > start), default=float('inf'))
        end = max(b.end for b in backward if forward.start < b.start < following)
        when = 'forward' if start < forward.end else 'backward' if start < end else 'after'
        entry = found.setdefault((event.name.removeprefix('gloo:'), when), [0, 0])
        shape = event.input_shapes[0] if event.input_shapes else []
        entry[0] += 1
        entry[1] += torch.Size(shape).numel() * item_size(event.name, shape)
    return found


def with_launch(events: list) -> list[tuple]:
    """What gloo's threads did, each with the time at which it was handed to them."""
    pairs = []
    for name, launcher in LAUNCHERS.items():
        done = [event for event in events if event.name == f'gloo:{name}']
        launched = [event.time_range.start for event in events if event.name == launcher]
        pairs += zip(done, launched, strict=True)
    return pairs


def item_size(name: str, shape: list[int]) -> int:
    """Bytes per number: float32 gradients, float16 rows, int64 clips; a barrier has none."""
    if name == 'gloo:barrier':
        return 0
    return {'gloo:all_gather': 2 if len(shape) == 3 else 8}.get(name, 4)


def measure(ranks: int, accumulation: int) -> tuple[int, dict]:
    """Starts the ranks and waits for the report of the first."""
    port = free_port()
    results = mp.get_context('fork').SimpleQueue()  # nothing has to be imported again
    mp.start_processes(run_rank, (ranks, port, accumulation, results), ranks, start_method='fork')
    return results.get()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--ranks', type=int, nargs='+', default=[2, 4, 8])
    parser.add_argument('--accumulation', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--json', help='write the raw figures here')
    return parser.parse_args()


def main() -> None:
    args, rows, gradient = parse_args(), [], 0
    for ranks in args.ranks:
        for accumulation in args.accumulation:
            gradient, found = measure(ranks, accumulation)
            rows += [
                (ranks, accumulation, *key, f'{calls / STEPS:g}', f'{sent / STEPS / 1024:.1f}')
                for key, (calls, sent) in found.items()
            ]
    print(machine_line())
    print(f'\ngradients {gradient / 1024:.1f} KiB, {BATCH} clips per rank, buckets of 1 MiB\n')
    header = (
        'ranks', 'accumulation', 'collective', 'starts in', 'calls per iteration',
        'KiB per iteration from each rank',
    )  # fmt: skip
    print(markdown(header, rows))
    save_json(args.json, dict(machine=machine_line(), rows=rows))


if __name__ == '__main__':
    main()
