#!/bin/sh
# From a fresh clone to a training run on four processes, on Debian 12.
#
# usage: examples/quickstart.sh
#
# Installs what is missing with apt, builds in build/quickstart, installs into build/install.

set -eu
cd "$(dirname "$0")/.."
. .ci/debian.sh

say "1. What the build needs"
# shellcheck disable=SC2086  # a list of packages
install_missing $build_packages
choose_compilers

say "2. Building rondo, and installing it into build/install (a minute or two)"
mkdir -p build
configure build/quickstart --prefix "$PWD/build/install" --buildtype release -Dtests=disabled
ninja -C build/quickstart
meson install -C build/quickstart --no-rebuild --quiet
PATH="$PWD/build/install/bin:$PATH"

say "3. Training on handwritten digits: 4 processes, gradients summed by rondo"
rondo run -n 4 --no-prefix \
  train_digits --save build/digits-model

say "4. How fast an allreduce is, between 4 processes on this machine"
rondo run -n 4 --no-prefix rondo-perf allreduce -b 1K -e 4M -f 8

say "5. The schedule behind it: a ring of 4 ranks"
rondo draw ring allreduce 4

say "Done. Next: examples/hello.cpp, or put build/install/bin into your PATH."
