"""The page: its sections, for every method and state of a run, and a browser that opens it."""

import os
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from pmd_mmaction.report import Run, RunError, write_report
from pmd_mmaction.report.sections import SECTIONS, class_name
from tests.integration import tiny
from tools import report

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)


def missing(page: str) -> dict[str, str]:
    """What sections lack, by their names."""
    parts = re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.S)
    assert [name for name, _ in parts] == list(SECTIONS)
    found = {name: re.search(r'<p class="missing">(.*?)</p>', part, re.S) for name, part in parts}
    return {name: match.group(1) for name, match in found.items() if match}


@pytest.fixture(scope='module')
def page(finished, tmp_path_factory):
    return write_report(Run.open(finished), tmp_path_factory.mktemp('page') / 'new' / 'a.html')


def test_a_finished_run_has_every_section(page):
    text = page.read_text()
    assert missing(text) == {}
    assert 'run &lt;1&gt;' in text and 'run <1>' not in text
    assert 'finished, epoch 9 of 9' in text and 'knn/top1' in text
    assert 'clip | student, phase 1 | student, phase 2 | student | img teacher | vid' in text


def test_classes_have_names_where_the_data_set_knows_them():
    for names, expected in (
        (['run', 'sit'], ['run', 'sit', '2', '-1']),
        ([], ['0', '1', '2', '-1']),
    ):
        dataset = SimpleNamespace(metainfo=dict(classes=names))
        assert [class_name(dataset, label) for label in (0, 1, 2, -1)] == expected


def test_nothing_is_fetched(page):
    addresses = re.findall(r'(?:src|href)="([^"]{5})', page.read_text())
    assert len(addresses) > 20
    assert {address for address in addresses if not address.startswith('#')} == {'data:'}


def test_a_folder_gets_a_page_of_the_usual_name(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, 'write_report', lambda run, out: out)
    report.main([str(finished), '--out', str(tmp_path)])
    assert capsys.readouterr().out.strip() == str(tmp_path / 'report.html')


def test_a_place_that_cannot_be_written_is_told_at_once(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(SystemExit, match='cannot be written to: name another file with --out'):
        report.main([str(finished), '--out', str(tmp_path / 'new' / 'a.html')])
    assert not (tmp_path / 'new').exists()


def test_a_run_that_has_not_begun(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path / 'run')
    cfg.dump(tmp_path / 'mine.py')
    report.main([str(tmp_path / 'mine.py')])
    lacking = missing((tmp_path / 'run' / 'report.html').read_text())
    assert lacking.keys() == set(SECTIONS) - {'overview', 'masks', 'config', 'environment'}
    assert 'no log yet' in lacking['health'] and 'checkpoint' in lacking['patches']


def test_a_run_in_progress_of_another_method(clips, tmp_path):
    cfg = tiny.tiny_config(clips, tmp_path / 'run', dict(type='StopAfter', epoch=1))
    old = cfg.model
    cfg.model = dict(
        type='MaskedDistillation',
        data_preprocessor=old.data_preprocessor,
        backbone=old.backbone,
        masker=old.masker,
        decoder=old.decoder,
        teachers=dict(clip=old.video_teacher),
        terms=[dict(type='BaseTerm'), dict(type='DARETerm')],
    )
    with pytest.raises(KeyboardInterrupt):
        tiny.train(cfg)
    text = write_report(Run.open(tmp_path / 'run'), tmp_path / 'a.html').read_text()
    assert missing(text).keys() == {'neighbours', 'evaluation'}
    assert 'in progress or stopped' in text
    assert 'clip | student, epoch 2 | clip teacher' in text


def test_the_folder_above_a_run_is_taken_for_it(clips, tmp_path):
    """As pretrain_folder.py writes it: configs and a report there, the run in a folder of it."""
    cfg = tiny.tiny_config(clips, tmp_path / 'pmd')
    cfg.dump(tmp_path / 'pretrain.py')
    cfg.work_dir = str(tmp_path / 'finetune')
    cfg.dump(tmp_path / 'finetune.py')
    assert Run.open(tmp_path).work_dir == tmp_path  # nothing has begun
    (tmp_path / 'pmd').mkdir()
    assert Run.open(tmp_path).work_dir == tmp_path / 'pmd'
    copied = tmp_path / 'copied'  # a run of which only the config was copied is not the original
    copied.mkdir()
    cfg.work_dir = str(tmp_path / 'pmd')
    cfg.dump(copied / 'pretrain.py')
    assert Run.open(copied).work_dir == copied


def test_a_teacher_that_is_not_there(clips, finished):
    run = Run.open(finished)
    run.cfg.model.video_teacher.checkpoint = '/nowhere.pth'
    blocks = SECTIONS['patches'][1](run)
    assert [kind for kind, _ in blocks].count('picture') == 3
    assert blocks[-1][0] == 'missing' and 'vid teacher: ' in blocks[-1][1]


@pytest.mark.parametrize('name', ['nothing', 'empty', 'other.py'])
def test_what_is_no_run(tmp_path, name):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'other.py').write_text('x = 1')
    with pytest.raises(RunError, match=name):
        Run.open(tmp_path / name)
    with pytest.raises(SystemExit, match=name):
        report.main([str(tmp_path / name)])


# ---------------------------------------------------------------------- in a browser


def browse(path, *options: str) -> tuple[str, list[str]]:
    """The document as the browser sees it, and what it wrote to its console."""
    if CHROMIUM is None:
        pytest.skip('Chromium is not installed (Debian: apt-get install chromium)')
    command = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr']
    done = subprocess.run(
        [*command, *options, path.as_uri()], capture_output=True, text=True, timeout=120
    )
    return done.stdout, [line for line in done.stderr.splitlines() if 'CONSOLE' in line]


COUNT = """<script>
document.body.dataset.shown = [...document.images].filter(i => i.naturalWidth > 30).length;
document.body.dataset.all = document.images.length;
</script></body>"""


def test_a_browser_shows_it(page, tmp_path):
    copy = tmp_path / 'copy.html'
    copy.write_text(page.read_text().replace('</body>', COUNT))
    dom, errors = browse(copy, '--dump-dom')
    assert errors == []
    assert missing(dom) == {}
    shown, total = (
        int(re.search(f'data-{key}="(\\d+)"', dom).group(1)) for key in ('shown', 'all')
    )
    assert shown == total > 12
    picture = tmp_path / 'report.png'
    browse(page, '--window-size=1200,4000', f'--screenshot={picture}')
    assert picture.stat().st_size > 100_000


def test_a_console_error_would_be_seen(tmp_path):
    bad = tmp_path / 'bad.html'
    bad.write_text('<body><script>nothing();</script></body>')
    assert 'nothing is not defined' in browse(bad, '--dump-dom')[1][0]
