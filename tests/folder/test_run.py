"""From a folder to a report, with real trainings of a few steps."""

import csv
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmaction.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from pmd_mmaction.folder import FolderError, Options, configs, make_plan, plan, pretrain, run
from pmd_mmaction.folder import begun as begun_file
from pmd_mmaction.folder.begun import write_begun
from pmd_mmaction.folder.configs import write_configs
from pmd_mmaction.folder.preset import PRESETS, Machine
from pmd_mmaction.report.run import Run
from pmd_mmaction.state_dicts import compare_backbone
from pmd_mmaction.storage.directory_lock import DirectoryLock
from pmd_mmaction.teacher_configs import leave_out_files
from tests.integration.tiny import ROOT
from tools import convert_checkpoint, pretrain_folder, report, train

TINY = Options(size=16, epochs=1, gpus=0)
TOOLS = {'train.py': train, 'convert_checkpoint.py': convert_checkpoint, 'report.py': report}


@pytest.fixture
def calls(monkeypatch):
    """Runs the tools in this process, and notes which."""
    made = []

    def inside(result, tool, *arguments, gpus=0):
        if result is not None and result.is_file():
            return
        made.append((tool, Path(arguments[0]).name if tool == 'train.py' else ''))
        TOOLS[tool].main([*arguments])

    monkeypatch.setattr(run, 'run_tool', inside)
    return made


@pytest.mark.slow
def test_a_folder_becomes_a_report(phone, tmp_path, calls, monkeypatch, capsys):
    out, options = tmp_path / 'out', TINY._replace(size=32, epochs=2)

    def die(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run.TrainingSequence, 'train', die)
        with pytest.raises(KeyboardInterrupt):
            pretrain(phone, out, options)
    copies = {path: path.stat().st_mtime_ns for path in (out / 'videos').glob('*.mp4')}
    assert len(copies) == 12

    page = pretrain(phone, out, options).read_text()
    assert calls == [
        ('train.py', 'image_teacher.py'),
        ('convert_checkpoint.py', ''),
        ('train.py', 'video_teacher.py'),
        ('train.py', 'pretrain.py'),
        ('report.py', ''),
    ]
    assert 'finished, epoch 8 of 8' in page and 'nearest of 11 training videos' in page
    assert 'could not be made' not in page
    assert copies == {path: path.stat().st_mtime_ns for path in copies}
    shown = capsys.readouterr().out
    assert '11 training videos' in shown and 'training 3 of 3: pretrain, ' in shown

    calls.clear()
    pretrain(phone, out, options)
    assert calls == [('report.py', '')]


@pytest.fixture
def labelled(phone, tmp_path):
    """The same videos in two sub-folders."""
    source = tmp_path / 'in'
    for number, path in enumerate(sorted(phone.iterdir())):
        target = source / 'ab'[number % 2] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return source


@pytest.mark.slow
def test_a_labelled_folder_becomes_a_classifier(labelled, tmp_path, calls):
    out = tmp_path / 'out'
    page = pretrain(labelled, out, TINY).read_text()
    assert 'knn/top1' in page and 'classes a | ' in page
    train.main([str(out / 'finetune.py'), '--cfg-options', 'train_cfg.max_epochs=3'])
    assert [*(out / 'finetune').glob('best_acc_top1_epoch_*.pth')]


def copied(source, out):
    """The plan of a call that has written its lists."""
    made = make_plan(source, out, TINY)
    write_begun(made.out, made.choices)
    run.copy_and_split_videos(made)
    return make_plan(source, out, TINY)


def test_classes_keep_one_line_each(labelled, tmp_path):
    (labelled / 'a').rename(labelled / 'a\nb')
    made = copied(labelled, tmp_path / 'out')
    cfg = Config.fromfile(write_configs(made)['finetune'])
    assert cfg.train_dataloader.dataset.metainfo.classes == ['a b', 'b']


def test_classes_are_evaluated(labelled, tmp_path):
    source = labelled
    made = copied(source, tmp_path / 'out')
    assert (made.videos, made.classes) == (10, 2)
    dry = make_plan(source, tmp_path / 'dry', TINY)  # nothing is copied yet
    assert dry.classes == 2 and write_configs(dry).keys() == write_configs(made).keys()
    paths = write_configs(made)
    cfg = Config.fromfile(paths['pretrain'])
    assert cfg.val_evaluator.type == 'KNNMetric' and cfg.val_evaluator.k == 5
    bank, query = cfg.val_dataloader.dataset.datasets
    assert (Path(bank.ann_file).name, Path(query.ann_file).name) == ('train.txt', 'held_out.txt')
    assert 'report' not in cfg
    assert all(cfg.model[term] is not None for term in ('psd', 'dare', 'clfa'))
    assert Run(cfg, tmp_path).held_out[0].metainfo['classes'] == ['a', 'b']
    student = MODELS.build(leave_out_files(cfg.model) or cfg.model).state_dict()
    check_finetuning(Config.fromfile(paths['finetune']), student, made)


def check_finetuning(cfg, student, made):
    """The student fills its backbone, and a batch of the training list gives a loss."""
    assert cfg.load_from == str(made.out / 'pmd' / 'student.pth')
    assert cfg.train_cfg.max_epochs * (made.videos // cfg.train_dataloader.batch_size) >= 300
    assert cfg.model.cls_head.num_classes == 2
    model = MODELS.build(cfg.model)
    differences, _, _ = compare_backbone(model.state_dict(), dict(state_dict=student))
    assert not differences
    clips = [clip for i in (0, 5) for clip in DATASETS.build(cfg.train_dataloader.dataset)[i]]
    data = model.data_preprocessor(pseudo_collate(clips), training=True)
    assert model(**data, mode='loss')['loss_cls'] > 0
    assert len(DATASETS.build(cfg.val_dataloader.dataset)) == 2


# ---------------------------------------------------------------------- plans


def test_public_teachers_are_taken(phone, tmp_path, monkeypatch):
    for name in plan.PUBLIC:
        (tmp_path / name).touch()
    monkeypatch.setattr(plan, 'this_machine', lambda gpus: Machine(1, 80, 8, 'bfloat16'))
    made = make_plan(phone, tmp_path / 'out', Options(teachers=tmp_path))
    assert made.public == tmp_path and made.preset.img_size == 224
    paths = write_configs(made)
    assert paths.keys() == {'pretrain'}
    cfg = Config.fromfile(paths['pretrain'])
    assert cfg.model.image_teacher.model_name == 'vit_base_patch16_224.mae'
    assert cfg.model.video_teacher.checkpoint == str(tmp_path / plan.PUBLIC[1])
    assert cfg.model.backbone.embed_dims == 384 and not cfg.auto_scale_lr.enable
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(3.5e-4)
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.dtype) == ('AmpOptimWrapper', 'bfloat16')


@pytest.mark.parametrize('name', ['small', 'base'])
def test_a_gpu_trains_at_least_as_far_as_the_cpu(phone, tmp_path, monkeypatch, name):
    """The sum of a phase's rates over the deviation of Xavier's weights, which tiny has tried."""

    def reach(preset):
        rate = 7e-4 * preset.rate * preset.steps
        return rate / (2 / (4 * preset.embed_dims)) ** 0.5

    assert reach(PRESETS[name]) > reach(PRESETS['tiny'])
    monkeypatch.setattr(plan, 'this_machine', lambda gpus: Machine(1, 80, 8, 'float16'))
    paths = write_configs(make_plan(phone, tmp_path / 'out', Options(model=name)))
    for path in paths.values():
        cfg = Config.fromfile(path)
        assert 2e-4 < cfg.optim_wrapper.optimizer.lr <= 1e-3
        assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
        assert not cfg.get('auto_scale_lr', {}).get('enable')


@pytest.mark.parametrize('rate', [24, 30, 60, 240])
def test_a_clip_has_as_many_seconds_at_every_rate(phone, tmp_path, rate):
    made = make_plan(phone, tmp_path / 'out', TINY)
    steps = configs._train_pipeline(made, made.preset.num_frames)
    sample = TRANSFORMS.build(next(step for step in steps if step['type'] == 'SampleFrames'))
    drawn = sample(dict(total_frames=100 * rate, avg_fps=rate, start_index=0))['frame_inds']
    assert (drawn[-1] - drawn[0]) / rate == pytest.approx(32 / 30, abs=0.07)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(size=20), '--size is 20; it must be a multiple of 8'),
        (dict(batch_size=12), '--batch-size is 12, but there are 11 videos'),
        (dict(gpus=99), '--gpus is 99, but'),
        (dict(teachers=Path('nowhere')), 'nowhere has no mae_pretrain_vit_base.pth and no video'),
        (dict(teachers=Path('here')), 'too small for --teachers: .* add --model small'),
    ],
)
def test_options_that_make_no_sense(phone, tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    for name in plan.PUBLIC:
        Path('here').mkdir(exist_ok=True)
        Path('here', name).touch()
    with pytest.raises(FolderError, match=message):
        make_plan(phone, tmp_path / 'out', TINY._replace(**changes))


def test_a_result_that_is_a_file(phone, tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(FolderError, match='out cannot be made a folder .it is a file.: choose'):
        make_plan(phone, tmp_path / 'out', Options())


def test_results_among_the_videos(phone, tmp_path):
    with pytest.raises(FolderError, match='choose an --out outside'):
        make_plan(phone, phone / 'out', TINY)
    (tmp_path / 'links').mkdir()
    (tmp_path / 'links' / 'videos').symlink_to(phone)
    shutil.copytree(phone, tmp_path / 'videos' / 'day 1')
    for source, out in (
        (phone, 'links'),
        (tmp_path / 'videos', '.'),
        (tmp_path / 'videos/day 1', '.'),
    ):
        with pytest.raises(FolderError, match='the copies would go to .*videos, where your'):
            make_plan(source, tmp_path / out, TINY)


# ---------------------------------------------------------------------- a later call


@pytest.fixture
def begun(phone, tmp_path):
    """A folder in which an earlier call has begun to train, and that call's videos."""
    source = tmp_path / 'in'
    shutil.copytree(phone, source)
    made = copied(source, tmp_path / 'out')
    (made.out / 'image_teacher').mkdir()
    (made.out / 'image_teacher' / 'last_checkpoint').touch()
    return source, made.out


def test_a_later_call_goes_on_with_the_earlier_ones_choices(begun, tmp_path, monkeypatch):
    source, out = begun
    monkeypatch.setattr(plan, 'choose_preset', lambda videos, machine: ('base', 'more memory'))
    monkeypatch.setattr(
        plan, 'this_machine', lambda gpus: Machine(1 if gpus is None else gpus, 80, 8)
    )
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)  # most of it is there already
    monkeypatch.setattr(plan.shutil, 'disk_usage', lambda path: usage)
    (tmp_path / 'data' / 'teachers').mkdir(parents=True)
    for name in plan.PUBLIC:  # downloaded in the meantime
        (tmp_path / 'data' / 'teachers' / name).touch()
    monkeypatch.chdir(tmp_path)
    made = make_plan(source, out, Options())
    assert (made.choices['model'], made.preset.img_size, made.epochs) == ('tiny', 16, 1)
    assert made.public is None and made.machine.gpus == 0
    assert made.reasons[1].startswith('ViT-tiny: no GPU')
    monkeypatch.chdir(source.parent)  # the same folder, spelt otherwise
    assert make_plan(Path('in'), Path('out'), Options()) == made
    assert make_plan(source, out, TINY) == made
    shutil.rmtree(source)  # the copies are enough
    assert make_plan(source, out, Options()) == made


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(size=32), '--size was 16, now it is 32'),
        (dict(model='small'), '--model was tiny, now it is small'),
        (dict(gpus=1), '--gpus was 0, now it is 1'),
        (dict(batch_size=3), '--batch-size was not given, now it is 3'),
        (dict(teachers=Path('there')), '--teachers was not given, now it is /.*there'),
        (dict(size=32, epochs=9), '--size was 16, now it is 32; --epochs was 1, now it is 9'),
    ],
)
def test_other_settings_need_another_folder(begun, changes, message):
    source, out = begun
    with pytest.raises(FolderError, match=message):
        make_plan(source, out, TINY._replace(**changes))
    with pytest.raises(FolderError, match='the folder was .*in, now it is .*other'):
        make_plan(source.with_name('other'), out, TINY)


def test_copies_of_another_folder_are_not_taken(phone, tmp_path, monkeypatch):
    """Phones name their videos alike; the first call was interrupted while it copied."""

    def interrupt(plan):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, 'copy_and_split_videos', interrupt)
    with pytest.raises(KeyboardInterrupt):
        pretrain(phone, tmp_path / 'out', TINY)
    shutil.copytree(phone, tmp_path / 'other')
    with pytest.raises(FolderError, match='the folder was .*, now it is .*other'):
        pretrain(tmp_path / 'other', tmp_path / 'out', TINY)


def test_files_of_the_user_are_not_overwritten_or_taken(phone, tmp_path):
    out = tmp_path / 'out'
    pretrain_folder.main([str(phone), '--out', str(out), '--dry-run'])  # begins nothing
    for name in (*begun_file.MADE, *begun_file.CONFIG_FILES):
        made = make_plan(phone, out, TINY)
        (made.out / name).unlink(missing_ok=True)
        (made.out / name).write_text('mine')
        with pytest.raises(FolderError, match=f'{name} is not of an earlier call: choose another'):
            make_plan(phone, out, TINY)
        assert (made.out / name).read_text() == 'mine'
        (made.out / name).unlink()


def test_where_nothing_is_trained_other_settings_lose_nothing(begun):
    source, out = begun
    (out / 'image_teacher' / 'last_checkpoint').unlink()  # out of memory in the first step
    made = make_plan(source, out, TINY._replace(batch_size=3, epochs=9))
    assert (made.batch_size, made.epochs) == (3, 9)
    with pytest.raises(FolderError, match='the folder was .*in, now it is .*other'):
        make_plan(source.with_name('other'), out, TINY)


def test_copies_that_are_too_small_are_refused_before_a_training(begun, monkeypatch):
    source, out = begun
    (out / 'image_teacher' / 'last_checkpoint').unlink()
    monkeypatch.setattr(run, 'run_tool', lambda *_, **__: pytest.fail('trained'))
    with pytest.raises(FolderError, match='are 128 px high, these settings need 256: choose'):
        run.pretrain(source, out, TINY._replace(size=224))


def test_videos_that_came_later_are_told(begun, capsys):
    source, out = begun
    made = make_plan(source, out, TINY)
    capsys.readouterr()
    with (out / 'left_out.csv').open('w') as file:
        csv.writer(file).writerows([('path', 'error'), (source / 'a "b", c.mov', 'broken')])
    (source / 'a "b", c.mov').write_bytes(b'broken')
    run.report_new_videos(made)
    assert not capsys.readouterr().out
    first = next(source.glob('*.mov'))
    (source / 'late.mov').write_bytes(first.read_bytes() + b'more')
    run.report_new_videos(made)
    assert capsys.readouterr().out.startswith('1 new videos are not used; to train on all')


@pytest.fixture
def first_call(tmp_path):
    """Another process that writes there."""
    fork = multiprocessing.get_context('fork')
    held = fork.Event()

    def hold():
        lock = DirectoryLock()
        assert lock.take(tmp_path) is None
        held.set()
        signal.pause()

    process = fork.Process(target=hold)
    process.start()
    assert held.wait(60)
    yield process
    process.kill()
    process.join()


def test_two_calls_at_once(phone, tmp_path, first_call, monkeypatch):
    """The second would take the copies of the first for unreadable videos."""
    monkeypatch.setattr(run, 'copy_and_split_videos', lambda plan: pytest.fail('copied'))
    with pytest.raises(FolderError, match=f'another call, process {first_call.pid} on .*writing'):
        pretrain(phone, tmp_path, TINY)


def test_nobody_reads_of_a_video_that_can_be_read_now(phone, tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    shutil.copytree(phone, source)
    (source / 'broken.mov').write_bytes(b'no video')
    copied(source, out)
    assert 'broken.mov' in (out / 'left_out.csv').read_text()
    (out / 'train.txt').unlink()  # as if the call had been interrupted
    (source / 'broken.mov').write_bytes(next(phone.glob('*.mov')).read_bytes() + b'more')
    copied(source, out)
    assert not (out / 'left_out.csv').exists()


def test_a_training_that_was_stopped_is_not_taken_for_finished(monkeypatch, tmp_path):
    """SIGTERM ends a training with status 0."""
    monkeypatch.setattr(run.child_process, 'run', lambda command, env: 0)
    with pytest.raises(FolderError, match='stopped before its end; the same command goes on'):
        run.run_tool(tmp_path / 'student.pth', 'train.py', 'config.py')


def test_a_stop_does_not_begin_the_next_step(monkeypatch, tmp_path):
    stops = 'import os, signal, time\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(60)\n'
    (tmp_path / 'stops.py').write_text(stops)
    monkeypatch.setattr(run, 'TOOLS', tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run.run_tool(None, 'stops.py')


def test_several_devices_find_each_other(monkeypatch, tmp_path):
    """With the launcher's own options, on CPU ranks."""
    tool = tmp_path / 'meet.py'
    tool.write_text(
        'import sys, torch.distributed as d\n'
        "d.init_process_group('gloo')\n"
        "open(f'{sys.argv[1]}{d.get_rank()}', 'w').write(str(d.get_world_size()))\n"
    )
    monkeypatch.setattr(run, 'TOOLS', tmp_path)
    run.run_tool(tmp_path / 'rank1', 'meet.py', str(tmp_path / 'rank'), gpus=2)
    assert (tmp_path / 'rank0').read_text() == (tmp_path / 'rank1').read_text() == '2'


def test_a_disk_that_is_nearly_full(phone, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(plan.shutil, 'disk_usage', lambda path: usage)
    with pytest.raises(FolderError, match='0.00 GB are free on the disk of'):
        make_plan(phone, tmp_path / 'new' / 'out', TINY)


# ---------------------------------------------------------------------- the tool


def test_dry_run_prints_a_config_that_can_be_read(phone, tmp_path, capsys):
    options = ['--dry-run', '--gpus', '0', '--epochs', '7']
    pretrain_folder.main([str(phone), '--out', str(tmp_path / 'out'), *options])
    shown = capsys.readouterr().out
    (tmp_path / 'shown.py').write_text(shown)
    cfg = Config.fromfile(tmp_path / 'shown.py')
    assert cfg.default_hooks.curriculum.phases[3] == (0.9, 7)
    assert cfg.to_dict() == Config.fromfile(tmp_path / 'out' / 'pretrain.py').to_dict()
    assert '# ViT-tiny: no GPU' in shown


def test_dry_run_below_a_folder_that_is_no_utf8(phone, tmp_path, monkeypatch):
    out = tmp_path / os.fsdecode(b'caf\xe9')
    written = io.TextIOWrapper(io.BytesIO(), encoding='utf-8', errors='surrogateescape')
    monkeypatch.setattr(sys, 'stdout', written)
    pretrain_folder.main([str(phone), '--out', str(out), '--dry-run', '--gpus', '0'])
    written.flush()
    assert b'caf\xe9/pretrain.py' in written.buffer.getvalue()


def test_bad_input_is_one_line(tmp_path):
    with pytest.raises(SystemExit) as error:
        pretrain_folder.main([str(tmp_path), '--out', str(tmp_path.with_name('out'))])
    assert str(error.value).startswith('pretrain_folder: ') and '\n' not in str(error.value)
    with pytest.raises(SystemExit, match='2'):  # of argparse
        pretrain_folder.main([str(tmp_path), '--out', 'x', '--gpus', '-1'])


@pytest.mark.slow
def test_the_command(phone, tmp_path):
    tool = str(ROOT / 'tools' / 'pretrain_folder.py')
    options = ['--out', str(tmp_path / 'out'), '--size', '16', '--epochs', '1', '--gpus', '0']
    done = subprocess.run([sys.executable, tool, str(phone), *options], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines()[-1] == f'report: {tmp_path / "out" / "report.html"}'


@pytest.mark.parametrize(
    ('gpus', 'given', 'threads', 'devices'),
    [(0, None, '2', ''), (0, '7', '7', ''), (1, None, None, None)],
)
def test_a_tool_without_a_gpu_takes_half_of_the_cores(monkeypatch, gpus, given, threads, devices):
    """The other half reads videos."""
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2, 3, 4})
    for name, value in (('OMP_NUM_THREADS', given), ('CUDA_VISIBLE_DEVICES', None)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    seen = []

    monkeypatch.setattr(run.child_process, 'run', lambda command, env: seen.append(env) or 0)
    run.run_tool(None, 'train.py', 'config.py', gpus=gpus)
    (env,) = seen
    assert (env.get('OMP_NUM_THREADS'), env.get('CUDA_VISIBLE_DEVICES')) == (threads, devices)


def test_a_folder_that_cannot_be_written_is_one_line(phone, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, 'Permission denied', str(tmp_path / 'out'))

    monkeypatch.setattr(pretrain_folder, 'pretrain', refuse)
    with pytest.raises(SystemExit, match=r'^pretrain_folder: .*Permission denied.*out'):
        pretrain_folder.main([str(phone), '--out', str(tmp_path / 'out')])
