"""Where the configs and tools of the package lie, and how a tool reads a config."""

from pathlib import Path

from mmengine.config import Config

_HERE = Path(__file__).resolve().parent
# The wheel carries them; of an editable installation they lie beside the package.
_ROOT = _HERE / '.mim' if (_HERE / '.mim').is_dir() else _HERE.parent
CONFIGS, TOOLS = _ROOT / 'configs', _ROOT / 'tools'


def read_config(path: str | Path) -> Config:
    """Reads a config that a user names.

    Raises:
        SystemExit: if it, or a base of it, does not exist or is not a config.
    """
    try:
        return Config.fromfile(path)
    except FileNotFoundError as error:
        remedy = '`python -m pmd_mmaction configs` lists the configs'
        raise SystemExit(f'there is no file {error.filename or path}: {remedy}') from None
    except (SyntaxError, OSError) as error:
        raise SystemExit(f'{path}: {error}') from None
