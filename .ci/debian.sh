# Sourced by examples/quickstart.sh and tests/run.sh: what rondo needs on Debian 12, by package.

build_packages="g++ meson ninja-build pkg-config python3 libhwloc-dev"
test_packages="$build_packages ccache libgtest-dev libbenchmark-dev iproute2 cmake clang-format-14
  clang-tidy-14 g++-aarch64-linux-gnu libopenmpi-dev openmpi-bin libmpich-dev mpich gfortran
  python3-mpi4py python3-pip python3-venv python3-dev"

# What the tests of the PyTorch backend need, in a virtual environment of this user.
torch_version=2.13.0
torch_folder="${XDG_CACHE_HOME:-$HOME/.cache}/rondo-tests/torch-$torch_version"

say() {
  printf '\n== %s\n' "$*"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "This needs root, and there is no sudo: $*" >&2
    return 1
  fi
}

is_installed() {
  dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed$'
}

# install_missing PACKAGE...: asks apt only for what is not there.
install_missing() {
  missing=""
  if ! command -v apt-get >/dev/null; then
    echo "This is not Debian. Please see to it that you have what these packages hold: $*"
    return 0
  fi
  for package in "$@"; do
    is_installed "$package" || missing="$missing $package"
  done
  if [ -z "$missing" ]; then
    echo "Everything is there: $*"
    return 0
  fi
  echo "Installing with apt:$missing"
  as_root apt-get update -qq
  # shellcheck disable=SC2086  # a list of packages
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Sets python_command: a Python with PyTorch, for the CPU only, which is installed once. Without one
# the tests that need it are skipped.
find_torch() {
  python_command=$torch_folder/bin/python
  if "$python_command" -c 'import torch, numpy, expecttest' 2>/dev/null; then return 0; fi
  echo "Installing PyTorch $torch_version for the CPU in $torch_folder (about 1 GB)"
  # The version says that it is the one for the CPU: others are several times as large.
  install="$torch_folder/bin/pip install --quiet torch==$torch_version+cpu numpy expecttest"
  python3 -m venv "$torch_folder" && {
    $install 2>/dev/null || $install --extra-index-url https://download.pytorch.org/whl/cpu
  } && return 0
  echo "PyTorch could not be installed: its tests, and those of NumPy arrays, are skipped"
  python_command=python3
}

# Compiles through ccache where it is installed, unless the caller has chosen compilers.
choose_compilers() {
  if command -v ccache >/dev/null; then
    : "${CC:=ccache gcc}" "${CXX:=ccache g++}"
    # Another clone finds what this one has compiled.
    : "${CCACHE_BASEDIR:=$PWD}" "${CCACHE_NOHASHDIR:=true}"
    export CC CXX CCACHE_BASEDIR CCACHE_NOHASHDIR
  fi
}

# configure FOLDER OPTION...: a build folder once made is used again.
configure() {
  folder=$1
  shift
  if [ -f "$folder/build.ninja" ]; then
    # Options that it was made without are known only when it is made anew.
    meson configure "$folder" "$@" 2>/dev/null || meson setup --reconfigure "$folder" "$@"
  else
    meson setup "$folder" "$@" >"$folder.log" 2>&1 || {
      cat "$folder.log"
      return 1
    }
  fi
}
