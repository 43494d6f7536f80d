"""TensorBoard beside the text log: with it events, without it one line and the same run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pmd_mmaction.visualization import read_scalars
from tests.integration import tiny

ROOT = Path(__file__).parents[2]
BACKENDS = [dict(type='LocalVisBackend'), dict(type='TensorboardIfInstalled')]


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


def train_with(clips, work_dir):
    pictures = dict(type='PhasePictureHook')
    cfg = tiny.tiny_config(clips, work_dir, pictures, ratios=(0.5, 0.8), epochs=2, log_level='INFO')
    cfg.visualizer.vis_backends = BACKENDS
    return tiny.train(cfg)


def test_every_config_has_it():
    cfg = Config.fromfile(tiny.CONFIGS / '_base_' / 'default_runtime.py')
    assert cfg.visualizer.vis_backends == cfg.vis_backends == BACKENDS
    line = Path(cfg.filename).read_text().split('--cfg-options ')[1].split()[0]
    cfg.merge_from_dict(dict([line.split('=')]))
    assert [b.type for b in cfg.visualizer.vis_backends] == ['LocalVisBackend', 'WandbVisBackend']
    assert VISBACKENDS.get('WandbVisBackend')


def test_losses_and_pictures_are_in_the_events(clips, tmp_path):
    runner = train_with(clips, tmp_path)
    runner.visualizer.close()
    (events,) = tmp_path.rglob('events.out.tfevents.*')
    found = EventAccumulator(str(events)).Reload()
    (scalars,) = tmp_path.rglob('scalars.json')
    losses = read_scalars([scalars])
    for key in ('loss', 'loss_base_img', 'loss_df_vid', 'lr', 'mask_ratio'):
        logged = {event.step: event.value for event in found.Scalars(key)}
        assert logged == pytest.approx(losses[key], rel=1e-6)
    assert len(logged) == 12
    steps = [[event.step for event in found.Images(name)] for name in ('masks', 'difficulty')]
    assert steps == [[6, 12], [6, 12]]


def test_without_it_the_run_is_the_same_but_for_one_line(clips, tmp_path, monkeypatch):
    with_it = train_with(clips, tmp_path / 'with')
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    without = train_with(clips, tmp_path / 'without')
    assert tiny.same(with_it.model.state_dict(), without.model.state_dict())
    assert not list((tmp_path / 'without').rglob('events*'))
    (log,) = (tmp_path / 'without').rglob('*.log')
    assert log.read_text().count('pip install tensorboard') == 1


def test_nothing_is_lost_when_the_process_ends(tmp_path):
    """MMEngine closes no backend."""
    code = (
        'from pmd_mmaction.runner import TensorboardIfInstalled\n'
        f'backend = TensorboardIfInstalled({str(tmp_path)!r})\n'
        'for step in range(50):\n    backend.add_scalar("x", step, step)\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [event.value for event in found.Scalars('x')] == list(range(50))


def test_a_folder_whose_name_is_not_utf8_ends_no_run(tmp_path):
    folder = tmp_path / os.fsdecode(b'caf\xe9')
    backend = VISBACKENDS.build(dict(type='TensorboardIfInstalled', save_dir=str(folder)))
    backend.add_scalar('x', 1)
    backend.close()


def test_a_broken_installation_ends_no_run(monkeypatch, tmp_path):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == 'torch.utils.tensorboard':
                raise TypeError('Descriptors cannot be created directly')

    monkeypatch.delitem(sys.modules, 'torch.utils.tensorboard', raising=False)
    monkeypatch.setattr(sys, 'meta_path', [Broken(), *sys.meta_path])
    backend = VISBACKENDS.build(dict(type='TensorboardIfInstalled', save_dir=str(tmp_path)))
    backend.add_scalar('x', 1)
    backend.add_image('y', np.zeros((2, 2, 3), np.uint8))
    backend.add_config(Config(dict(a=1)))
    backend.close()
    assert not list(tmp_path.iterdir())
