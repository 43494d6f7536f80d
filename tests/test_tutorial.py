"""docs/tutorial.ipynb: small, of this state of the code, and executed."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.integration.tiny import ROOT

PAGE = ROOT / 'docs' / 'tutorial.ipynb'


def outputs(notebook) -> list:
    return [output for cell in notebook.cells for output in cell.get('outputs', [])]


def test_the_file_is_small_and_clean():
    text = PAGE.read_text(encoding='utf-8')
    assert len(text) < 300_000
    notebook = nbformat.reads(text, 4)
    nbformat.validate(notebook)
    assert not [output for output in outputs(notebook) if output.output_type == 'error']
    printed = [output.text for output in outputs(notebook) if output.output_type == 'stream']
    assert not re.search(r'Warning|Traceback|/home|/tmp|site-packages', ''.join(printed))


def test_its_links_lead_somewhere():
    cells = nbformat.read(PAGE, 4).cells
    text = '\n'.join(cell.source for cell in cells if cell.cell_type == 'markdown')
    for target in re.findall(r'\]\((\w[^)#]*)\)', text):
        assert (PAGE.parent / target).is_file(), target


def test_what_it_imports_is_there():
    cells = nbformat.read(PAGE, 4).cells
    lines = [line for c in cells if c.cell_type == 'code' for line in c.source.splitlines()]
    imports = [line for line in lines if re.match('(from|import) ', line)]
    assert len(imports) > 15
    exec('\n'.join(imports), {})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs(tmp_path):
    """From a folder of its own, in which its results go."""
    for name in ('configs', 'tools', 'docs'):
        (tmp_path / name).symlink_to(ROOT / name)
    notebook = nbformat.read(PAGE, 4)
    before = [len(cell.get('outputs', [])) for cell in notebook.cells]
    place = dict(metadata=dict(path=str(tmp_path)))
    NotebookClient(notebook, timeout=600, kernel_name='python3', resources=place).execute()
    assert sum('image/jpeg' in o.get('data', {}) for o in outputs(notebook)) == 8
    assert [bool(cell.get('outputs')) for cell in notebook.cells] == [bool(n) for n in before]
    assert Path(tmp_path, 'work_dirs', 'tutorial', 'pmd', 'student.pth').is_file()
