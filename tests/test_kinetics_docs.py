"""The config that docs/kinetics.md shows for watching a run."""

import re

from mmaction.registry import DATASETS
from mmengine.config import Config

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
    listed = tmp_path / 'list.txt'
    listed.write_text(''.join(f'{i}.mp4 {i % 400}\n' for i in range(16_000)))
    names = []
    for part in (bank, queries):
        part.update(ann_file=str(listed), data_prefix=dict(video=''))
        names.append([*DATASETS.build(part).file_names()])
    assert [len(part) for part in names] == [12_000, 4_000] and not {*names[0]} & {*names[1]}
    assert [part.pipeline[0].split for part in (bank, queries)] == ['bank', 'query']
