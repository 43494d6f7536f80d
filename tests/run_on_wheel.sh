#!/usr/bin/env bash
# Builds the wheel, compares its code with the source, and runs the tests against it, from a directory
# without the package's source.
#   tests/run_on_wheel.sh PYTHON [options of pytest, or which tests]
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python=$1
[[ $python == */* && $python != /* ]] && python="$PWD/$python"
shift

aside=$(mktemp -d)
trap 'rm -rf -- "$aside"' EXIT
mkdir "$aside/source"
git -C "$root" ls-files -z --cached --others --exclude-standard |
  tar --create --directory "$root" --null --files-from - | tar --extract --directory "$aside/source"

"$python" -m pip wheel --quiet --no-deps --no-build-isolation \
  --wheel-dir "$aside/dist" "$aside/source"
"$python" -m pip install --quiet --no-deps --target "$aside/site" "$aside"/dist/*.whl

diff -r -x __pycache__ -x .mim "$aside/source/pmd_mmaction" "$aside/site/pmd_mmaction"

rm -rf "$aside"/source/{pmd_mmaction,build,*.egg-info}
cd "$aside/source"
export PYTHONPATH="$aside/site" # wins over an editable installation
"$python" -c 'import pmd_mmaction, sys; sys.exit(not pmd_mmaction.__file__.startswith(sys.argv[1]))' \
  "$aside/site"
# The scripts of benchmarks are no part of a wheel; runs that are killed, resumed or of several ranks
# depend on no installation and take long.
ignored=(--ignore=tests/benchmarks --ignore=tests/mutation --ignore=tests/hooks/nonfinite)
for run in accumulation averaged_weights bad_videos changed_resume communication crash damaged_files \
  difficulty disk_full elastic flexible_runner non_finite preemption ranks repeats two_runs worker_faults; do
  ignored+=("--ignore=tests/integration/test_$run.py")
done
"$python" -m pytest "${ignored[@]}" "$@"
