#!/usr/bin/env bash
# Evaluates with one process per GPU on one or several machines.
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT for several machines; PYTHON.
set -euo pipefail

if [[ $# -lt 3 ]]; then
  sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
config=$1
checkpoint=$2
gpus=$3
shift 3

tools="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The repository serves even where the package is not installed.
PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH

python=${PYTHON:-$(command -v python || command -v python3 || echo python)}
"$python" "$tools/environment.py" --help >/dev/null  # says so outside the environment

# One machine needs no port, which a second evaluation would want as well.
one=()
[[ ${NNODES:-1} == 1 && -z ${PORT:-} ]] && one+=(--standalone --local-addr=127.0.0.1)

exec "$python" -m torch.distributed.run \
  ${one[@]+"${one[@]}"} \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$gpus" \
  "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
