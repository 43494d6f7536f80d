"""Pre-trains on a folder of videos: copies, lists, teachers, curriculum, report.

Sizes follow from the videos and the machine; what is chosen, and why, is told. Sub-folders are
classes for a kNN evaluation and a fine-tuning. The same command goes on after an interruption.
"""

import runpy
from pathlib import Path

runpy.run_path(f'{Path(__file__).parent}/environment.py')  # may end here

import argparse
import sys

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.folder import FolderError, Options, make_plan, pretrain
from pmd_mmaction.folder.configs import PATH_ENCODING, write_configs
from pmd_mmaction.folder.preset import PRESETS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('videos', type=Path, help='folder of videos')
    parser.add_argument('--out', type=Path, required=True, help='folder for all results')
    parser.add_argument('--model', choices=PRESETS, help='size of the ViT')
    parser.add_argument('--size', type=int, help='side of the clips in pixels')
    parser.add_argument('--batch-size', type=int, help='clips on each device')
    parser.add_argument('--epochs', type=int, help='epochs of each of the four phases')
    parser.add_argument('--gpus', type=int, help='GPUs to use; 0: the CPU (default: all)')
    parser.add_argument(
        '--teachers', type=Path, help='folder of public teachers (default: data/teachers)'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='only write the configs and print what would run'
    )
    args = parser.parse_args(argv)
    for name in ('size', 'batch_size', 'epochs'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be 1 or more')
    if args.gpus is not None and args.gpus < 0:
        parser.error('--gpus must be 0 or more; leave it out to use all')
    return args


def main(argv: list[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    options = Options(**{name: getattr(args, name) for name in Options._fields})
    try:
        if args.dry_run:
            plan = make_plan(args.videos, args.out, options)
            path = write_configs(plan)['pretrain']
            print(path.read_text(*PATH_ENCODING))
            print('\n'.join(f'# {reason}' for reason in (*plan.reasons, f'config: {path}')))
        else:
            print(f'report: {pretrain(args.videos, args.out, options)}')
    except (FolderError, OSError) as error:
        sys.exit(f'pretrain_folder: {error}')
    except KeyboardInterrupt:
        sys.exit('pretrain_folder: interrupted; the same command goes on')


if __name__ == '__main__':
    main()
