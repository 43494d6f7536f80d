"""Table of all methods for configs/README.md, from the metafiles and the configs.

python benchmarks/method_table.py --write
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import yaml
from board_configs import epoch_gflops, passes
from harness import markdown
from mmengine.config import Config
from mmengine.registry import init_default_scope

import pmd_mmaction  # noqa: F401  (registers the components)
from pmd_mmaction.functional import PhaseSchedule
from pmd_mmaction.models.operations import build_without_weights

ROOT = Path(__file__).parents[1]
README = ROOT / 'configs' / 'README.md'
BEGIN, END = '<!-- benchmarks/method_table.py -->\n', '<!-- end of the table -->\n'
HEADER = (
    *('method', 'student', 'pre-training', 'epochs x clips', 'teachers', 'tokens they see'),
    *('GFLOPs', 'K400', 'SSv2', 'ours'),
)


def models() -> Iterator[dict]:
    """Entries of all metafiles that pre-train, but for ablations and the demo clips."""
    for path in sorted((ROOT / 'configs').rglob('metafile.yml')):
        for model in yaml.safe_load(path.read_text(encoding='utf-8'))['Models']:
            data, shown = model['Metadata'], 'ablations' not in model['Config']
            if shown and 'pre-training' in data['Task'] and data['Training Data'] != 'demo clips':
                yield model


def row(model: dict) -> tuple[str, ...]:
    """What the table says of a model."""
    meta, cfg = model['Metadata'], Config.fromfile(ROOT / model['Config'])
    paper, path = meta.get('Paper', {}), Path(model['Config']).relative_to('configs')
    clips = cfg.train_dataloader.dataset.get('num_repeats', 1)
    return (
        ', '.join(filter(None, (model['In Collection'], meta.get('Variant')))),
        meta['Architecture'],
        f'[{meta["Training Data"]}]({path})',
        f'{meta["Epochs"]} x {clips}',
        meta.get('Teacher', ''),
        *cost(cfg),
        *(str(paper.get(key, '')) for key in ('K400', 'SSv2')),
        'not yet run' if not model.get('Results') else '; '.join(map(_result, model['Results'])),
    )


def cost(cfg: Config) -> tuple[str, str]:
    """Tokens that the teachers see, and GFLOPs of a student pass, forward and backward."""
    init_default_scope('mmaction')
    model = build_without_weights(cfg.model)
    last = PhaseSchedule.of_hook(cfg.default_hooks.curriculum).phases[-1]
    tokens = [
        f'{name} {_tokens(model, teacher.view, last.mask_ratio)}'
        for name, teacher in model.teachers.items()
        if teacher.depth
    ]
    return ', '.join(tokens), f'{epoch_gflops(cfg) / passes(cfg):.0f}'


def _tokens(model, view: str | None, ratio: float) -> int:
    """Tokens of a clip in a view, the student's at a mask ratio."""
    if view is None:
        return model.backbone.num_patches
    return model.masker.num_visible(model.views.wider.get(view, ratio))


def _result(result: dict) -> str:
    numbers = ', '.join(str(number) for number in result['Metrics'].values())
    return f'{result["Dataset"]} {numbers} ({result["Source"]})'


def table() -> str:
    """The table as Markdown."""
    return markdown(HEADER, [row(model) for model in models()])


def main() -> None:
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--write', action='store_true', help='put it into configs/README.md')
    args, text = parser.parse_args(), table()
    if not args.write:
        print(text)
        return
    before, rest = README.read_text(encoding='utf-8').split(BEGIN)
    README.write_text(f'{before}{BEGIN}{text}\n{END}{rest.split(END)[1]}', encoding='utf-8')


if __name__ == '__main__':
    main()
