"""The config that docs/kinetics.md shows for watching a run."""

import re

from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import Compose

from tests.integration.tiny import CONFIGS, ROOT

TEXT = (ROOT / 'docs' / 'kinetics.md').read_text(encoding='utf-8')


def test_a_watched_run_is_the_same_run(tmp_path, mmaction_scope):
    (lines,) = re.findall(r'```python\n(.*?)```', TEXT, re.DOTALL)
    lines = lines.replace("'pmd/", f"'{CONFIGS}/pmd/").replace("'_base_/", f"'{CONFIGS}/_base_/")
    (tmp_path / 'pmd_watched.py').write_text(lines)
    cfg = Config.fromfile(tmp_path / 'pmd_watched.py')
    plain = Config.fromfile(CONFIGS / 'pmd' / 'vit-b_k400_pretrain.py')
    for part in ('model', 'train_dataloader', 'optim_wrapper', 'default_hooks', 'auto_scale_lr'):
        assert cfg[part] == plain[part]
    assert cfg.work_dir == 'work_dirs/vit-b_k400_pretrain'  # where fine-tuning looks
    assert cfg.train_cfg == plain.train_cfg | dict(val_interval=20)
    bank, queries = cfg.val_dataloader.dataset.datasets
    assert len(bank.indices) == 4 * len(queries.indices)
    assert not {*bank.indices} & {*queries.indices}
    assert [part.pipeline[0].split for part in (bank, queries)] == ['bank', 'query']
    Compose([TRANSFORMS.build(step) for step in bank.pipeline])
