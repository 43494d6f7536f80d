"""Fits the linear head of a recognizer on frozen features and tests it with the Runner."""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import json

import torch
from mmengine.config import DictAction
from mmengine.runner import Runner, save_checkpoint
from tqdm import tqdm

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.evaluation import compute_features, first_of_each_class, fit_linear_probe
from pmd_mmaction.evaluation.linear_probe import require_scikit_learn
from pmd_mmaction.hooks import CheckBackboneHook, CheckLabelsHook
from pmd_mmaction.shipped import read_config
from pmd_mmaction.storage.atomic_file import write_file
from pmd_mmaction.tool_errors import one_line_if_missing


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='recognizer config with a probe_dataloader')
    parser.add_argument('checkpoint', nargs='?', help='weights of the backbone')
    parser.add_argument(
        '--random', action='store_true', help='probe the untrained encoder instead of a checkpoint'
    )
    parser.add_argument('--c', type=float, default=1.0, help='inverse strength of the penalty')
    parser.add_argument(
        '--labels-per-class',
        nargs='+',
        type=_label_count,
        default=[None],
        metavar='N',
        help='fit only on the first N clips of each class; "all" is the default. Several values '
        'give a head each, for features computed once; their metrics are named N/...',
    )
    parser.add_argument('--out', help='save the recognizer with its fitted head here')
    parser.add_argument('--json', help='write the metrics here')
    parser.add_argument('--work-dir', help='directory of the logs')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config',
    )
    args = parser.parse_args(argv)
    if args.random == bool(args.checkpoint):
        parser.error('give either a checkpoint or --random')
    if args.c <= 0:
        parser.error('--c must be above 0')
    if args.out and len(args.labels_per_class) > 1:
        parser.error('--out saves one head: give one number to --labels-per-class')
    return args


def _label_count(text: str) -> int | None:
    if text == 'all':
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is neither 1 or more nor "all"')
    return int(text)


def build_runner(args: argparse.Namespace) -> Runner:
    """A Runner for testing, its backbone loaded."""
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or 'work_dirs/probe'
    cfg.load_from = args.checkpoint
    if cfg.get('probe_dataloader') is None or cfg.get('model') is None:
        raise SystemExit(
            f'{args.config} is not a config of a linear probe: it needs a model and a '
            'probe_dataloader, as configs/pmd/vit-tiny_demo_probe.py. Probes of Kinetics-400 and '
            'SSv2 are trained: tools/dist_train.sh configs/pmd/vit-b_k400_linear-probe.py'
        )
    runner = Runner.from_cfg(cfg)
    runner.register_hook(CheckLabelsHook())
    if args.checkpoint:
        runner.register_hook(CheckBackboneHook())  # or a file of another model would score by luck
    runner.model.init_weights()
    runner.load_or_resume()
    return runner


@torch.no_grad()
def extract(runner: Runner) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and labels of the clips in ``probe_dataloader``."""
    model = runner.model.eval()
    features, labels = [], []
    for batch in tqdm(
        runner.build_dataloader(runner.cfg.probe_dataloader),
        desc='features',
        mininterval=1,
        disable=None,
    ):
        batch = model.data_preprocessor(batch, training=False)
        features.append(compute_features(model, batch['inputs']).cpu())
        labels += [int(sample.gt_label) for sample in batch['data_samples']]
    return torch.cat(features), torch.tensor(labels)


def fit_head(
    runner: Runner, features: torch.Tensor, labels: torch.Tensor, args: argparse.Namespace
) -> None:
    """Fits the model's head to features, as ``extract`` returns them."""
    try:
        weight, bias = fit_linear_probe(features, labels, c=args.c)
    except ValueError as error:
        raise SystemExit(f'{args.config}: {error}') from None
    head = runner.model.cls_head.fc_cls
    if head.weight.shape != weight.shape:
        raise SystemExit(
            f'the training clips give a head of {tuple(weight.shape)}, the config '
            f'has {tuple(head.weight.shape)}: set cls_head.num_classes'
        )
    head.load_state_dict(dict(weight=weight, bias=bias))


@one_line_if_missing()
def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    require_scikit_learn()
    for path in filter(None, (args.out, args.json)):  # not at the end, when all is computed
        if Path(path).is_dir():
            raise SystemExit(f'{path} is a folder: name a file')
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    runner = build_runner(args)
    features, labels = extract(runner)
    metrics = {}
    for count in args.labels_per_class:
        few = slice(None) if count is None else first_of_each_class(labels, count)
        fit_head(runner, features[few], labels[few], args)
        prefix = f'{count or "all"}/' if len(args.labels_per_class) > 1 else ''
        metrics.update({prefix + name: value for name, value in runner.test().items()})
    if args.out:
        save_checkpoint(dict(state_dict=runner.model.state_dict(), meta={}), args.out)
    if args.json:
        write_file(Path(args.json), json.dumps(metrics).encode())


if __name__ == '__main__':
    main()
