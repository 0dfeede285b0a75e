#!/bin/sh
# Builds and tests everything, from a fresh clone of the project on Debian 12.
#
# usage: tests/run.sh [--quick]
#   --quick   the release build and its fast tests only: for the inner loop
#
# Installs missing packages with apt, and PyTorch with pip in a folder of the user's cache. Builds
# in build/. The last line is "N passed, N failed, N skipped".

set -eu
cd "$(dirname "$0")/.."
. .ci/debian.sh

quick=no
case "${1:-}" in
  "") ;;
  --quick) quick=yes ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

# Many tests wait for each other's ranks, or for time to pass.
: "${MESON_TESTTHREADS:=$(($(nproc) + 1))}"
export MESON_TESTTHREADS

passed=0
failed=0
skipped=0
runner=""  # a command that runs the tests in a special way

# run_tests NAME FOLDER ARGUMENT... runs the tests of a build and adds up what Meson reports.
run_tests() {
  say "Testing: $1"
  shift
  folder=$1
  shift
  # shellcheck disable=SC2086  # a command with arguments, or nothing
  { $runner meson test -C "$folder" --print-errorlogs "$@" || true; } 2>&1 | tee "$folder.tests"
  count() {
    awk -F: -v what="$1" '$1 ~ what { n += $2 } END { print n + 0 }' "$folder.tests"
  }
  good=$(count '^(Ok|Expected Fail) *$')
  bad=$(count '^(Fail|Unexpected Pass|Timeout) *$')
  if [ $((good + bad)) -eq 0 ]; then bad=1; fi
  passed=$((passed + good))
  failed=$((failed + bad))
  skipped=$((skipped + $(count '^Skipped *$')))
}

# build NAME FOLDER OPTION...: false when it does not build, which counts as one failure.
build() {
  say "Building: $1"
  shift
  if configure "$@" && ninja -C "$1"; then return 0; fi
  failed=$((failed + 1))
  return 1
}

finish() {
  printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [ "$failed" -eq 0 ]
  exit
}

# GCC's ThreadSanitizer cannot cope with the address layout of some kernels; without
# randomisation it can.
without_randomisation=""
if setarch "$(uname -m)" -R true 2>/dev/null; then
  without_randomisation="setarch $(uname -m) -R"
fi

say "Checking what the build and the tests need"
mkdir -p build
# shellcheck disable=SC2086  # a list of packages
install_missing $test_packages
choose_compilers
find_torch

# Without a device, that the code compiles is all that there is to see.
architectures=80
if [ -e /dev/nvidiactl ]; then architectures=80,90; fi

build_release() {
  build "release" build/release --buildtype release "-Dpython_command=$python_command" \
    -Ddevice_architectures=$architectures
}

if [ "$quick" = yes ]; then
  if build_release; then
    run_tests "release, fast tests" build/release --no-suite consumer --no-suite clang-tidy \
      --no-suite exhaustive --no-suite examples --no-suite torch --no-suite aarch64
  fi
  finish
fi

if build_release; then run_tests "release, everything" build/release; fi

# Meson builds what the chosen tests need. Warnings have been errors in the release build, which
# compiles each file alone, too; with instrumented code the compiler's flow analysis sees ghosts.
sanitized="--buildtype debugoptimized --optimization 1 -Ddefault_library=static -Dbench=disabled
  -Dexamples=disabled -Dpython=disabled -Dwerror=false -Dcpp_args=-g1 -Dgrouped=true
  -Dcuda=disabled"
threaded="--suite api --suite device --suite execute --suite transport"
core="$threaded --suite base --suite bootstrap --suite check --suite cli --suite launch
  --suite plan --suite schedule --suite sim --suite topology --suite mpi"

say "Configuring: AddressSanitizer, UBSan"
# shellcheck disable=SC2086  # lists of arguments
if configure build/asan -Db_sanitize=address,undefined $sanitized; then
  UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1 \
    run_tests "AddressSanitizer, UBSan: the core" build/asan --timeout-multiplier 5 $core
else
  failed=$((failed + 1))
fi

say "Configuring: ThreadSanitizer"
# shellcheck disable=SC2086  # lists of arguments
if configure build/tsan -Db_sanitize=thread $sanitized; then
  runner=$without_randomisation
  TSAN_OPTIONS=halt_on_error=1 \
    run_tests "ThreadSanitizer: what has threads" build/tsan --timeout-multiplier 10 $threaded \
    --no-suite one_thread
else
  failed=$((failed + 1))
fi

finish
