"""Most of the tests, run on the wheel, for each supported Python and for the oldest dependencies.

pip install nox
nox                     # everything; Python 3.10 to 3.13 must be on the PATH
nox -s tests-3.12 -- tests/functional
"""

import nox

nox.options.default_venv_backend = 'venv'
PYTHONS = ('3.10', '3.11', '3.12', '3.13')


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The exact versions of requirements/lock.txt."""
    _run(session, 'requirements/lock.txt', '--require-hashes')


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The lower bounds of requirements/*.txt."""
    # PyTorch 2.8 starts CUDA for the fake CUDA tensors of these, which fails without a driver.
    for file in ('integration/test_device.py', 'benchmarks/test_memory_on_gpu.py'):
        session.posargs.append(f'--ignore=tests/{file}')
    _run(session, 'requirements/lowest.txt')


def _run(session: nox.Session, versions: str, *options: str) -> None:
    session.install('--no-deps', *options, '-r', versions)
    arguments = ['-n', '2', *session.posargs]
    session.run(
        *('bash', 'tests/run_on_wheel.sh', 'python', *arguments),
        env=dict(OMP_NUM_THREADS='1'),
        external=True,
    )
