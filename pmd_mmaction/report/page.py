"""The page itself."""

from datetime import datetime
from importlib import resources
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt

from pmd_mmaction.report.run import Run
from pmd_mmaction.report.sections import make_sections
from pmd_mmaction.storage.atomic_file import write_file


def write_report(run: Run, out: Path) -> Path:
    """Writes the page about a run, one file that needs no network.

    Args:
        run: the run, finished or in progress.
        out: the HTML file.

    Returns:
        ``out``.
    """
    plt.switch_backend('agg')
    template = resources.files(__package__).joinpath('page.html').read_text(encoding='utf-8')
    page = jinja2.Environment(autoescape=True, trim_blocks=True).from_string(template)
    made = datetime.now().strftime('%Y-%m-%d %H:%M')
    name = run.work_dir.resolve().name
    text = page.render(title=name, made=made, sections=make_sections(run))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_file(out, text.encode('utf-8', 'backslashreplace'))
    return out
