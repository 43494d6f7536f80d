"""The videos of ``stored_forms.py``, each made once for all tests of this folder."""

import os

import pytest

from tests.datasets.stored_forms import write


@pytest.fixture(scope='session')
def stored_form(tmp_path_factory):
    """Gives the path of a form. Tests, also of other processes, share the file: read it only."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base) / 'forms'
    own = base / 'forms_being_written'
    for folder in (shared, own):
        folder.mkdir(exist_ok=True)

    def path(name):
        if not (shared / name).exists():
            os.replace(write(own, name), shared / name)  # whole or not there
        return shared / name

    return path
