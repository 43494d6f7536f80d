"""Lists the configs of the package, copies one, and runs its tools.

python -m pmd_mmaction configs                            # their names
python -m pmd_mmaction copy pmd/vit-b_k400_pretrain.py    # a complete copy to edit, here
python -m pmd_mmaction doctor vit-b_k400_pretrain.py      # a tool, with its options
"""

import argparse
import runpy
import sys
from pathlib import Path

from mmengine.config import Config

from pmd_mmaction.shipped import CONFIGS, TOOLS


def config_names() -> list[str]:
    """Paths below ``configs`` of what can be run."""
    paths = (path.relative_to(CONFIGS) for path in CONFIGS.rglob('*.py'))
    return sorted(path.as_posix() for path in paths if path.parts[0] != '_base_')


def tool_paths() -> dict[str, Path]:
    """Name of each tool to its file."""
    return {path.stem: path for path in sorted(TOOLS.rglob('*.py')) if path.stem != 'environment'}


def copy(name: str, out: str | None) -> Path:
    """Writes a config without bases, under its head comment.

    Args:
        name: one of :func:`config_names`.
        out: file to write; None: the config's own name in the current folder.

    Raises:
        SystemExit: for an unknown name, or a file that exists.
    """
    if name not in config_names():
        close = [known for known in config_names() if Path(known).name == Path(name).name]
        remedy = '`python -m pmd_mmaction configs` lists them'
        if close:
            remedy = f'did you mean {" or ".join(close)}?'
        raise SystemExit(f'{name!r} is not a config; {remedy}')
    target = Path(out or Path(name).name)
    if target.exists():
        raise SystemExit(f'{target} exists: name another file with --out')
    lines = (CONFIGS / name).read_text(encoding='utf-8').splitlines()
    body = next((i for i, line in enumerate(lines) if not line.startswith('#')), len(lines))
    text = Config.fromfile(CONFIGS / name, import_custom_modules=False).pretty_text
    target.write_text('\n'.join([*lines[:body], text]), encoding='utf-8')
    return target


def main(argv: list[str] | None = None) -> None:
    """Runs a command."""
    argv = sys.argv[1:] if argv is None else argv
    tools = tool_paths()
    if argv and (path := tools.get(argv[0].replace('-', '_'))):
        sys.argv = [str(path), *argv[1:]]
        runpy.run_path(str(path), run_name='__main__')
        return
    parser = argparse.ArgumentParser(
        prog='python -m pmd_mmaction',
        description=__doc__,
        epilog=f'tools: {", ".join(tools)}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if not argv:
        parser.print_help()
        return
    if not argv[0].startswith('-') and argv[0] not in ('configs', 'copy'):
        parser.error(f'no command {argv[0]!r}: configs, copy, or a tool: {", ".join(tools)}')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    commands.add_parser('configs', help='list the configs')
    copying = commands.add_parser('copy', help='copy a config')
    copying.add_argument('name', help='as listed')
    copying.add_argument('--out', help='file to write (default: its name, here)')
    args = parser.parse_args(argv)
    print(copy(args.name, args.out) if args.command == 'copy' else '\n'.join(config_names()))


if __name__ == '__main__':
    main()
