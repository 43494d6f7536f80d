import http.server
import os
import pickle
import threading
import urllib.error
from functools import partial

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from pmd_mmaction import compat
from pmd_mmaction.compat import download


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder served on this machine, and an empty download cache."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{httpd.server_port}'
        httpd.shutdown()


class _Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_url_is_downloaded_once(server):
    folder, url = server
    torch.save(dict(state_dict=dict(w=torch.ones(2))), folder / 'weights.pth')
    first = CheckpointLoader.load_checkpoint(f'{url}/weights.pth', map_location='cpu')
    (folder / 'weights.pth').unlink()
    second = CheckpointLoader.load_checkpoint(f'{url}/weights.pth', map_location='cpu')
    assert torch.equal(first['state_dict']['w'], second['state_dict']['w'])


def test_files_of_one_name_are_kept_apart(server):
    folder, url = server
    for name, value in (('a', 1.0), ('b', 2.0)):
        (folder / name).mkdir()
        torch.save(dict(w=torch.tensor(value)), folder / name / 'vit-b.pth')
    found = [CheckpointLoader.load_checkpoint(f'{url}/{name}/vit-b.pth') for name in 'ab']
    assert [content['w'].item() for content in found] == [1.0, 2.0]


def test_a_file_with_a_hash_in_its_name_may_lie_in_the_cache_of_torch(server, tmp_path):
    cache = tmp_path / 'cache' / 'hub' / 'checkpoints'
    cache.mkdir(parents=True)
    torch.save(dict(w=torch.ones(2)), cache / 'weights-0123abcd.pth')
    found = CheckpointLoader.load_checkpoint(f'{server[1]}/weights-0123abcd.pth')
    assert torch.equal(found['w'], torch.ones(2))


def test_a_url_cannot_run_code(server, tmp_path):
    folder, url = server
    torch.save(dict(w=_Hostile(str(tmp_path / 'proof'))), folder / 'hostile.pth')
    with pytest.raises(pickle.UnpicklingError, match='mkdir'):
        CheckpointLoader.load_checkpoint(f'{url}/hostile.pth', map_location='cpu')
    assert not (tmp_path / 'proof').exists()


def test_a_wrong_hash_is_refused(server):
    folder, url = server
    torch.save(dict(w=torch.ones(2)), folder / 'weights-00000000.pth')
    with pytest.raises(RuntimeError, match='hash'):
        CheckpointLoader.load_checkpoint(f'{url}/weights-00000000.pth', map_location='cpu')


def test_each_node_downloads_into_its_own_cache(server, monkeypatch):
    folder, url = server
    torch.save(dict(w=torch.ones(2)), folder / 'weights.pth')
    monkeypatch.setattr(download, 'get_rank', lambda: 8)
    found = CheckpointLoader.load_checkpoint(f'{url}/weights.pth', map_location='cpu')
    assert torch.equal(found['w'], torch.ones(2))


def test_a_failed_download_leaves_no_rank_waiting(server, monkeypatch):
    waited = []
    monkeypatch.setattr(download, 'barrier', lambda: waited.append(True))
    with pytest.raises(urllib.error.URLError):
        CheckpointLoader.load_checkpoint(f'{server[1]}/absent.pth', map_location='cpu')
    assert waited == [True]


def test_the_repair_is_in_force():
    assert not download.urls_run_code()
    assert {s.name: s.repaired for s in compat.status()}['checkpoint-download']
