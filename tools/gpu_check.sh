#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One command on a machine with an NVIDIA card: builds glint for it (or takes binaries), runs every CUDA test, makes
# GLM-4.7-Flash's full shape with random weights, measures it, holds the memory plan against nvidia-smi, and prints one
# table, and one of the share of the card's limit that each op reaches. Ends within 9 minutes: what does not fit in them
# is reported as left out. Status 0: all is as it should be.
#
#   tools/gpu_check.sh [FOLDER]     FOLDER: glint and test_cuda* built elsewhere; without it they are built in build-gpu
#   MODEL=FILE tools/gpu_check.sh   measures this file instead of making one (17 GiB in .cache)
#   FLAGS="--force-generic" ...     more flags for every run of the bench
set -uo pipefail
cd "$(dirname "$0")/.." || exit

limit=530  # seconds for everything
folder=${1:-}
model=${MODEL:-.cache/glm-4.7-flash-q4_k_m.gguf}
read -ra flags <<< "${FLAGS:-}"
out=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$out"' EXIT
failed=0

left() { echo $((limit - SECONDS)); }
say() { echo "gpu_check: $* (${SECONDS} s)" >&2; }
row() { printf '| %-24s | %-38s | %-18s | %-8s |\n' "$@" >> "$out/table"; }
# check NAME FOUND WANTED STATUS
check() {
  local verdict=ok
  [ "$4" = 0 ] || { verdict=FAILED; failed=1; }
  row "$1" "$2" "$3" "$verdict"
}

if ! nvidia-smi >/dev/null 2>&1; then
  echo "gpu_check: nvidia-smi finds no card; nothing was checked" >&2
  exit 77
fi
card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader -i 0)

if [ -z "$folder" ]; then
  folder=build-gpu
  say "building for this card"
  { tools/setup.sh build && tools/setup.sh test &&
    cmake -S . -B build-gpu -G Ninja -DGLINT_CUDA=ON -DGLINT_CUDA_ARCHITECTURES=native && ninja -C build-gpu glint; } > "$out/build" 2>&1 ||
    { tail -30 "$out/build" >&2; exit 1; }
fi

made=
if [ ! -s "$model" ]; then
  say "making $model in the background"
  mkdir -p "$(dirname "$model")"
  "$folder/glint" synth glm-4.7-flash --type q4_k_m -o "$model" > "$out/synth" 2>&1 &
  made=$!
fi

if [ "$folder" = build-gpu ]; then
  say "building the tests"
  ninja -C build-gpu test_cuda test_cuda_model test_cuda_engine test_cuda_roofline > "$out/build" 2>&1 || { tail -30 "$out/build" >&2; exit 1; }
fi

for program in test_cuda test_cuda_model test_cuda_engine test_cuda_roofline; do
  if [ ! -x "$folder/$program" ]; then
    check "$program" "not there" "passes" 1
    continue
  fi
  say "$program"
  timeout 150 "$folder/$program" > "$out/$program" 2>&1
  status=$?
  [ $status = 0 ] || grep -E "FAILED|Failure|error" "$out/$program" | head -20 >&2
  # What was skipped was not checked.
  passed=$(grep -c '^\[       OK ' "$out/$program")
  skipped=$(grep -c '^\[  SKIPPED \] .*ms)' "$out/$program")
  check "$program" "$passed passed, $skipped skipped" "passes" $status
done

if [ -n "$made" ]; then
  say "waiting for $model"
  wait "$made" || { cat "$out/synth" >&2; exit 1; }
fi

# field NAME: that column of csv lines on stdin, the first line naming them.
field() {
  awk -v name="$1" 'NR == 1 { n = split($0, names, ","); for (i = 1; i <= n; ++i) if (names[i] == name) column = i; next }
    { gsub(/^"|"$/, ""); split($0, values, "\",\""); print values[column] }'
}

# bench LOG FLAGS...: csv in $out/LOG; nvidia-smi's most used MiB meanwhile in $out/LOG.used
bench() {
  local log=$1 most=0 used
  shift
  if [ "$(left)" -lt 30 ]; then return 1; fi
  say "bench $*"
  timeout "$(left)" "$folder/glint" bench -m "$model" -dev CUDA0 -r 3 -o csv "$@" "${flags[@]}" > "$out/$log" 2> "$out/$log.err" &
  local run=$!
  while kill -0 $run 2>/dev/null; do
    used=$(nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -i 0)
    [ "$used" -gt "$most" ] && most=$used
    sleep 0.3
  done
  wait $run || { tail -5 "$out/$log.err" >&2; return 1; }
  echo "$most" > "$out/$log.used"
}

# speeds LOG TEST WANTED [TEST WANTED]...: rows of the table.
speeds() {
  local log=$1 line rate deviation share percent slow
  shift
  while [ $# -gt 0 ]; do
    line=$(paste -d'\t' <(field test < "$out/$log") <(field avg_ts < "$out/$log") <(field stddev_ts < "$out/$log") \
      <(field limit_share < "$out/$log") 2>/dev/null | awk -F'\t' -v test="$1" '$1 == test')
    if [ -z "$line" ]; then
      check "$1" "left out" ">= $2 t/s" 1
    else
      IFS=$'\t' read -r _ rate deviation share <<< "$line"
      percent=$(awk -v s="$share" 'BEGIN { printf "%.0f", s * 100 }')
      slow=$(awk -v a="$rate" -v b="$2" 'BEGIN { print !(a >= b) }')
      check "$1" "$(printf '%.1f +- %.1f t/s, %s %% of limit' "$rate" "$deviation" "$percent")" ">= $2 t/s" "$slow"
    fi
    shift 2
  done
}

bench short -ub 2048 -p 512,2048,8192 -n 128
speeds short pp512 9000 pp2048 16000 pp8192 16000 tg128 400
bench middle -ub 2048 -p 0 -n 64 -d 8192
speeds middle "tg64 @ d8192" 330
bench long -ub 2048 -p 2048 -n 64 -d 32768
speeds long "tg64 @ d32768" 250 "pp2048 @ d32768" 8000

for log in short long; do
  [ -s "$out/$log.used" ] || continue
  planned=$(awk -v a="$(field memory_used_before < "$out/$log" | head -1)" -v b="$(field memory_planned < "$out/$log" | head -1)" \
    'BEGIN { printf "%.0f", (a + b) / 1048576 }')
  used=$(cat "$out/$log.used")
  apart=$(awk -v a="$used" -v b="$planned" 'BEGIN { printf "%.2f", 100 * (a - b) / b }')
  awk -v p="$apart" 'BEGIN { exit !(p <= 2 && p >= -2) }'
  check "memory, $log" "$used MiB, $apart %" "$planned MiB planned" $?
done

echo
echo "$card, $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)${FLAGS:+, $FLAGS}, ${SECONDS} s"
printf '| %-24s | %-38s | %-18s | %-8s |\n' check found wanted ""
printf '|%s|%s|%s|%s|\n' "$(printf -- '-%.0s' {1..26})" "$(printf -- '-%.0s' {1..40})" "$(printf -- '-%.0s' {1..20})" "$(printf -- '-%.0s' {1..10})"
cat "$out/table"
echo
grep '^|' "$out/test_cuda_roofline" 2>/dev/null
exit $failed
