#!/usr/bin/env bash
# Writes lock.txt: every package of pinned.txt and openmmlab.txt and what they need, for Python 3.10 to
# 3.13, with digests.   requirements/lock.sh UV [options of `uv pip compile`]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
uv=$1
shift

compile() {
  "$uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
  # shellcheck disable=SC2016  # backquotes of Markdown
  echo '# Written by `make lock`; install with pip --no-deps --require-hashes.'
  # The old file keeps the versions of packages that nothing pins.
  compile pinned.txt --output-file lock.txt "$@" >/dev/null
  cat lock.txt
  echo '# openmmlab.txt, whose own lists of needs are left out'
  compile openmmlab.txt --no-deps
} >"$new"
cat "$new" >lock.txt

# The oldest versions that runtime.txt, tests.txt and demo.txt allow, for the oldest Python.
{
  # shellcheck disable=SC2016
  echo '# Written by `make lock`; for `nox -s lowest`.'
  "$uv" pip compile --quiet --resolution lowest-direct --python-version 3.10 \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --override <(printf '%s\n' 'opencv-python; python_version < "3"' \
      'opencv-contrib-python; python_version < "3"') \
    runtime.txt tests.txt demo.txt openmmlab.txt \
    <(printf '%s\n' 'setuptools>=77,<81' 'importlib_metadata>=6' 'opencv-python-headless>=4.8')
} >"$new"
cat "$new" >lowest.txt
