"""What a config needs, with good and with bad files."""

import shutil
from collections import namedtuple
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from pmd_mmaction.diagnosis import config, examine_config
from pmd_mmaction.diagnosis.keys import examine_keys
from pmd_mmaction.models import VideoMAETeacher
from tests.every import every
from tests.integration import tiny
from tests.integration.shipped import config_of

Usage = namedtuple('Usage', 'total used free')


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


@pytest.fixture
def cfg(clips, tmp_path):
    """A good config, with a converted video teacher."""
    cfg = tiny.tiny_config(clips, tmp_path / 'work')
    arguments = {key: value for key, value in cfg.model.video_teacher.items() if key != 'type'}
    state = VideoMAETeacher(**arguments).network.state_dict()
    cfg.model.video_teacher.checkpoint = str(tmp_path / 'teacher.pth')
    torch.save(
        dict(state_dict=state, meta=dict(source_sha256='f00')), cfg.model.video_teacher.checkpoint
    )
    return cfg


def errors(cfg):
    return {f.subject: f for f in examine_config(cfg) if f.level == 'error'}


def test_a_good_config(cfg):
    findings = {finding.subject: finding for finding in examine_config(cfg)}
    assert {finding.level for finding in findings.values()} == {'ok'}
    teacher = findings['video_teacher file'].found
    digest = sha256(open(cfg.model.video_teacher.checkpoint, 'rb').read()).hexdigest()
    assert teacher.endswith(f'SHA-256 {digest}, converted from a file of SHA-256 f00')
    assert findings['train_dataloader list'].found.endswith('12 videos, the first 12 exist')
    # 12 videos x 2 teachers x 32 patches x float32, current and of the last stage
    assert findings['difficulty table'].found.startswith(f'{6144 / 1e9:.2f} GB per node')
    assert findings['disk'].found.startswith('2 + 2 checkpoints of ')


def test_files_that_are_not_there(cfg):
    cfg.model.video_teacher.checkpoint = cfg.load_from = 'nowhere.pth'
    cfg.train_dataloader.dataset.ann_file = 'nowhere.txt'
    found = errors(cfg)
    assert set(found) == {'video_teacher file', 'load_from', 'train_dataloader list'}
    assert 'convert_checkpoint.py' in found['video_teacher file'].remedy
    assert 'no list file nowhere.txt' in found['train_dataloader list'].found


def test_videos_that_are_not_there(cfg):
    cfg.train_dataloader.dataset.data_prefix = dict(video='nowhere')
    finding = errors(cfg)['train_dataloader list']
    assert '12 of the first 12 do not exist: nowhere/' in finding.found
    assert 'data_prefix' in finding.remedy


def test_a_file_that_is_not_what_its_name_says(cfg, tmp_path):
    good = (
        tmp_path / f'teacher-{sha256((tmp_path / "teacher.pth").read_bytes()).hexdigest()[:8]}.pth'
    )
    good.write_bytes((tmp_path / 'teacher.pth').read_bytes())
    cfg.model.video_teacher.checkpoint = str(good)
    assert errors(cfg) == {}
    bad = good.rename(tmp_path / 'teacher-01234567.pth')
    cfg.model.video_teacher.checkpoint = str(bad)
    assert 'not 01234567' in errors(cfg)['video_teacher file'].found


def test_a_date_is_no_digest_and_a_home_is_found(cfg, tmp_path, monkeypatch):
    good = Path(cfg.model.video_teacher.checkpoint)
    shutil.copy(good, tmp_path / 'teacher-20240115.pth')
    monkeypatch.setenv('HOME', str(tmp_path))
    cfg.model.video_teacher.checkpoint = '~/teacher-20240115.pth'
    assert 'video_teacher file' not in errors(cfg)


def test_a_damaged_file(cfg, tmp_path):
    (tmp_path / 'teacher.pth').write_bytes(b'no weights')
    assert 'teacher.pth' in errors(cfg)['video_teacher file'].found


def test_weights_that_do_not_fit(cfg):
    cfg.model.video_teacher.depth = 6
    assert 'does not fit' in errors(cfg)['model'].found


def test_mistakes_of_the_model_and_of_hooks(cfg):
    cfg.model.dare.tau = 0
    cfg.custom_hooks[2].dtype = 'int8'
    found = errors(cfg)
    assert 'DARETerm: tau is 0' in found['model'].found
    assert "dtype is 'int8'" in found['hook DAREHook'].found


def test_too_little_space(cfg, monkeypatch):
    monkeypatch.setattr(config.shutil, 'disk_usage', lambda path: Usage(0, 0, 1000))
    found = errors(cfg)
    assert set(found) == {'difficulty table', 'disk'}
    assert 'scratch_dir' in found['difficulty table'].remedy


def test_a_scratch_directory_that_is_not_there(cfg):
    cfg.custom_hooks[2].scratch_dir = '/nowhere'
    assert 'no directory /nowhere' in errors(cfg)['difficulty table'].found


def test_all_checkpoints_are_counted_where_none_goes(cfg):
    cfg.default_hooks.checkpoint.update(max_keep_ckpts=-1, interval=2)
    findings = {finding.subject: finding.found for finding in examine_config(cfg)}
    assert findings['disk'].startswith('5 + 1 checkpoints')  # 9 epochs


def test_a_config_without_a_model(cfg):
    cfg.model = None
    assert errors(cfg)['config'].found == 'it has no model'


@pytest.mark.parametrize(
    'keys, nonsense, subject',
    [
        ('model', 'nonsense', 'config'),
        ('model.type', 3.5, 'model'),
        ('model.image_teacher', 'nonsense', 'model'),
        ('model.video_teacher.checkpoint', 3.5, 'model'),
        ('custom_hooks.1', 'nonsense', 'hook None'),
        ('custom_hooks.2.stage_epochs', 3.5, 'hook DAREHook'),
        ('default_hooks.checkpoint', [1], 'hook checkpoint'),
        ('default_hooks.checkpoint.interval', 'nonsense', 'hook checkpoint'),
        ('default_hooks.checkpoint.max_keep_ckpts', 3.5, 'hook checkpoint'),
        ('default_hooks.checkpoint.type', 'nonsense', 'hook checkpoint'),
        ('train_dataloader.dataset.ann_file', 3.5, 'train_dataloader list'),
        ('train_dataloader.dataset.data_prefix.video', [1], 'train_dataloader list'),
        ('train_dataloader.dataset.data_root', 3.5, 'train_dataloader list'),
    ],
)
def test_nonsense_is_a_finding(cfg, keys, nonsense, subject):
    *parents, last = keys.split('.')
    part = cfg
    for key in parents:
        part = part[int(key) if isinstance(part, list) else key]
    part[int(last) if isinstance(part, list) else last] = nonsense
    assert subject in errors(cfg)


def test_labels_that_are_no_classes(cfg):
    cfg.model.cls_head = dict(num_classes=3)
    finding = errors(cfg)['train_dataloader list']
    assert 'labels outside 0-2, such as' in finding.found
    assert '.txt, line ' in finding.found
    assert 'num_classes' in finding.remedy
    cfg.model.cls_head = dict(num_classes=12)
    assert 'train_dataloader list' not in errors(cfg)


def test_a_path_that_leaves_its_prefix(cfg, tmp_path):
    (tmp_path / 'list.txt').write_text('../a.mp4\n')
    cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'list.txt')
    assert "line 1: '../a.mp4' lies outside" in errors(cfg)['train_dataloader list'].found


def test_a_root_for_list_and_videos(cfg, clips):
    cfg.train_dataloader.dataset.update(
        ann_file='train.txt', data_root=str(clips), data_prefix=dict(video='')
    )
    assert errors(cfg) == {}


def test_a_misspelt_setting_is_told(cfg):
    cfg.parm_scheduler = cfg.param_scheduler
    findings = [f for f in examine_config(cfg) if f.level == 'warning']
    assert [(f.found, f.remedy) for f in findings] == [
        ('parm_scheduler is not a setting of MMEngine', 'write param_scheduler?')
    ]


@pytest.mark.parametrize(
    'path, meant',
    [
        ('auto_scale_lr.enabled', 'enable'),
        ('env_cfg.cudnn_benchmrk', 'cudnn_benchmark'),
        ('optim_wrapper.paramwise_cfg.bias_decay_mul', 'bias_decay_mult'),
        ('optim_wrapper.paramwise_cfg.decay_rte', 'decay_rate'),
    ],
)
def test_sections_too(path, meant):
    cfg = Config(dict(auto_scale_lr=None, optim_wrapper=dict(type='OptimWrapper')))
    *parents, last = path.split('.')
    section = cfg
    for key in parents:
        section[key] = section.get(key) or {}
        section = section[key]
    section[last] = 1
    ((_, level, found, remedy),) = examine_keys(cfg)
    assert (level, found) == ('warning', f'{path} is not a setting of MMEngine')
    assert remedy == f'write {path.rpartition(".")[0]}.{meant}?'


def test_a_section_that_is_none():
    assert list(examine_keys(Config(dict(optim_wrapper=[1], env_cfg='x')))) == []


@every('name', [str(path.relative_to(tiny.CONFIGS)) for path in tiny.CONFIGS.rglob('*.py')])
def test_no_config_of_this_project_looks_misspelt(name):
    """Those that others build upon included."""
    assert list(examine_keys(config_of(name))) == []
