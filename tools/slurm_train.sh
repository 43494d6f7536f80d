#!/usr/bin/env bash
# Trains as a Slurm job with one task per GPU.
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (workers + 1), SRUN_ARGS, MASTER_PORT, PYTHON.
# SRUN_ARGS=--signal=USR1@120 saves two minutes before the time limit; docs/scaling.md has a batch
# script that is queued again (sbatch --requeue).
set -euo pipefail

if [[ $# -lt 3 ]]; then
  sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
partition=$1
job_name=$2
config=$3
shift 3

tools="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The repository serves even where the package is not installed.
PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH

gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
# Jobs on one machine must not meet at the same port.
export MASTER_PORT="${MASTER_PORT:-$((12000 + RANDOM % 20000))}"
python=${PYTHON:-$(command -v python || command -v python3 || echo python)}
cpus=${CPUS_PER_TASK:-$("$python" "$tools/environment.py" train "$config" "$@")}
# Several options in one variable: splitting at blanks is wanted here and nowhere else.
read -r -a srun_args <<<"${SRUN_ARGS:-}"

exec srun -p "$partition" \
  --job-name="$job_name" \
  --gres="gpu:$gpus_per_node" \
  --ntasks="$gpus" \
  --ntasks-per-node="$gpus_per_node" \
  --cpus-per-task="$cpus" \
  --kill-on-bad-exit=1 \
  ${srun_args[@]+"${srun_args[@]}"} \
  "$python" -u "$tools/train.py" "$config" --launcher slurm "$@"
