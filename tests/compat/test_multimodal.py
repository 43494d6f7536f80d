"""A current transformers beside mmaction2: shown to break it, repaired, and left alone if old."""

import sys
from importlib.machinery import ModuleSpec

import pytest

from pmd_mmaction.compat import imports, multimodal
from tests.compat.interpreter import run_python


def test_it_breaks_without_the_repair():
    done = run_python(
        'import sys\nfrom unittest import mock\n'
        'drn = "mmaction.models.localizers.drn"\n'
        'sys.modules |= {drn: mock.MagicMock(), f"{drn}.drn": mock.MagicMock()}\n'
        'import mmaction.models'
    )
    assert 'apply_chunking_to_forward' in done.stderr.splitlines()[-1]


def test_with_the_repair_models_import_and_the_placeholder_explains():
    done = run_python(
        'import pmd_mmaction, mmaction.models\n'
        'from mmaction.registry import MODELS\n'
        'print([s.repaired for s in pmd_mmaction.compat.status() if s.name == "multimodal"])\n'
        'try:\n    MODELS.build(dict(type="mmaction.VindLUVQA"))\n'
        'except Exception as error:\n    print(error)\n'
    )
    assert done.returncode == 0, done.stderr
    repaired, message = done.stdout.strip().split('\n', 1)
    assert repaired == '[True]'
    assert 'multi-modal dependencies' in message


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes a folder look like the installed transformers."""

    def install(**files: str) -> None:
        for name, text in files.items():
            folder = tmp_path if name == 'modeling_utils' else tmp_path / 'models' / 'beit'
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f'{name}.py').write_text(text)
        spec = ModuleSpec('transformers', None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path)]
        monkeypatch.setattr(multimodal.importlib.util, 'find_spec', lambda name: spec)
        monkeypatch.delitem(sys.modules, multimodal._MULTIMODAL, raising=False)

    return install


OLD = dict(
    modeling_utils='from x import apply_chunking_to_forward, find_pruneable_heads_and_indices\n'
    'def prune_linear_layer(): pass',
    modeling_beit='class BeitAttention: pass\nclass BeitDropPath: pass\n'
    'class BeitRelativePositionBias: pass',
)


def test_an_old_transformers_is_left_alone(installed):
    installed(**OLD)
    assert not multimodal.transformers_is_too_new()


@pytest.mark.parametrize(
    'changed',
    [
        dict(modeling_utils='def prune_linear_layer_of_mine(): pass'),
        dict(modeling_beit='class BeitAttention: pass'),
    ],
)
def test_one_missing_name_is_enough(installed, changed):
    installed(**OLD | changed)
    assert multimodal.transformers_is_too_new()


def test_no_transformers_is_no_fault(monkeypatch):
    monkeypatch.setattr(imports.importlib.util, 'find_spec', lambda name: None)
    monkeypatch.delitem(sys.modules, multimodal._MULTIMODAL, raising=False)
    assert not multimodal.transformers_is_too_new()
