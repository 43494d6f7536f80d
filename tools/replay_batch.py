"""Runs a skipped training step again and shows where it stops being finite.

Takes a record that `NonFiniteHook` wrote to <work_dir>/nonfinite/, and the config of the run, of
which <work_dir> holds a copy. Data, masks and randomness are drawn as they were. Exit code 0 if
something is not finite again, 3 if everything is finite, 1 for an error.
"""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import pickle
import sys
from contextlib import nullcontext

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import Tensor, nn

import pmd_mmaction  # noqa: F401 - registers the components and repairs the stack
from pmd_mmaction.hooks.nonfinite.restore_step import restore_model
from pmd_mmaction.hooks.nonfinite.step_record import StepRecord
from pmd_mmaction.hooks.step_seed_hook import seed_augmentation
from pmd_mmaction.shipped import read_config

SHOWN = 10  # rows per table


class Findings:
    """What is not finite, in the order in which it was computed."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self.losses: list[tuple[str, str, str]] = []  # name, then and now

    def look(self, kind: str, name: str, value: Tensor, samples: list[str] | None = None) -> None:
        """Notes a tensor that is not finite.

        Args:
            kind: What it is, such as 'input'.
            name: Its name.
            value: The tensor.
            samples: Names of its rows along the first axis.
        """
        bad = ~value.isfinite()
        if not value.is_floating_point() or not bad.any():
            return
        where = f'{int(bad.sum())} of {bad.numel()} values'
        if samples and bad.dim() and bad.shape[0] % len(samples) == 0:
            rows = bad.flatten(1).any(1) if bad.dim() > 1 else bad
            each = rows.view(len(samples), -1).any(1).tolist()  # several clips per video
            where += ': ' + ', '.join(name for name, is_bad in zip(samples, each) if is_bad)
        self.rows.append((kind, name, where))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('record', type=Path, help='<work_dir>/nonfinite/epoch_E_iter_I_rank_R.json')
    parser.add_argument('--checkpoint', help='weights to use instead of the recorded ones')
    parser.add_argument(
        '--config', required=True, help='config of the run; the work directory holds a copy'
    )
    parser.add_argument('--device', default=get_device(), help='default: %(default)s')
    return parser.parse_args(argv)


def build_model(cfg: Config, record: StepRecord, args: argparse.Namespace) -> nn.Module:
    """The model as it was before the step."""
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    model = MODELS.build(cfg.model)
    model.init_weights()
    weights = None
    try:
        if args.checkpoint:
            content = CheckpointLoader.load_checkpoint(args.checkpoint, map_location='cpu')
            weights = content.get('state_dict', content)
        restore_model(model, record, args.record.parent, weights)
    except RuntimeError as error:  # of PyTorch
        raise ValueError(f'the weights cannot be used with {args.config}: {error}') from error
    return model.to(args.device).train()


def watch(model: nn.Module, findings: Findings, samples: list[str]) -> list:
    """Looks at the output of each innermost module."""

    def see(name: str):
        def hook(module, args, output):
            output = getattr(output, 'features', output)  # of a teacher
            if isinstance(output, Tensor):
                findings.look('output', name, output, samples)

        return hook

    return [
        module.register_forward_hook(see(name))
        for name, module in model.named_modules()
        if not any(module.children())
    ]


def replay(model: nn.Module, cfg: Config, record: StepRecord) -> Findings:
    """Runs the batches of the step forward and backward."""
    loader_cfg = dict(cfg.train_dataloader, num_workers=0)
    loader = Runner.build_dataloader(loader_cfg, seed=record.seed)
    seed_augmentation(loader.dataset, record.seed, record.epoch)
    findings = Findings()
    for name, parameter in model.named_parameters():
        findings.look('weight', name, parameter)
    for batch in record.batches:
        indices = [sample['sample_idx'] for sample in batch['samples']]
        if not indices or None in indices:
            raise ValueError(
                "the samples have no sample_idx: add it to meta_keys of the pipeline's "
                'PackActionInputs for the next run'
            )
        names = [f'{s["sample_idx"]} ({s["file"]})' for s in batch['samples']]
        data = loader.collate_fn([loader.dataset[i] for i in indices])
        _run(model, cfg, batch, data, names, findings).mul(record.loss_scale).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    for name, gradient in gradients.items():
        findings.look('gradient', name, gradient)
    norm = nn.utils.get_total_norm([*gradients.values()]) / record.loss_scale
    findings.look('gradient', 'norm of all', norm)
    return findings


def _run(
    model: nn.Module, cfg: Config, batch: dict, data: dict, names: list[str], findings: Findings
) -> Tensor:
    """The loss of one batch."""
    if batch['seed'] is not None:
        torch.manual_seed(batch['seed'])
        if hasattr(model, 'seed_masks'):
            model.seed_masks(batch['mask_seed'])
    handles = watch(model, findings, names)
    with _precision(cfg, model):
        data = model.data_preprocessor(data, True)
        findings.look('input', 'clips after normalisation', data['inputs'], names)
        losses = model(**data, mode='loss')
    for handle in handles:
        handle.remove()
    _look_at_patches(model, names, findings)
    total, values = model.parse_losses(losses)
    for name, value in values.items():
        findings.look('loss', name, value)
        then = batch['losses'].get(name)
        then = f'{then:.6g}' if isinstance(then, float) else str(then)
        findings.losses.append((name, then, f'{value.item():.6g}'))
    return total


def _precision(cfg: Config, model: nn.Module):
    """Autocast, if the run was trained so."""
    if cfg.optim_wrapper.get('type') != 'AmpOptimWrapper':
        return nullcontext()
    device = next(model.parameters()).device.type
    name = cfg.optim_wrapper.get('dtype') or ('bfloat16' if device == 'cpu' else 'float16')
    return torch.autocast(device, getattr(torch, name) if isinstance(name, str) else name)


def _look_at_patches(model: nn.Module, names: list[str], findings: Findings) -> None:
    """Names the masked patches whose smoothed loss is not finite."""
    losses = model.pop_patch_losses() if hasattr(model, 'pop_patch_losses') else None
    if losses is None:
        return
    for row, (index, smoothed) in enumerate(zip(losses.masked_index, losses.smoothed)):
        for teacher, values in zip(model.difficulty_teachers, smoothed):
            bad = index[~values.isfinite()].tolist()
            if bad:
                shown = ', '.join(map(str, bad[:SHOWN])) + (' ...' if len(bad) > SHOWN else '')
                sample = names[row * len(names) // len(losses.smoothed)]
                where = f'{len(bad)} of {len(index)} patches: {shown}'
                findings.rows.append(('patch loss', f'{teacher} teacher, {sample}', where))


def show(console: Console, record: StepRecord, findings: Findings) -> None:
    """Prints what was found, the first of each kind first."""
    console.print(
        f'Epoch {record.epoch + 1}, iteration {record.iter + 1}, rank {record.rank} of '
        f'{record.world_size}, seed {record.seed}: a {record.reason} was not finite.'
    )
    losses = Table('loss', 'in the run', 'now')
    for row in findings.losses:
        losses.add_row(*row)
    console.print(losses)
    table = Table('kind', 'what', 'not finite', title='In the order of computation')
    shown: dict[str, int] = {}
    for row in findings.rows:
        shown[row[0]] = shown.get(row[0], 0) + 1
        if shown[row[0]] <= SHOWN:
            table.add_row(*(escape(text) for text in row))
    for kind, count in shown.items():
        if count > SHOWN:
            table.add_row(kind, f'... {count - SHOWN} more', '')
    if findings.rows:
        console.print(table)
        kind, name, where = findings.rows[0]
        console.print(f'First: {kind} [bold]{escape(name)}[/bold], {escape(where)}')
    else:
        console.print(
            'Everything is finite here. With several ranks it was the batch of another one: '
            'replay their records. Otherwise the fault depends on the machine or the precision: '
            'replay on the same kind of device.'
        )


def main(argv: list[str] | None = None) -> int:
    """Runs the tool."""
    args = parse_args(argv)
    try:
        record = StepRecord.read(args.record)
        cfg = read_config(args.config)
        findings = replay(build_model(cfg, record, args), cfg, record)
    except (OSError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise SystemExit(f'{args.record}: {error}') from error
    show(Console(width=None if sys.stdout.isatty() else 140), record, findings)
    return 0 if findings.rows else 3


if __name__ == '__main__':
    sys.exit(main())
