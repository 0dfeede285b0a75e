#!/bin/sh
# All that is done on a machine with a device, in one call: build, test, look for bugs, measure.
#
# usage: cuda/campaign.sh [--emulated] [--build FOLDER] OUT
#   --build FOLDER   a build folder that is ready; without it, build/cuda-campaign is built
#   --emulated       on emulated devices: that the campaign itself works
#   OUT              the folder of the logs; summary.txt there has a line for each step
#
# A step that fails does not keep others from being done; each has a limit of time. What is not
# there, as a device or a tool, makes it skipped. The exit code is 0 where no step failed.

set -u
source_folder=$(cd "$(dirname "$0")/.." && pwd)
devices=cuda
folder=""
while [ $# -gt 1 ]; do
  case "$1" in
    --emulated) devices=emulated ;;
    --build)
      folder=$2
      shift
      ;;
    *) break ;;
  esac
  shift
done
if [ $# -ne 1 ] || [ "${1#-}" != "$1" ]; then
  sed -n '2,12s/^# \{0,1\}//p' "$0"
  exit 2
fi
out=$1
mkdir -p "$out"
: >"$out/summary.txt"
failed=0
has_device=1

say() {
  echo "$*" | tee -a "$out/summary.txt"
}

# step NAME SECONDS COMMAND...: its output goes to NAME.log
step() {
  name=$1
  limit=$2
  shift 2
  if [ "$has_device" = 0 ]; then
    say "$name: skipped: no device"
    return
  fi
  begin=$(date +%s)
  timeout "$limit" "$@" >"$out/$name.log" 2>&1
  status=$?
  took=$(($(date +%s) - begin))
  case $status in
    0) say "$name: passed, $took s" ;;
    77) say "$name: skipped: $(tail -n 1 "$out/$name.log")" ;;
    124) say "$name: FAILED: not done after $limit s" && failed=1 ;;
    *) say "$name: FAILED with $status, $took s: $(tail -n 1 "$out/$name.log")" && failed=1 ;;
  esac
}

# optional TOOL NAME SECONDS COMMAND...: a step with a tool that may not be there
optional() {
  if command -v "$1" >/dev/null; then
    shift
    step "$@"
  else
    say "$2: skipped: there is no $1"
  fi
}

# Of the devices at hand, as "90", with commas between several; nothing where nobody tells.
architectures() {
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d '. ' |
    grep -x '[0-9]*' | sort -n -u | paste -s -d ,
}

# Code for other devices would take most of the time.
set_up() {
  for_devices=$(architectures)
  meson setup "$folder" --buildtype release -Dcuda=enabled -Dmpi=disabled \
    ${for_devices:+"-Ddevice_architectures=$for_devices"}
}

build() {
  [ -f "$folder/build.ninja" ] || set_up || return 1
  ninja -C "$folder" cuda/librondo-cuda.so.0.1.0 tests/device/device_conformance_test \
    tests/device/device_graphs_test tests/device/device_kernels_test \
    tests/device/device_programs_test tests/device/device_collectives_test \
    tests/device/device_direct_test tests/device/device_capture_test \
    tests/device/device_paths_test tests/device/device_c_test \
    tests/device/measure_device src/cli/rondo bench/rondo-perf \
    examples/gpu_stream examples/train_digits/train_digits_gpu
}

say "devices: $devices; $(date -u +%Y-%m-%dT%H:%MZ); $(uname -srm)"
optional nvcc compiler 30 nvcc --version
if [ -z "$folder" ]; then
  folder=$source_folder/build/cuda-campaign
  build >"$out/build.log" 2>&1 || {
    say "build: FAILED: $(tail -n 1 "$out/build.log")"
    exit 1
  }
fi
export RONDO_PLUGIN_PATH="$folder/cuda"
programs=$folder/tests/device
"$programs/device_conformance_test" "$devices" --gtest_list_tests >"$out/device.log" 2>&1
if [ $? -eq 77 ]; then
  has_device=0
  say "device: none: $(tail -n 1 "$out/device.log")"
fi
optional nvidia-smi card 30 nvidia-smi -q

step conformance 120 "$programs/device_conformance_test" "$devices"
step graphs 120 "$programs/device_graphs_test" "$devices"
step kernels 120 "$programs/device_kernels_test" "$devices"
step programs 120 "$programs/device_programs_test" "$devices"
# Communicators load what they find there.
[ "$devices" = cuda ] || RONDO_PLUGIN_PATH=$programs/plugin
step collectives 120 "$programs/device_collectives_test" cuda
step c 120 "$programs/device_c_test" cuda
# Ask emulated devices what they have open.
[ "$devices" = cuda ] || step descriptors 120 env EMULATED_PROCESSES=1 \
  "$programs/device_descriptors_test" cuda
for order in streams kernels programs; do
  step "direct-$order" 120 env DEVICE_ORDER="$order" "$programs/device_direct_test" cuda
done
step capture 120 "$programs/device_capture_test" cuda
step paths 120 "$programs/device_paths_test" cuda
if [ "$devices" = cuda ]; then
  # Errors of calls are what some tests ask for.
  for ranks in 2 4 8; do
    for program in direct capture paths; do
      step "$program-$ranks-processes" 180 "$folder/src/cli/rondo" run -n "$ranks" -- \
        "$programs/device_${program}_test" cuda
    done
  done
  for program in kernels programs conformance graphs collectives direct capture; do
    # Kernels that wait for each other are tried with one program: where the tool carries out one
    # after the other they never end.
    optional compute-sanitizer "$program-memcheck" 240 env DEVICE_ORDER=streams \
      compute-sanitizer --tool memcheck --report-api-errors no --error-exitcode 1 \
      "$programs/device_${program}_test" cuda
  done
  for tool in racecheck initcheck; do
    for program in kernels programs; do
      optional compute-sanitizer "$program-$tool" 240 compute-sanitizer --tool "$tool" \
        --error-exitcode 1 "$programs/device_${program}_test" cuda
    done
  done
  step measure 120 "$programs/measure_device" cuda
  largest=256M
  most_packets=256K
  least_share=70
else
  step measure 120 "$programs/measure_device" emulated 16
  largest=4K
  most_packets=4K
  least_share=0
fi
step devices 60 "$folder/src/cli/rondo" topo
# Emulated devices of several processes know nothing of each other.
for ranks in 2 4; do
  begin_of="$folder/src/cli/rondo run -n $ranks --no-prefix --"
  through=""
  [ "$devices" = cuda ] || begin_of="" through="--transport inproc --ranks $ranks"
  # Both are lists of words.
  # shellcheck disable=SC2086
  step "perf-bound-$ranks" 300 $begin_of "$folder/bench/rondo-perf" allreduce --device -R 2 \
    $through -b "$largest" -e "$largest" --json "$out/perf-bound-$ranks.json"
done
step bound 30 "$source_folder/cuda/bound.py" "$least_share" "$out/measure.log" \
  "$out/perf-bound-2.json" "$out/perf-bound-4.json"
# What others do with as many bytes, where they run with several ranks on one device. That of rondo
# staged by the host are the steps perf-allreduce-2 and -4.
if [ "$devices" = cuda ]; then
  for ranks in 2 4; do
    for other in nccl gloo nccl-tests; do
      step "$other-$ranks" 120 python3 "$source_folder/cuda/beside.py" "$other" "$ranks" 268435456
    done
  done
fi
# All ranks have the devices of this host, in turns; by way of the host.
for ranks in 1 2 4 8; do
  step "perf-allreduce-$ranks" 300 "$folder/src/cli/rondo" run -n "$ranks" --no-prefix -- \
    "$folder/bench/rondo-perf" allreduce --device -b 4 -e "$largest" -f 4
done
# From device to device; emulated devices of several processes know nothing of each other.
for ranks in 2 4 8; do
  [ "$devices" = cuda ] || continue
  for reading in 1 2; do
    step "perf-allreduce-$ranks-R$reading" 300 "$folder/src/cli/rondo" run -n "$ranks" --no-prefix \
      -- "$folder/bench/rondo-perf" allreduce --device -R "$reading" -b 4 -e "$largest" -f 8
  done
done
# Both ways in which steps wait for each other: ranks that are threads of one process, and
# processes that have the device in turns, where kernels that wait are expected to take long.
for order in streams kernels; do
  for ranks in 2 4; do
    step "perf-allreduce-$ranks-threads-$order" 300 "$folder/bench/rondo-perf" allreduce --device \
      -R 1 --transport inproc --ranks "$ranks" --device-order "$order" -b 4 -e "$largest" -f 8
  done
  [ "$devices" = cuda ] || continue
  step "perf-allreduce-2-$order" 300 "$folder/src/cli/rondo" run -n 2 --no-prefix -- \
    "$folder/bench/rondo-perf" allreduce --device -R 1 --device-order "$order" -b 4 -e 64K -f 8
done
# Which sizes are worth packets.
for packets in 0 4K 256K; do
  step "perf-packets-$packets" 120 "$folder/bench/rondo-perf" allreduce --device -R 1 -z 1 \
    --transport inproc --ranks 4 --device-order kernels --device-packets "$packets" -b 4 \
    -e "$most_packets" -f 4
done
for collective in broadcast reduce allgather reduce_scatter alltoall; do
  step "perf-$collective" 300 "$folder/src/cli/rondo" run -n 2 --no-prefix -- \
    "$folder/bench/rondo-perf" "$collective" --device -b 4 -e "$largest" -f 64
done
# Calls, and launches of graphs of one call each; one after the other, and each alone.
for graph in 0 1; do
  for alone in 0 1; do
    step "perf-latency-G$graph-z$alone" 120 "$folder/src/cli/rondo" run -n 2 --no-prefix -- \
      "$folder/bench/rondo-perf" allreduce --device -b 4 -e 4K -f 4 -z "$alone" -G "$graph"
  done
done
# Also those of the paths between devices, which were measured above.
step costs 60 "$folder/src/cli/rondo" topo --costs
# They are made for CUDA's devices only.
if [ "$devices" = cuda ]; then
  for ranks in 1 2 4; do
    step "example-stream-$ranks" 60 "$folder/src/cli/rondo" run -n "$ranks" --no-prefix -- \
      "$folder/examples/gpu_stream"
  done
  step example-digits 300 "$source_folder/examples/train_digits/check_training.py" \
    "$folder/src/cli/rondo" "$folder/examples/train_digits/train_digits_gpu"
fi
exit "$failed"
