#!/bin/sh
# mpirun as the tests need it: more ranks than cores, also as root, with an MPI that finds its own
# host alone. `mpirun.sh RANKS PROGRAM…`
ranks=$1
shift
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Open MPI keeps memory until the process ends.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
exec mpirun --oversubscribe -np "$ranks" "$@"
