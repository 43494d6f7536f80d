"""Best checkpoints, a file size limit, typos; the rest is in tests/integration."""

import errno
import resource
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from pmd_mmaction.hooks import SafeCheckpointHook
from pmd_mmaction.hooks.checkpoints.atomic_backend import AtomicLocalBackend
from pmd_mmaction.hooks.checkpoints.checkpoint_files import list_checkpoints, note_checkpoint
from tests.integration import processes


def _write_too_much(path):
    """In a process of its own: the limit is that of a process, and pytest writes too."""
    backend = AtomicLocalBackend()
    backend.put(b'old', path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        backend.put(b'x' * 5000, path)
    except OSError as error:
        assert error.errno == errno.EFBIG
    else:
        raise AssertionError('5000 bytes fit into 1000')


def test_a_full_disk_leaves_the_old_file(tmp_path):
    place = tmp_path / 'run'
    processes.run(_write_too_much, tmp_path / 'log', place / 'a.pth')
    assert (place / 'a.pth').read_bytes() == b'old'
    assert list(place.iterdir()) == [place / 'a.pth']


def test_removal_waits(tmp_path):
    path, backend = tmp_path / 'a', AtomicLocalBackend()
    backend.put(b'', path)
    backend.waiting = []
    backend.remove(path)
    assert path.exists() and backend.waiting == [path]
    backend.waiting = None
    backend.remove(path)
    assert not path.exists()


class Line(BaseModel):
    """The smallest model."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, mode='loss'):
        return dict(loss=self.layer(x[0]).sum()) if mode == 'loss' else [x]


class Better(BaseMetric):
    """Every validation is better than the one before."""

    default_prefix = 'a'

    def __init__(self):
        super().__init__()
        self.score = 0

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        self.score += 1
        return dict(score=self.score)


@pytest.fixture
def runner(tmp_path):
    """A Runner of three epochs that keeps the best checkpoint, and notes what lies there."""

    class Noting(Runner):
        there = {}

        def save_checkpoint(self, out_dir, filename, *args, **kwargs):
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            self.there[filename] = {path.name for path in tmp_path.glob('best*')}

    loader = dict(dataset=[dict(x=torch.ones(1))], sampler=dict(type='DefaultSampler'))
    loader |= dict(batch_size=1, num_workers=0)
    return Noting(
        Line(),
        str(tmp_path),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=3),
        val_cfg=dict(),
        val_evaluator=Evaluator(Better()),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=SafeCheckpointHook(save_best='a/score', rule='greater')),
        experiment_name=tmp_path.name,
        default_scope='mmengine',
        log_level='ERROR',
    )


def _best(epoch):
    return f'best_a_score_epoch_{epoch}.pth'


def _fill(path):
    """Leaves no space for a file."""
    path.with_name(f'{path.name}.tmp').symlink_to('/dev/full')


def test_the_best_checkpoint_goes_after_the_better_one_is_complete(runner, tmp_path):
    runner.train()
    assert runner.there[_best(1)] == {_best(1)}
    assert runner.there[_best(2)] == {_best(1), _best(2)}
    assert runner.there[_best(3)] == {_best(2), _best(3)}
    assert {path.name for path in tmp_path.glob('best*')} == {_best(3)}


def test_the_best_checkpoint_stays_if_the_better_one_cannot_be_written(runner, tmp_path):
    no_space = Hook()
    no_space.before_train_epoch = lambda runner: runner.epoch or _fill(tmp_path / _best(2))
    runner.register_hook(no_space)
    with pytest.raises(OSError, match=f'{_best(2)} was not written.*go on with --resume'):
        runner.train()
    assert {path.name for path in tmp_path.glob('best*')} == {_best(1)}
    assert torch.load(tmp_path / _best(1), weights_only=False)['meta']['epoch'] == 1


def test_the_newest_end_of_an_epoch_outlives_preemptions(runner, tmp_path):
    """From there another total batch can go on."""
    runner.train()
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, SafeCheckpointHook))
    hook.max_keep_ckpts = 2
    for iteration in (4, 5, 6):
        hook.save_now(runner, iteration)
    kept = {path.name for path in tmp_path.glob('epoch_*.pth')}
    assert kept == {'epoch_3.pth', 'epoch_3_iter_5.pth', 'epoch_3_iter_6.pth'}


@pytest.mark.parametrize(
    'file, told', [('epoch_7.pth', True), ('phase_1_student.pth', True), ('teacher.pth', False)]
)
def test_a_start_over_an_earlier_run_is_told(runner, tmp_path, file, told):
    (tmp_path / file).touch()
    runner.logger.warning = lambda text: texts.append(text)
    texts = []
    runner.call_hook('before_run')
    assert not texts, 'a test overwrites nothing'
    assert runner.train_loop  # which a training has built by now
    runner.call_hook('before_run')
    found = [text for text in texts if 'starts from scratch' in text]
    assert len(found) == told and all(file in text and '--resume' in text for text in found)


def test_a_restart_ignores_files_after_the_checkpoint_that_was_named(runner, tmp_path):
    runner.train()
    shutil.copy(tmp_path / 'epoch_3.pth', tmp_path / 'epoch_5.pth')
    note_checkpoint(tmp_path, tmp_path / 'epoch_5.pth')
    assert list_checkpoints(tmp_path)[0] == tmp_path / 'epoch_5.pth'
    runner._resume, runner._load_from = True, str(tmp_path / 'epoch_3.pth')
    runner.call_hook('before_run')
    runner.load_or_resume()
    assert list_checkpoints(tmp_path)[0] == tmp_path / 'epoch_3.pth'


def test_a_checkpoint_that_is_refused_is_not_noted(runner, tmp_path):
    runner.train()
    before = list_checkpoints(tmp_path)
    content = torch.load(before[0], weights_only=False)
    del content['optimizer']
    torch.save(content, tmp_path / 'best_acc.pth')
    runner._resume, runner._load_from = True, str(tmp_path / 'best_acc.pth')
    runner.call_hook('before_run')
    with pytest.raises(ValueError, match='has no optimizer: it holds weights only'):
        runner.load_or_resume()
    assert list_checkpoints(tmp_path) == before


def test_a_validation_after_the_training_starts_nothing(runner, tmp_path):
    """``Runner.val()`` calls ``before_run`` once more."""
    texts = []
    runner.train()
    runner.logger.warning = texts.append
    runner.call_hook('before_run')
    assert not texts, 'its own files are of no earlier run'
    runner._resume, runner._load_from = True, str(tmp_path / 'epoch_0.pth')  # pruned meanwhile
    runner._has_loaded = True
    runner.call_hook('before_run')
    assert runner._load_from == str(tmp_path / 'epoch_0.pth')


def test_a_path_below_home_is_where_its_files_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save(dict(state_dict={}), tmp_path / 'epoch_1.pth')
    given = SimpleNamespace(_load_from='~/epoch_1.pth')
    assert SafeCheckpointHook._choose(given) == (str(tmp_path / 'epoch_1.pth'), None)
    gone = SimpleNamespace(_load_from='~/epoch_2.pth')
    told = f'there is no checkpoint {tmp_path}/epoch_2.pth: check load_from'
    assert SafeCheckpointHook._choose(gone) == (None, told)


def test_a_best_checkpoint_that_stayed_elsewhere_is_not_published(monkeypatch):
    hook, published = (
        SafeCheckpointHook(published_keys=['meta'], save_best=['a', 'b'], rule='less'),
        [],
    )
    monkeypatch.setattr(hook, '_publish_model', lambda runner, path: published.append(path))
    hook.last_ckpt = None
    hook.best_ckpt_path_dict = dict(a=None, b='b.pth')
    hook.after_train(None)
    assert published == ['b.pth']


def test_typos_are_refused():
    with pytest.raises(TypeError, match='max_keep'):
        SafeCheckpointHook(interval=1, max_keep=3)
