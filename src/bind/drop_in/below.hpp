#pragma once

// The MPI below a preloaded library, found at run time: linking it would load it into every process
// that is started with the library, also those that have nothing to do with MPI.

#include <mpi.h>

#include <atomic>

#include "bind/drop_in/collectives.h"
#include "bind/drop_in/handles.hpp"

namespace rondo::bind {

/// The functions of the MPI below under their PMPI names.
struct Functions {
#define RONDO_FUNCTION(name, Name, parameters, arguments, glance) \
  int(*name) parameters = nullptr;                                \
  int (*i##name)(RONDO_MPI_LIST parameters, MPI_Request*) = nullptr;
  RONDO_MPI_COLLECTIVES(RONDO_FUNCTION)
#undef RONDO_FUNCTION
  decltype(&PMPI_Initialized) initialized = nullptr;
  decltype(&PMPI_Finalize) finalize = nullptr;
  decltype(&PMPI_Comm_rank) comm_rank = nullptr;
  decltype(&PMPI_Comm_size) comm_size = nullptr;
  decltype(&PMPI_Comm_test_inter) comm_test_inter = nullptr;
  decltype(&PMPI_Comm_free) comm_free = nullptr;
  decltype(&PMPI_Comm_disconnect) comm_disconnect = nullptr;
  decltype(&PMPI_Comm_call_errhandler) comm_call_errhandler = nullptr;
  decltype(&PMPI_Iprobe) iprobe = nullptr;
  decltype(&PMPI_Test) test = nullptr;
  decltype(&PMPI_Get_library_version) get_library_version = nullptr;
  decltype(&PMPI_Type_size_x) type_size_x = nullptr;
  decltype(&PMPI_Type_get_extent) type_get_extent = nullptr;
  decltype(&PMPI_Type_get_envelope) type_get_envelope = nullptr;
  decltype(&PMPI_Type_get_contents) type_get_contents = nullptr;
  decltype(&PMPI_Type_create_hindexed) type_create_hindexed = nullptr;
  decltype(&PMPI_Type_commit) type_commit = nullptr;
  decltype(&PMPI_Type_free) type_free = nullptr;
  decltype(&PMPI_Pack) pack = nullptr;
  decltype(&PMPI_Unpack) unpack = nullptr;
  decltype(&PMPI_Reduce_local) reduce_local = nullptr;
};

/// Null before the first call.
extern std::atomic<const Functions*> found_functions;
/// Ends the process where there is no MPI below, since then nobody can carry out what the program
/// asks for.
const Functions& find_functions();
inline const Functions& functions() {
  const Functions* found = found_functions.load(std::memory_order_acquire);
  return found != nullptr ? *found : find_functions();
}
/// Where Open MPI keeps what a handle stands for; null where it has no such thing.
void* symbol(const char* name);

/// What the files of handles need.
Mpi mpi_below();

#if defined(RONDO_MPI_BY_SYMBOL)
inline MPI_Comm comm_world() {
  static const auto world = static_cast<MPI_Comm>(symbol("ompi_mpi_comm_world"));
  return world;
}
inline MPI_Comm comm_self() {
  static const auto self = static_cast<MPI_Comm>(symbol("ompi_mpi_comm_self"));
  return self;
}
inline MPI_Comm comm_null() {
  static const auto null = static_cast<MPI_Comm>(symbol("ompi_mpi_comm_null"));
  return null;
}
inline MPI_Datatype byte_type() {
  static const auto byte = static_cast<MPI_Datatype>(symbol("ompi_mpi_byte"));
  return byte;
}
#else
inline MPI_Comm comm_world() {
  return MPI_COMM_WORLD;
}
inline MPI_Comm comm_self() {
  return MPI_COMM_SELF;
}
inline MPI_Comm comm_null() {
  return MPI_COMM_NULL;
}
inline MPI_Datatype byte_type() {
  return MPI_BYTE;
}
#endif

}  // namespace rondo::bind
