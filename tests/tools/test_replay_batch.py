"""tools/replay_batch.py: the step again, and the culprit by name."""

import json
import re
from pathlib import Path

import pytest
import torch

from pmd_mmaction.hooks.nonfinite.step_record import StepRecord
from tests.integration import tiny
from tests.integration.poison import poisoned_config
from tools import replay_batch


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    return tiny.make_clips(tmp_path_factory.mktemp('clips') / 'demo')


@pytest.fixture(scope='module')
def teachers(clips, tmp_path_factory):
    """Weights of both teachers in files, as in a real run."""
    path = tmp_path_factory.mktemp('teachers')
    model = tiny.build(tiny.tiny_config(clips, path / 'unused')).model
    files = {}
    for name, teacher in model.teachers.items():
        files[name] = str(path / f'{name}.pth')
        torch.save(teacher.network.state_dict(), files[name])
    return files


def record_of(cfg, teachers) -> Path:
    cfg.model.image_teacher.checkpoint = teachers['img']
    cfg.model.video_teacher.checkpoint = teachers['vid']
    tiny.train(cfg)
    return min(Path(cfg.work_dir, 'nonfinite').glob('epoch_*.json'))


@pytest.fixture(scope='module')
def bad_clip(clips, teachers, tmp_path_factory):
    """A run with an infinite value in clip 5, and its record."""
    cfg = poisoned_config(
        clips,
        tmp_path_factory.mktemp('clip'),
        poison=dict(epochs=[1], samples=[5]),
        log_level='WARNING',
    )
    cfg.model.dare.teachers = ['vid']  # the second of the model's
    return record_of(cfg, teachers)


@pytest.fixture(scope='module')
def bad_weight(clips, teachers, tmp_path_factory):
    """A weight of CLFA turns NaN in the last stage of the second phase."""
    name = 'terms.al.projections.img.0.weight'
    cfg = poisoned_config(
        clips,
        tmp_path_factory.mktemp('weight'),
        dict(type='PoisonWeight', name=name, iteration=16),
        ratios=(0.5, 0.7),
        dare=dict(stage_epochs=2),
    )
    return record_of(cfg, teachers), name


def config_of(record: Path) -> tuple[str, str]:
    """The copy of the config that the Runner left in the work directory."""
    name = json.loads(record.read_text())['config']
    return '--config', str(record.parents[1] / name)


def replay(record: Path, capsys, *options: str) -> tuple[int, str]:
    code = replay_batch.main([str(record), *config_of(record), '--device', 'cpu', *options])
    return code, ' '.join(capsys.readouterr().out.split())


def test_a_bad_clip_is_named(bad_clip, capsys):
    code, text = replay(bad_clip, capsys)
    assert code == 0
    samples = StepRecord.read(bad_clip).batches[0]['samples']
    (file,) = (s['file'] for s in samples if s['sample_idx'] == 5)
    assert f'First: input clips after normalisation, 1 of {4 * 3 * 4 * 32 * 32} values: 5' in text
    assert Path(file).name in text
    assert not any(f' {s["sample_idx"]} (' in text for s in samples if s['sample_idx'] != 5)


def test_every_kind_of_finding_is_shown(bad_clip, capsys):
    _, text = replay(bad_clip, capsys)
    for kind, name in (
        ('input', 'clips'),
        ('output', 'teachers.img'),
        ('patch loss', 'vid teacher, 5'),
        ('loss', 'loss_base_img'),
        ('gradient', 'backbone.'),
    ):
        assert f'│ {kind} │ {name}' in text


def test_gradients_whose_norm_overflows_are_named(bad_clip, capsys, monkeypatch):
    monkeypatch.setattr(replay_batch, '_run', _steep(1e20))
    code, text = replay(bad_clip, capsys)
    assert code == 0
    assert 'First: gradient norm of all, 1 of 1 values' in text


def _steep(gradient: float):
    """Stands for the run of a batch: a loss with this gradient everywhere."""
    return lambda model, *_: sum((parameter * gradient).sum() for parameter in model.parameters())


def test_the_scale_of_the_loss_belongs_to_the_step(bad_clip, capsys, monkeypatch):
    """1e15 overflows at a scale of 1e25; at 2 the norm is told without it."""
    monkeypatch.setattr(replay_batch, '_run', _steep(1e15))
    for scale, expected in ((1e25, 0), (2.0, 3)):
        code, text = replay(_changed(bad_clip, loss_scale=scale), capsys)
        assert code == expected
        assert ('First: gradient ' in text) == (expected == 0)


def test_a_bad_weight_is_named(bad_weight, capsys):
    record, name = bad_weight
    code, text = replay(record, capsys)
    assert code == 0
    assert f'First: weight {name}, 1 of' in text


def test_the_other_losses_are_those_of_the_run(bad_weight, capsys):
    """Data, masks, drop path, auxiliary teacher and history are as they were."""
    record = bad_weight[0]
    content = StepRecord.read(record)
    assert content.phase[0] == 1 and content.history
    losses = content.batches[0]['losses']
    finite = {key: value for key, value in losses.items() if isinstance(value, float)}
    assert set(finite) > {'loss_base_img', 'loss_df_vid', 'loss_pg_img', 'loss_pg_vid'}
    assert all(finite.values())
    _, text = replay(record, capsys)
    for key, value in finite.items():
        assert f'{key} │ {value:.6g} │ {value:.6g} │' in text


def test_weights_from_a_checkpoint(bad_weight, capsys):
    """With weights that are finite, everything is."""
    record, _ = bad_weight
    checkpoint = record.parents[1] / 'epoch_5.pth'
    code, text = replay(record, capsys, '--checkpoint', str(checkpoint))
    assert code == 3
    assert 'Everything is finite here' in text


def test_all_accumulated_batches_are_run(clips, teachers, tmp_path, capsys):
    cfg = poisoned_config(
        clips,
        tmp_path,
        poison=dict(epochs=[1], samples=[5]),
        optim_wrapper__accumulative_counts=3,
    )
    record = record_of(cfg, teachers)
    assert len(StepRecord.read(record).batches) == 3
    code, text = replay(record, capsys)
    assert code == 0 and 'values: 5 (' in text


def test_the_command_in_the_log_can_be_run(bad_clip, capsys):
    (log,) = bad_clip.parents[1].glob('*/*.log')
    (command,) = re.findall('see: python tools/replay_batch.py (.*)', log.read_text())
    assert replay_batch.main([*command.split(), '--device', 'cpu']) == 0
    assert 'input clips after normalisation' in capsys.readouterr().out


def test_weights_of_another_model_are_refused(bad_clip, tmp_path):
    torch.save(dict(state_dict=dict(other=torch.ones(1))), tmp_path / 'other.pth')
    options = [*config_of(bad_clip), '--checkpoint', str(tmp_path / 'other.pth')]
    with pytest.raises(SystemExit, match='the weights cannot be used with'):
        replay_batch.main([str(bad_clip), *options])


def _changed(record: Path, **changes) -> Path:
    path = record.with_name('changed.json')
    path.write_text(json.dumps(json.loads(record.read_text()) | changes))
    return path


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(weights=None), 'has no weights'),
        (dict(weights='gone.safetensors'), 'gone.safetensors is missing'),
        (dict(format=0), 'not a step record of format 2'),
        (dict(surprise=1), 'is damaged: .*surprise'),
    ],
)
def test_what_cannot_be_replayed_is_explained(bad_clip, changes, message):
    with pytest.raises(SystemExit, match=message):
        replay_batch.main(
            [str(_changed(bad_clip, **changes)), *config_of(bad_clip), '--device', 'cpu']
        )


def test_samples_without_index_are_explained(bad_clip):
    batch = dict(StepRecord.read(bad_clip).batches[0], samples=[dict(sample_idx=None, file=None)])
    with pytest.raises(SystemExit, match='have no sample_idx'):
        replay_batch.main([str(_changed(bad_clip, batches=[batch])), *config_of(bad_clip)])


def test_something_else_is_refused(tmp_path):
    (tmp_path / 'a.json').write_text('{')
    with pytest.raises(SystemExit, match='is not a step record'):
        replay_batch.main([str(tmp_path / 'a.json'), '--config', 'a.py'])
    with pytest.raises(SystemExit, match='No such file'):
        replay_batch.main([str(tmp_path / 'b.json'), '--config', 'a.py'])


def test_the_config_has_to_be_given(bad_clip, capsys):
    with pytest.raises(SystemExit):
        replay_batch.main([str(bad_clip)])
    assert 'required: --config' in capsys.readouterr().err


def test_a_config_that_is_not_there_is_named(bad_clip):
    with pytest.raises(SystemExit, match='nowhere.py'):
        replay_batch.main([str(bad_clip), '--config', 'nowhere.py'])
