"""Trainings, evaluations and pictures whose config, data and results lie in folders of any name."""

import json
import os
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from pmd_mmaction.hooks.nonfinite.step_record import StepRecord
from tests.integration import tiny
from tests.integration.poison import poisoned_config
from tests.tools.names import ODD_NAMES, prepare_streams
from tools import demo, linear_probe, replay_batch, test, train, visualize_pretraining
from tools.data import make_demo_dataset

ODD = ''.join(name for name in ODD_NAMES if not name.startswith('-'))
CLIPS = ['--train-clips=12', '--val-clips=12', '--size=32', '--frames=8', '--quiet']

# Of two Runners made in one second MMEngine says that they have one name. Here the name is not
# UTF-8, and pytest-xdist cannot carry such a warning from one process to the other.
pytestmark = pytest.mark.filterwarnings('ignore:(?s).*instance named of:UserWarning')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with a leading dash in its relative name and everything else that is odd."""
    path = tmp_path_factory.mktemp('odd') / '-rf' / ODD
    path.mkdir(parents=True)
    assert make_demo_dataset.main([*CLIPS, '--out', str(path / 'clips')]) == 0
    return path


def write(cfg: Config, path: Path) -> str:
    """A config file; `Config.dump` writes no names that are no UTF-8."""
    with tiny._quick():
        path.write_bytes(os.fsencode(cfg.pretty_text))
    return str(path)


@pytest.fixture(scope='module')
def run(place):
    """A finished pre-training: its config file and work directory."""
    cfg = tiny.tiny_config(
        place / 'clips', place, ratios=(0.5,), epochs=2, dare=dict(stage_epochs=1)
    )
    tiny.validate_frozen(cfg, place / 'clips', 1)
    config, work_dir = write(cfg, place / f'{ODD}.py'), place / ODD
    with tiny._quick(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.parent.parent)
        train.main(['--work-dir', str(work_dir), '--', f'-rf/{ODD}/{ODD}.py'])
    return config, work_dir


def test_training_and_its_resumption(run):
    config, work_dir = run
    student = work_dir / 'phase_1_student.pth'
    written = student.stat().st_mtime_ns
    (work_dir / 'epoch_2.pth').unlink()
    with tiny._quick():
        train.main([config, '--work-dir', str(work_dir), '--resume'])
    assert (work_dir / 'epoch_2.pth').is_file()
    assert student.stat().st_mtime_ns > written


def test_pictures(run, place):
    config, work_dir = run
    visualize_pretraining.main([config, str(work_dir), '--out', str(place / 'pictures')])
    names = {path.stem for path in (place / 'pictures').iterdir()}
    assert names == {'masks', 'difficulty', 'curves', 'health'}


def test_probe_and_evaluation(run, place):
    cfg = Config.fromfile(tiny.CONFIGS / 'pmd' / 'vit-tiny_demo_probe.py')
    cfg.model.backbone.update(embed_dims=48, depth=3, num_heads=3, **tiny.GRID)
    cfg.model.cls_head.in_channels = 48
    for loader, name in ((cfg.probe_dataloader, 'train.txt'), (cfg.test_dataloader, 'val.txt')):
        clips = place / 'clips'
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(ann_file=str(clips / name), data_prefix=dict(video=str(clips)))
        tiny._shrink(loader.dataset.pipeline)
    config, head = write(cfg, place / f'probe{ODD}.py'), str(place / f'head{ODD}.pth')
    outputs = ['--out', head, '--json', str(place / f'{ODD}.json')]
    student = str(run[1] / 'phase_1_student.pth')
    with tiny._quick():
        linear_probe.main([config, student, *outputs, '--work-dir', str(place / 'probe')])
        predictions = str(place / f'{ODD}.pkl')
        test.main([config, head, '--work-dir', str(place / 'test'), '--dump', predictions])
        several = ['--labels-per-class', 'all', '1', '--json', str(place / 'several.json')]
        linear_probe.main([config, student, *several, '--work-dir', str(place / 'probe')])
    alone = json.loads((place / f'{ODD}.json').read_text())
    both = json.loads((place / 'several.json').read_text())
    assert both['all/acc/top1'] == alone['acc/top1'] and '1/acc/top1' in both
    assert (place / f'{ODD}.pkl').is_file()


def test_a_record_is_replayed(place, capsys):
    prepare_streams()
    cfg = poisoned_config(place / 'clips', place / 'bad', poison=dict(epochs=[1], samples=[5]))
    tiny.train(cfg)
    record = min(Path(cfg.work_dir, 'nonfinite').glob('epoch_*.json'))
    moved = shutil.copytree(record.parent, place / f'records{ODD}') / record.name
    config = Path(cfg.work_dir, StepRecord.read(moved).config)
    assert replay_batch.main([str(moved), '--config', str(config), '--device', 'cpu']) == 0
    samples = StepRecord.read(moved).batches[0]['samples']
    assert {str(place / 'clips')} <= {os.path.dirname(os.path.dirname(s['file'])) for s in samples}
    assert 'input' in capsys.readouterr().out


@pytest.mark.parametrize('name', ODD_NAMES)
def test_the_demo_refuses_what_its_options_cannot_carry(name, capsys):
    with pytest.raises(SystemExit):
        demo.main([f'--work-dir={name}'])
    assert 'letters, digits' in capsys.readouterr().err
