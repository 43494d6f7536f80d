#!/usr/bin/env bash
# Trains with one process per GPU on one or several machines.
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT for several machines; PYTHON.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
config=$1
gpus=$2
shift 2

tools="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The repository serves even where the package is not installed.
PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH

python=${PYTHON:-$(command -v python || command -v python3 || echo python)}
"$python" "$tools/environment.py" --help >/dev/null  # says so outside the environment

exec "$python" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$gpus" \
  "$tools/train.py" "$config" --launcher pytorch "$@"
