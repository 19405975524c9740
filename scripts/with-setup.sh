#!/usr/bin/env bash
# Makes this machine ready, then runs one of the project's commands.
# usage: scripts/with-setup.sh test|faults|local|chaos|bench [ARG ...]
set -euo pipefail
cd "$(dirname "$0")/.."
command=${1:?which command?}
shift
bash scripts/setup.sh "$command"
export PATH="$PATH:$PWD/.local/bin" # where the set-up puts a redis-server of its own, if it must
case $command in
  test) exec npx jest "$@" --selectProjects unit integration e2e ;;
  faults) exec npx jest --runInBand "$@" --selectProjects faults ;;
  local | chaos) exec node "dist/scripts/$command.js" "$@" ;;
  bench) exec node dist/bench/main.js "$@" ;;
  *) echo "with-setup: no command $command" >&2; exit 2 ;;
esac
