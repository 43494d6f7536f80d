"""Checks the environment of a run: the project's packages, and CPUs for its workers.

Every tool runs this file before it imports anything outside the standard library. If packages are
missing, the tool ends with a one-line message. File names that are not valid UTF-8 are printed
escaped. Run directly, it prints how many CPUs each process of a run needs: one per data
loader worker, plus one.
"""

import argparse
import importlib.util
import sys

for stream in (sys.stdout, sys.stderr):  # which a notebook or a test may have replaced
    if hasattr(stream, 'reconfigure'):
        stream.reconfigure(errors='backslashreplace')

PACKAGES = ('torch', 'mmengine', 'pmd_mmaction')
LOADERS = dict(train=('train_dataloader', 'val_dataloader'), test=('test_dataloader',))

missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
if missing:
    python, names = sys.executable or 'this Python', ', '.join(missing)
    sys.exit(
        f'{python} has no {names}: run `make env` once, then .venv/bin/python instead of python, '
        'or `source .venv/bin/activate` first (elsewhere: the environment with pmd-mmaction)'
    )


def count_cpus(config: str, task: str, options: dict) -> int:
    """Number of CPUs for one process.

    Args:
        config: path of the config.
        task: ``'train'`` or ``'test'``.
        options: settings to change in the config.
    """
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE['pmd_mmaction'] = 'pmd-mmaction'  # bases by its name, as pmd_mmaction.compat
    # no custom imports: they take seconds, and this runs on login nodes
    cfg = Config.fromfile(config, import_custom_modules=False)
    cfg.merge_from_dict(options)
    loaders = [cfg.get(name) or {} for name in LOADERS[task]]
    return 1 + max(loader.get('num_workers') or 0 for loader in loaders)


def main() -> None:
    """Runs the tool."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__, epilog='Other options are ignored.')
    parser.add_argument('task', choices=LOADERS, help='what the run does')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args, _ = parser.parse_known_args()
    print(count_cpus(args.config, args.task, args.cfg_options))


if __name__ == '__main__':
    main()
