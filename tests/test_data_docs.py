"""docs/data.md names exactly the files that the configs read."""

import re
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[1]


def test_paths():
    used = set()
    for path in (ROOT / 'configs' / '_base_' / 'datasets').glob('*.py'):
        cfg = Config.fromfile(path)
        used |= {v for k, v in cfg.items() if k.startswith(('data_root', 'ann_file'))}
    table = [
        line
        for line in (ROOT / 'docs' / 'data.md').read_text(encoding='utf-8').splitlines()
        if line.startswith('| ')
    ]
    assert set(re.findall(r'`(data/[^`]+)`', '\n'.join(table))) == used - {'data/demo'}
