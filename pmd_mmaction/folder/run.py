"""Runs a plan; the same call goes on where an earlier one ended."""

import csv
import os
import shlex
import sys
import time
from pathlib import Path

from pmd_mmaction import child_process
from pmd_mmaction.folder.begun import write_begun
from pmd_mmaction.folder.configs import (
    CLASSES,
    PATH_ENCODING,
    checkpoint_of,
    teacher_epochs,
    write_configs,
)
from pmd_mmaction.folder.plan import Options, Plan, make_plan
from pmd_mmaction.folder.preset import PHASES, this_machine
from pmd_mmaction.folder.videos import (
    FolderError,
    class_names,
    collect_videos,
    copy_name,
    copy_videos,
    read_lists,
    require_copies,
    require_enough,
    split_held_out,
    write_list,
)
from pmd_mmaction.shipped import TOOLS
from pmd_mmaction.storage.atomic_file import write_file, write_table
from pmd_mmaction.storage.directory_lock import DirectoryLock

LEFT_OUT = 'left_out.csv'
COSTS = dict(image=0.3, video=0.5, pretrain=1.0)  # of a step, that of the curriculum being 1


def pretrain(source: Path, out: Path, options: Options) -> Path:
    """Copies the videos, trains teachers and student, and writes the report.

    Args:
        source: folder of videos.
        out: where everything goes.
        options: what the user decides.

    Returns:
        The report.

    Raises:
        FolderError: if something cannot be run.
    """
    plan = make_plan(source, out, options)
    out.mkdir(parents=True, exist_ok=True)
    lock = DirectoryLock()  # ends with the process
    holder = lock.take(out)
    if holder is not None:
        raise FolderError(
            f'another call, {holder}, is writing to {out}: stop it or wait for its end'
        )
    write_begun(plan.out, plan.choices)  # before the first copy: it names the folder of the videos
    if read_lists(out) is None:
        copy_and_split_videos(plan)
        plan = make_plan(source, out, options)  # now of the videos that can be read
    else:
        report_new_videos(plan)
    require_copies(plan.out / 'videos', plan.preset.short_side)
    write_begun(plan.out, plan.choices)
    print('\n'.join(plan.reasons), flush=True)
    configs, trainings = write_configs(plan), TrainingSequence(plan)
    if not plan.public:
        epochs = teacher_epochs(plan, 'image')
        image = out / 'image_teacher' / f'epoch_{epochs}.pth'
        trainings.train('image', configs['image_teacher'], image)
        teacher = checkpoint_of(plan, 'image')
        convert = ('--from', 'mmaction', '--to', 'timm', str(image), str(teacher))
        run_tool(teacher, 'convert_checkpoint.py', *convert)
        trainings.train('video', configs['video_teacher'], checkpoint_of(plan, 'video'))
    trainings.train('pretrain', configs['pretrain'], out / 'pmd' / 'student.pth')
    report = out / 'report.html'
    run_tool(None, 'report.py', str(out / 'pmd'), '--out', str(report))
    return report


def copy_and_split_videos(plan: Plan) -> None:
    """Copies the videos and writes the lists, and what was left out.

    Raises:
        FolderError: if too few videos can be read, or the disk is full.
    """
    videos, left_out = plan.found
    jobs, side = plan.machine.cores, plan.preset.short_side
    good, failed = copy_videos(plan.source, videos, plan.out / 'videos', side, jobs)
    left_out = {**left_out, **failed}
    (plan.out / LEFT_OUT).unlink(missing_ok=True)  # of an earlier call
    if left_out:
        write_table(plan.out / LEFT_OUT, [('path', 'error'), *left_out.items()])
        print(f'{len(left_out)} videos are left out: {plan.out / LEFT_OUT} tells why')
    require_enough(plan.source, good, f'beside {len(left_out)} left out' if left_out else '')
    names, reason = class_names(plan.source, good)
    if names:
        write_file(
            plan.out / CLASSES,
            ''.join(f'{" ".join(name.split())}\n' for name in names).encode(*PATH_ENCODING),
        )
        shown = ', '.join(names[:8]) + (' ...' if len(names) > 8 else '')
        print(f'sub-folders are used as {len(names)} classes: {shown}')
    elif reason:
        print(f'sub-folders are not used as classes: {reason}')
    lists = split_held_out(plan.source, good)
    write_list(plan.out / 'held_out.txt', lists.held_out)
    write_list(plan.out / 'train.txt', lists.train)


def report_new_videos(plan: Plan) -> None:
    """Tells how many videos of the folder are in no list of an earlier call."""
    try:
        found = collect_videos(plan.source)
    except (FolderError, OSError):  # the copies are enough to go on
        return
    lists = read_lists(plan.out)
    known = {name for name, _ in [*lists.train, *lists.held_out]}
    if (plan.out / LEFT_OUT).is_file():
        with open(
            plan.out / LEFT_OUT, newline='', encoding=PATH_ENCODING[0], errors=PATH_ENCODING[1]
        ) as file:
            known |= {copy_name(plan.source, Path(path)) for path, _ in [*csv.reader(file)][1:]}
    late = sum(copy_name(plan.source, path) not in known for path in found.videos)
    if late:
        print(f'{late} new videos are not used; to train on all, choose another --out')


class TrainingSequence:
    """Runs the trainings and tells how long they will take.

    Args:
        plan: what is run.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.seconds, self.done = plan, 0.0, 0.0
        epochs = {} if plan.public else {k: teacher_epochs(plan, k) for k in ('image', 'video')}
        epochs['pretrain'] = PHASES * plan.epochs
        steps = plan.steps_per_epoch
        self.costs = {name: steps * count * COSTS[name] for name, count in epochs.items()}
        self.left = dict(self.costs)

    def train(self, name: str, config: Path, result: Path) -> None:
        """Runs a training, or goes on with it, unless its result is there."""
        number = len(self.costs) - len(self.left) + 1
        remaining = ''
        if self.done:
            hours = self.seconds / self.done * sum(self.left.values()) / 3600
            remaining = f', {hours:.1f} hours to go'
        print(f'training {number} of {len(self.costs)}: {name}{remaining}', flush=True)
        start, fresh = time.monotonic(), not config.with_suffix('').is_dir()
        run_tool(result, 'train.py', str(config), '--resume', gpus=self.plan.machine.gpus)
        cost = self.left.pop(name)
        if fresh and time.monotonic() - start > 1:
            self.seconds, self.done = self.seconds + time.monotonic() - start, self.done + cost


def run_tool(result: Path | None, tool: str, *arguments: str, gpus: int = 0) -> None:
    """Runs a tool of the package unless its result is there.

    Args:
        result: a file; None: run it in any case.
        tool: name of its script.
        *arguments: for it.
        gpus: that it may use.

    Raises:
        FolderError: if it fails, or ends before its result is there.
    """
    if result is not None and result.is_file():
        return
    command = [str(TOOLS / tool), *arguments]
    launcher = []
    if gpus > 1:
        launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={gpus}']
        command += ['--launcher', 'pytorch']
    text = shlex.join(('python', *launcher, *command))
    print(text, flush=True)
    environment = dict(os.environ)
    if not gpus:
        # Half of the cores read videos; threads that wait for a busy core slow a step many times.
        environment.setdefault('OMP_NUM_THREADS', str(max(1, this_machine(0).cores // 2)))
        environment['CUDA_VISIBLE_DEVICES'] = ''
    status = child_process.run([sys.executable, *launcher, *command], env=environment)
    if status:
        raise FolderError(f'this ended with exit code {status}, for the reason above: {text}')
    if result is not None and not result.is_file():  # a signal ends a training with status 0
        raise FolderError(f'this was stopped before its end; the same command goes on: {text}')
