"""Evaluates a checkpoint on the test data of a config."""

from __future__ import annotations

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import os

from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

import pmd_mmaction  # noqa: F401 - registers the components and repairs the stack
from pmd_mmaction.local_rank import set_local_rank
from pmd_mmaction.shipped import read_config
from pmd_mmaction.tool_errors import one_line_if_missing


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line, which is that of MMAction2's tools/test.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path or URL of the checkpoint')
    parser.add_argument('--work-dir', help='where the log and the metrics go')
    parser.add_argument('--dump', metavar='FILE.pkl', help='save the predictions to this file')
    parser.add_argument('--show-dir', help='save pictures of the predictions to this directory')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='show every n-th sample')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds per window')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings to change in the config, such as test_dataloader.batch_size=4 or '
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
        SystemExit: If an option does not fit the config.
    """
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if cfg.get('test_dataloader') is None:
        raise SystemExit(
            f'{args.config} has no test_dataloader, so there is nothing to evaluate. A config of '
            'pre-training has none; use the one for fine-tuning.'
        )
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    if args.show or args.show_dir is not None:
        chosen = dict(
            enable=True,
            show=args.show,
            out_dir=args.show_dir,
            interval=args.interval,
            wait_time=args.wait_time,
        )
        hook = (cfg.get('default_hooks') or {}).get('visualization') or {}
        hook = dict(type='VisualizationHook') | dict(hook) | chosen
        cfg.merge_from_dict(dict(default_hooks=dict(visualization=hook)))
    if args.dump is not None:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise SystemExit(f'--dump {args.dump}: the name must end in .pkl or .pickle.')
        evaluators = cfg.test_evaluator
        evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.dump)]
    return cfg


@one_line_if_missing()
def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    set_local_rank(args.local_rank)
    cfg = merge_args(read_config(args.config), args)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.test()


if __name__ == '__main__':
    main()
