"""tests/run_on_wheel.sh and requirements/lock.sh in folders, and over files, of any name."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.every import every

ROOT = Path(__file__).parents[1]
FOLDERS = ['a b', "it's", 'a"b', 'a\nb', '$(touch ran)', '-rf', '*', os.fsdecode(b'caf\xe9')]
# Stands in for Python: makes what pip would make, and lists what pytest would see.
PYTHON = """#!/usr/bin/env bash
previous=
for argument in "$@"; do
  [[ $previous == --wheel-dir ]] && mkdir -p "$argument" && touch "$argument/x.whl"
  [[ $previous == --target ]] && mkdir -p "$argument/pmd_mmaction" && touch "$_/a"
  previous=$argument
done
[[ $1 == -c ]] && printf '%s' "$3" >"$NOTES/site"
[[ $2 == pytest ]] && find . -type f -print0 >"$NOTES/files"
printf '%s' "$PYTHONPATH" >"$NOTES/path"
exit 0
"""
# Stands in for uv: writes to --output-file, or prints.
UV = """#!/usr/bin/env bash
while [[ $# -gt 0 ]]; do
  [[ $1 == --output-file ]] && echo 'torch==1' >"$2" && exit
  shift
done
echo 'other==1'
"""


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@every('name', FOLDERS, name=repr)
def test_the_wheel_is_tested_over_files_of_any_name(tmp_path_factory, name):
    place = tmp_path_factory.mktemp('place')
    repository = place / name
    (repository / 'tests').mkdir(parents=True)
    shutil.copy(ROOT / 'tests' / 'run_on_wheel.sh', repository / 'tests')
    (repository / 'pmd_mmaction').mkdir()
    (repository / 'pmd_mmaction' / 'a').touch()
    for file in FOLDERS:
        (repository / f'{file}.py').touch()
    git = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', '-C', str(repository)]
    subprocess.run([*git, 'init', '--quiet'], check=True)
    python = _program(place / 'python it is', PYTHON)
    (place / f't{name}').mkdir()
    subprocess.run(
        ['bash', repository / 'tests' / 'run_on_wheel.sh', python, '-k', name],
        env=os.environ | dict(TMPDIR=str(place / f't{name}'), NOTES=str(place)),
        check=True,
    )
    found = {Path(os.fsdecode(file)).name for file in (place / 'files').read_bytes().split(b'\0')}
    assert {f'{file}.py' for file in FOLDERS} <= found
    site = (place / 'site').read_bytes()
    assert site == (place / 'path').read_bytes()
    assert site.startswith(os.fsencode(place / f't{name}'))
    assert os.listdir(place / f't{name}') == []  # nothing is left, nothing else ran
    assert not (place / 'ran').exists() and not (repository / 'ran').exists()


@every('name', FOLDERS, name=repr)
def test_the_lock_file_is_written_in_a_folder_of_any_name(tmp_path_factory, name):
    place = tmp_path_factory.mktemp('place')
    folder = place / name
    folder.mkdir()
    shutil.copy(ROOT / 'requirements' / 'lock.sh', folder)
    uv = _program(place / f'uv {name}', UV)
    subprocess.run(['bash', folder / 'lock.sh', uv], check=True)
    assert sorted(os.listdir(folder)) == ['lock.sh', 'lock.txt', 'lowest.txt']
    assert 'torch==1' in (folder / 'lock.txt').read_text()
    assert (folder / 'lowest.txt').read_text().splitlines()[-1] == 'other==1'
