#!/usr/bin/env bash
# Trains with one process per GPU on one or several machines.
#   tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Environment: NNODES, MASTER_ADDR (one of the machines), PORT for several; MAX_RESTARTS (0); PYTHON.
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

nnodes=${NNODES:-1}
address=${MASTER_ADDR:-127.0.0.1}
restarts=${MAX_RESTARTS:-0}
options=()
port=${PORT:-29500}
if [[ $nnodes == 1 ]]; then
  # One machine needs no name that others can resolve, and no port: with the same one a second
  # training would wait for the first.
  options+=(--local-addr="$address")
  port=${PORT:-0}
fi
# Each start gets a store of its own: in a shared one gloo finds the addresses of lost processes.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
# A scheduler's warning reaches the ranks, which save; they have two minutes instead of 30 seconds.
export PET_SIGNALS_TO_HANDLE=${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-120}
resume=()
# What is started again goes on where it stopped.
[[ $restarts != 0 ]] && resume+=(--resume)

exec "$python" -m torch.distributed.run \
  --nnodes="$nnodes" \
  --rdzv-backend=c10d \
  --rdzv-endpoint="$address:$port" \
  --rdzv-id="$port" \
  --max-restarts="$restarts" \
  ${options[@]+"${options[@]}"} \
  --nproc_per_node="$gpus" \
  "$tools/train.py" "$config" --launcher pytorch ${resume[@]+"${resume[@]}"} "$@"
