"""Installation of the package; tools and settings are described in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


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
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={
        # An extra and not a need: who has MMAction2 keeps what she has, and pip would follow its
        # list to two builds of OpenCV with windows. No mmcv either: mmcv and mmcv-lite own the
        # same files, and only the user knows which one she wants. `import pmd_mmaction` checks
        # all three and names the remedy.
        'openmmlab': [
            'mmengine>=0.10.0,<1.0.0',
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
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
