"""The order of the demo's steps, with stand-ins for its programs."""

import itertools
import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import demo

RESULTS = {
    'mae_vit-tiny_demo': 'epoch_10.pth',
    'videomae_vit-tiny_demo': 'epoch_24.pth',
    'vit-tiny_demo_pretrain_8e': 'student.pth',
    'vit-tiny_demo_pretrain_base_8e': 'student.pth',
}


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Each writes its result, if what it reads is there; their names, in the order they end."""
    ended = []

    def execute(command, cwd, **_):
        script, words = Path(command[1]).name, command[2:]
        after = dict(itertools.pairwise(words))
        read = [w.partition('=')[2] or w for w in words if w.endswith(('.pth', 'student.pth'))]
        if script == 'convert_checkpoint.py':
            written = Path(read.pop())
        elif script == 'train.py':
            written = Path(after['--work-dir'], RESULTS[Path(words[0]).stem])
        elif script == 'linear_probe.py':
            written = Path(after['--json'])
        else:
            written = Path('report')
        missing = [path for path in read if not (cwd / path).exists()]
        assert not missing, (script, missing)
        (cwd / written).parent.mkdir(parents=True, exist_ok=True)
        (cwd / written).write_text(json.dumps({'all/acc/top1': 0.5, '10/acc/top1': 0.25}))
        ended.append(script)
        return 0

    @contextmanager
    def running(command, cwd, **_):
        yield SimpleNamespace(returncode=0)
        execute(command, cwd)

    monkeypatch.setattr(demo, 'ROOT', tmp_path)
    monkeypatch.setattr(demo.child_process, 'run', execute)
    monkeypatch.setattr(demo.child_process, 'running', running)
    return ended


def test_every_step_finds_what_it_reads(programs, capsys):
    demo.main(['--work-dir', 'work'])
    assert programs.count('train.py') == programs.count('linear_probe.py') == 4
    assert programs[-1] == 'report.py'
    table = capsys.readouterr().out
    assert table.count('0.500') == table.count('0.250') == 4


def test_what_is_there_is_not_done_again(programs, capsys):
    demo.main(['--work-dir', 'work'])
    programs.clear()
    demo.main(['--work-dir', 'work'])
    assert programs == ['make_demo_dataset.py', 'report.py']  # which look for themselves
    assert 'PMD student' in capsys.readouterr().out


def test_a_quiet_step_that_fails_names_its_log(programs, monkeypatch, capsys):
    execute = demo.child_process.run
    monkeypatch.setattr(
        demo.child_process,
        'run',
        lambda command, **options: 'base_8e' in str(command) or execute(command, **options),
    )
    with pytest.raises(SystemExit):
        demo.main(['--work-dir', 'work'])
    told = capsys.readouterr().out
    assert 'failed' in told and 'its output: work/pmd_base/student.txt' in told
