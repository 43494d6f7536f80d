"""Installation of the package; tools and settings are described in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CARRIED = ('configs', 'tools', 'model-index.yml')


class BuildWithConfigs(build_py):
    """Puts configs and tools into ``pmd_mmaction/.mim``, where MMEngine and mim look for them."""

    def run(self) -> None:
        """Copies them into the wheel; an editable installation reads them where they lie."""
        super().run()
        if not self.editable_mode:
            for source, target in self._carried():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)  # scripts stay executable

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Everything that ends in the wheel."""
        carried = [] if self.editable_mode else [str(target) for _, target in self._carried()]
        return [*super().get_outputs(include_bytecode), *carried]

    def _carried(self) -> list[tuple[Path, Path]]:
        """(source, target) of each file."""
        found = [path for name in CARRIED for path in (ROOT / name, *(ROOT / name).rglob('*'))]
        files = [path for path in found if path.is_file() and path.suffix != '.pyc']
        mim = Path(self.build_lib, 'pmd_mmaction', '.mim')
        return [(path, mim / path.relative_to(ROOT)) for path in files]


def read_version() -> str:
    """Reads the version without importing the package, whose needs may not be installed yet."""
    source = ROOT.joinpath('pmd_mmaction', 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", source, re.MULTILINE).group(1)


def read_requirements(name: str) -> list[str]:
    """Reads the lines of requirements/<name>.txt that are not comments."""
    lines = ROOT.joinpath('requirements', f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith('#')]


def read_readme() -> str:
    """Reads the description shown by package indices."""
    path = ROOT / 'README.md'
    return path.read_text(encoding='utf-8') if path.is_file() else ''


setup(
    name='pmd-mmaction',
    version=read_version(),
    description='Progressive Mask Distillation of video transformers as a plugin of MMAction2',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    author='pmd_mmaction authors',
    license='Apache-2.0',
    packages=find_packages(include=['pmd_mmaction', 'pmd_mmaction.*']),
    package_data={'pmd_mmaction.report': ['page.html']},
    cmdclass={'build_py': BuildWithConfigs},
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={
        # For an empty environment. Where MMAction2 is installed, leave it out: its lists lead to
        # two GUI builds of OpenCV, and mmcv-lite overwrites a complete mmcv.
        # `import pmd_mmaction` checks all three and names the remedy.
        'openmmlab': [
            'mmengine>=0.10.0,<1.0.0',
            'mmcv-lite>=2.0.0,<2.2.0',
            'mmaction2>=1.2.0,<2.0.0',
            # mmaction2 imports it without declaring it
            'importlib_metadata',
            # mmengine imports pkg_resources, which release 81 drops
            'setuptools<81',
        ],
        'tests': read_requirements('tests'),
        'demo': read_requirements('demo'),
        'dev': read_requirements('dev'),
        'docs': read_requirements('docs'),
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
