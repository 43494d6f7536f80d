"""The commands on the pages: right in every word, and run here, elsewhere, or marked with a need.

A block of commands that no test can run says so in a line ``# needs`` or ``# takes``.
"""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from benchmarks.phone_videos import make_videos
from tests.every import check_every, every
from tests.forked_script import run_script
from tests.integration import tiny
from tests.integration.shipped import config_of

ROOT = tiny.ROOT
PAGES = sorted(
    path
    for pattern in ('*.md', 'docs/*.md', 'configs/**/*.md', 'benchmarks/*.md')
    for path in ROOT.glob(pattern)
    if path.name != 'CHANGELOG.md'
)
SHELL = {'dist_train.sh': 'tools/train.py', 'dist_test.sh': 'tools/test.py'}
# Commands whose tests are elsewhere, and those tests.
ELSEWHERE = {
    'make demo': 'tests/tools/test_demo.py',  # with stand-ins; the whole takes some ten minutes
    'make test': '.ci/run',
    'make env': '.ci/run',
    'source .venv/bin/activate': '.ci/run',
    'pip install .': 'tests/test_wheel.py',
    'pip install .[openmmlab]': 'tests/test_wheel.py',
    'python tools/pretrain_folder.py my_videos --out work_dirs/mine': 'tests/folder/test_run.py',
}
HERE = {
    'python -m pmd_mmaction configs',
    'python -m pmd_mmaction copy pmd/vit-b_k400_pretrain.py',
    'python -m pmd_mmaction doctor vit-b_k400_pretrain.py',
    'python tools/pretrain_folder.py my_videos --out work_dirs/mine --dry-run',
    'python tools/data/make_demo_objects.py --out data/demo/objects',
    'python tools/data/show_moving_objects.py VIDEO --objects data/demo/objects --out objects.png',
}


def blocks(page: Path) -> list[str]:
    return re.findall(r'^```bash\n(.*?)^```', page.read_text(encoding='utf-8'), re.M | re.S)


def commands(block: str) -> list[list[str]]:
    """The words of each command, shell variables replaced."""
    lines = block.replace('\\\n', ' ').splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    variables = {}
    for words in found:
        while words and re.fullmatch(r'[A-Z]=\S+', words[0]):
            name, _, value = words.pop(0).partition('=')
            variables[name] = value
    replaced = [
        [re.sub(r'\$\{?([A-Z])\b\}?', lambda m: variables[m[1]], word) for word in words]
        for words in found
        if not words or words[0] not in ('srun', '[[')  # Slurm's own
    ]
    return [words for words in replaced if words]


def inline(page: Path) -> list[list[str]]:
    text = re.sub(r'```.*?```', '', page.read_text(encoding='utf-8'), flags=re.S)
    found = re.findall(r'`((?:python |make |tools/\S+ )[^`]+)`', text)
    return [shlex.split(command) for command in found]


@cache
def help_of(script: str) -> str:
    return run_script([ROOT / script, '--help'], ROOT).stdout


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


COMMANDS = {
    page: [*(c for block in blocks(page) for c in commands(block)), *inline(page)] for page in PAGES
}


def test_commands_are_found():
    assert sum(map(len, COMMANDS.values())) > 100


@pytest.mark.parametrize('page', [page for page in PAGES if COMMANDS[page]], ids=name_of)
def test_every_word_of_a_command_is_right(page):
    check_every(COMMANDS[page], _check_words, name=shlex.join)


def _check_words(words: list[str]) -> None:
    if words[0] == 'make':
        target = f'{words[1]}:'
        assert any(line.startswith(target) for line in (ROOT / 'Makefile').read_text().splitlines())
    script = next((word for word in words if word.endswith(('.py', '.sh'))), None)
    if script is None or '-m' in words:
        return
    assert (ROOT / script).is_file()
    source = (ROOT / SHELL.get(Path(script).name, script)).read_text()
    options = words[words.index(script) + 1 :]
    for option in options:
        if re.match('--[a-z]', option):
            assert f"'{option.split('=')[0]}'" in source or option in help_of(script), option
    configs = [word for word in options if word.startswith('configs/')]
    assert all((ROOT / config).is_file() for config in configs), configs
    if '--cfg-options' in options and configs:
        for setting in options[options.index('--cfg-options') + 1 :]:
            cfg = config_of(configs[0].removeprefix('configs/'))
            for key in setting.split('=')[0].split('.')[:-1]:
                assert key in cfg, setting
                cfg = cfg[key]


@every('page', PAGES, name=name_of)
def test_a_command_is_run_or_says_what_it_needs(page):
    for block in blocks(page):
        if re.search('^# (needs|takes) ', block, re.M):
            continue
        for words in map(' '.join, commands(block)):
            assert words in HERE or words in ELSEWHERE, words


def test_what_is_run_elsewhere_is():
    for command, test in ELSEWHERE.items():
        assert (ROOT / test).is_file(), command
    assert 'make test' in (ROOT / '.ci' / 'run').read_text()


def test_the_commands_that_need_nothing(tmp_path):
    """One after the other, as a reader would; a config of Kinetics has missing files."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    make_videos(tmp_path / 'my_videos', mov=8, webm=4, width=64, seconds=(0.5, 1.0))
    clips = tiny.make_clips(tmp_path / 'clips', size=48)
    shown = [c for page in PAGES for b in blocks(page) for c in commands(b)]
    asked = [c for c in shown if ' '.join(c) in HERE]
    assert {' '.join(c) for c in asked} == HERE
    for words in asked:
        video = str(next(clips.rglob('*.mp4')))
        done = run_script([video if word == 'VIDEO' else word for word in words[1:]], tmp_path)
        expected = 1 if 'doctor' in words else 0
        assert done.returncode == expected, done.stdout + done.stderr
        assert 'Traceback' not in done.stderr
    assert (tmp_path / 'objects.png').is_file()
    assert (tmp_path / 'work_dirs' / 'mine' / 'pretrain.py').is_file()
    assert not (tmp_path / 'work_dirs' / 'mine' / 'videos').exists()
