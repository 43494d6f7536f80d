"""The two modules that mmaction2 misses: shown missing, repaired, and left alone if present."""

import importlib
import sys
from types import SimpleNamespace

import pytest

from pmd_mmaction import compat
from pmd_mmaction.compat import imports
from tests.compat.interpreter import run_python

# Makes one installed module look absent.
HIDE = """
import sys
from importlib.machinery import PathFinder
class Hide(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == 'importlib_metadata' else PathFinder.find_spec(name, path, target)
sys.meta_path = [Hide if finder is PathFinder else finder for finder in sys.meta_path]
"""


def _repaired(name: str) -> bool:
    return next(item for item in compat.status() if item.name == name).repaired


def test_drn_is_missed_and_repaired_even_after_mmaction_was_imported():
    if not _repaired('drn-module'):  # a later mmaction2, which ships its DRN localizer
        importlib.import_module('mmaction.models.localizers.drn.drn')
        return
    done = run_python(
        'try:\n    import mmaction.models\n'
        'except ModuleNotFoundError as error:\n    print(error.name)\n'
        'import pmd_mmaction, mmaction.models\n'
        'from mmaction.models.localizers import DRN\n'
        'try:\n    DRN(1)\nexcept ImportError as error:\n    print(error)\n'
    )
    assert done.returncode == 0, done.stderr
    missing, message = done.stdout.splitlines()
    assert missing.startswith('mmaction.models.localizers.drn')
    assert 'source repository' in message


@pytest.mark.parametrize(
    ('imported', 'shipped', 'missing'),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_drn_is_looked_for_on_disk(tmp_path, monkeypatch, imported, shipped, missing):
    localizers = tmp_path / 'models' / 'localizers'
    (localizers / 'drn').mkdir(parents=True)
    line = 'from .drn.drn import DRN' if imported else 'from .bmn import BMN'
    (localizers / '__init__.py').write_text(line)
    if shipped:
        (localizers / 'drn' / 'drn.py').touch()
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(imports.importlib.util, 'find_spec', lambda name: spec)
    for name in [name for name in sys.modules if name.startswith(imports._DRN)]:
        monkeypatch.delitem(sys.modules, name)
    assert imports.drn_is_missing() is missing


def test_importlib_metadata_is_missed_without_the_repair():
    done = run_python(f'{HIDE}\nimport mmaction.utils.dependency')
    assert "No module named 'importlib_metadata'" in done.stderr


def test_importlib_metadata_is_replaced_where_it_is_absent():
    done = run_python(
        f'{HIDE}\nimport pmd_mmaction, mmaction.utils.dependency\n'
        'import importlib_metadata, importlib.metadata\n'
        'assert importlib_metadata is importlib.metadata\n'
        'print([s.repaired for s in pmd_mmaction.compat.status() if "metadata" in s.name])'
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '[True]'


def test_importlib_metadata_is_left_alone_where_it_is_installed(tmp_path):
    (tmp_path / 'importlib_metadata.py').write_text(
        'from importlib.metadata import PackageNotFoundError, distribution\nmine = True'
    )
    done = run_python(
        f'import sys; sys.path.insert(0, {str(tmp_path)!r})\n'
        'from pmd_mmaction.compat import imports\n'
        'assert not imports.importlib_metadata_is_missing()\n'
        'import importlib_metadata\nassert importlib_metadata.mine'
    )
    assert done.returncode == 0, done.stderr
