"""Where the configs and tools of the package lie."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
# The wheel carries them; of an editable installation they lie beside the package.
_ROOT = _HERE / '.mim' if (_HERE / '.mim').is_dir() else _HERE.parent
CONFIGS, TOOLS = _ROOT / 'configs', _ROOT / 'tools'
