"""Lower bounds, exact pins and digests of the dependencies agree."""

import itertools
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FOLDER = Path(__file__).parents[1] / 'requirements'


def read(name: str) -> list[Requirement]:
    """The requirements of a file, without digests."""
    text = (FOLDER / name).read_text()
    lines = re.sub(r'\\\n|--hash=\S+', ' ', text).splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith('#')]


PINNED = [*read('pinned.txt'), *read('openmmlab.txt')]
LOCKED = read('lock.txt')


def name_of(requirement: Requirement) -> str:
    return requirement.name.lower().replace('_', '-')


def pin_of(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == '==', requirement
    return specifier.version


def environment(version: str) -> dict[str, str]:
    return dict(
        python_version=version,
        python_full_version=f'{version}.1',
        platform_machine='x86_64',
        sys_platform='linux',
    )


@pytest.mark.parametrize('python', ['3.10', '3.11', '3.12', '3.13'])
def test_every_pin_is_locked(python):
    def chosen(requirements):
        here = environment(python)
        return {
            name_of(r): pin_of(r)
            for r in requirements
            if r.marker is None or r.marker.evaluate(here)
        }

    pinned, locked = chosen(PINNED), chosen(LOCKED)
    assert {name: locked.get(name) for name in pinned} == pinned


def test_every_locked_package_has_digests():
    text = (FOLDER / 'lock.txt').read_text()
    entries = re.findall(
        r'^[A-Za-z][^\n]*==[^\n]*\n(?:    --hash=sha256:[0-9a-f]{64}[^\n]*\n)+', text, re.M
    )
    assert len(entries) == len(LOCKED) > 50
    assert '://' not in text


@pytest.mark.parametrize('name', ['runtime', 'demo', 'tests', 'dev'])
def test_every_need_is_pinned_above_its_lower_bound(name):
    pins: dict[str, list[str]] = {}
    for requirement in PINNED:
        pins.setdefault(name_of(requirement), []).append(pin_of(requirement))
    for need in read(f'{name}.txt'):
        assert pins.get(name_of(need)), f'{need} is not in pinned.txt'
        assert all(need.specifier.contains(pin) for pin in pins[name_of(need)]), need


@pytest.mark.parametrize('path', sorted(FOLDER.glob('[!l]*.txt')), ids=lambda path: path.name)
def test_every_requirement_has_its_reason(path):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    for before, line in itertools.pairwise(lines):
        # a second line is for other versions of Python
        again = line.startswith(re.split('[=<>]', before)[0])
        assert line.startswith('#') or before.startswith('#') or again, f'no reason above {line!r}'
