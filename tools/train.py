"""Trains the model of a config (pre-training or fine-tuning)."""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import gc
import os
import sys

import torch
from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.runner import Runner

import pmd_mmaction  # noqa: F401 - registers the components and repairs the stack
from pmd_mmaction.diagnosis.keys import examine_keys
from pmd_mmaction.hooks import RollbackRequested
from pmd_mmaction.hooks.checkpoints.checkpoint_files import list_checkpoints
from pmd_mmaction.local_rank import set_local_rank
from pmd_mmaction.shipped import read_config

# how often a launcher has started this job again
RESTARTS = 'TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line, which is that of MMAction2's tools/train.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint; without a path, from the last one in the work '
        'directory, or from the start if there is none',
    )
    parser.add_argument('--amp', action='store_true', help='train with mixed precision (GPU)')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the real total batch size',
    )
    parser.add_argument('--seed', type=int, help='random seed; overrides the config')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='a different seed on each rank'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='only deterministic algorithms of cuDNN'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings to change in the config, such as optim_wrapper.optimizer.lr=1e-3 or '
        "list='[1,2]'; the other options take precedence",
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='launcher'
    )
    # Given by launchers older than torchrun.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Writes the command line into the config.

    Args:
        cfg: The config; modified in place.
        args: What `parse_args` returned.

    Returns:
        The same config.

    Raises:
        SystemExit: If an option does not fit the config or the machine.
    """
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _use_amp(cfg)
    if args.auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise SystemExit(
                f'--auto-scale-lr: {args.config} does not say for which batch size its learning '
                'rate is. Add auto_scale_lr = dict(base_batch_size=...) to it.'
            )
        cfg.auto_scale_lr.enable = True
    randomness = dict(seed=None) | dict(cfg.get('randomness') or {})
    if args.seed is not None:
        randomness['seed'] = args.seed
    if args.diff_rank_seed:
        randomness['diff_rank_seed'] = True
    if args.deterministic:
        randomness['deterministic'] = True
    cfg.randomness = randomness
    if args.resume is not None:
        _resume(cfg, args.resume)
    return cfg


def _use_amp(cfg: Config) -> None:
    if get_device() in ('cpu', 'mps'):
        raise SystemExit(
            '--amp needs a GPU, and none was found on this machine. Leave the option out, or '
            'check CUDA_VISIBLE_DEVICES and the installed build of torch.'
        )
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise SystemExit(
            f'--amp cannot be combined with optim_wrapper.type = {kind!r}. Leave the option out '
            'and choose the precision in the config.'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'


def _resume(cfg: Config, checkpoint: str) -> None:
    restarted = any(int(os.environ.get(name) or 0) > 0 for name in RESTARTS)
    if restarted and list_checkpoints(Path(cfg.work_dir)):
        checkpoint = 'auto'  # after a lost process: on from there, not from where it began
    if checkpoint == 'auto':
        found = list_checkpoints(Path(cfg.work_dir))
        if not found:
            # The same command starts and restarts a run: nothing to resume is not an error, and
            # initial weights are kept.
            cfg.resume = False
            return
        checkpoints = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
        if checkpoints.get('type') == 'SafeCheckpointHook':
            cfg.resume = True
            cfg.load_from = None  # the hook takes the newest that is complete
            return
        checkpoint = str(found[0])
    if '://' not in checkpoint and not os.path.isfile(os.path.expanduser(checkpoint)):
        raise SystemExit(
            f'--resume: there is no checkpoint {checkpoint}. Check the path, or give --resume '
            'alone to take the last one in the work directory.'
        )
    cfg.resume = True
    cfg.load_from = checkpoint


def train(cfg: Config) -> str | None:
    """Trains to the end, or until the run has to be rolled back.

    Args:
        cfg: The config.

    Returns:
        The checkpoint to go back to (`NonFiniteHook`), or None at the end.
    """
    runner = None
    try:
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.train()
    except FileNotFoundError as error:
        if runner is not None and runner.iter:
            raise
        raise SystemExit(
            f'{error}\n`python -m pmd_mmaction doctor {cfg.filename}` lists all that is missing'
        ) from None
    except RollbackRequested as request:
        runner.logger.warning(str(request))
        return request.checkpoint
    return None


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    cfg = merge_args(read_config(args.config), args)
    if set_local_rank(args.local_rank) == 0:  # once per node
        for finding in examine_keys(cfg):
            print(f'{args.config}: {finding.found}, {finding.remedy}', file=sys.stderr)
    rollbacks = 0
    while (checkpoint := train(cfg)) is not None:
        rollbacks += 1
        cfg.resume, cfg.load_from = True, checkpoint
        # A new name, since mmengine keeps loggers and message hubs by name.
        cfg.experiment_name = f'{Path(args.config).stem}_rollback_{rollbacks}'
        gc.collect()  # the Runner that was given up, with its worker processes
        torch.cuda.empty_cache()


if __name__ == '__main__':
    main()
