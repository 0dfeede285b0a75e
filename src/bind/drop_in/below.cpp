#include "bind/drop_in/below.hpp"

#include <dlfcn.h>
#include <link.h>

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace rondo::bind {

namespace {

// A library that was opened for itself, as by Python for a module, is not where dlsym() looks.
int look_into(dl_phdr_info* info, std::size_t, void* found) {
  const std::string path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  const std::size_t begin = path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1;
  const std::string file = path.substr(begin);
  if (file.rfind("libmpi.so", 0) != 0 && file.rfind("libmpich.so", 0) != 0 &&
      file.rfind("libpmpi.so", 0) != 0) {
    return 0;
  }
  void* library = dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr || dlsym(library, "PMPI_Init") == nullptr) return 0;
  *static_cast<void**>(found) = library;
  return 1;
}

void* library_below() {
  static void* const library = [] {
    void* found = nullptr;
    dl_iterate_phdr(look_into, &found);
    return found;
  }();
  return library;
}

template <class Function>
void find(Function& function, const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr && library_below() != nullptr) found = dlsym(library_below(), name);
  if (found == nullptr) {
    throw std::runtime_error(std::string("rondo: the MPI of this program has no ") + name);
  }
  function = reinterpret_cast<Function>(found);
}

Functions find_all() {
  Functions all;
#define RONDO_FIND(name, Name, parameters, arguments, glance) \
  find(all.name, "PMPI_" #Name);                              \
  find(all.i##name, "PMPI_I" #name);
  RONDO_MPI_COLLECTIVES(RONDO_FIND)
#undef RONDO_FIND
  find(all.initialized, "PMPI_Initialized");
  find(all.finalize, "PMPI_Finalize");
  find(all.comm_rank, "PMPI_Comm_rank");
  find(all.comm_size, "PMPI_Comm_size");
  find(all.comm_test_inter, "PMPI_Comm_test_inter");
  find(all.comm_free, "PMPI_Comm_free");
  find(all.comm_disconnect, "PMPI_Comm_disconnect");
  find(all.comm_call_errhandler, "PMPI_Comm_call_errhandler");
  find(all.iprobe, "PMPI_Iprobe");
  find(all.test, "PMPI_Test");
  find(all.get_library_version, "PMPI_Get_library_version");
  find(all.type_size_x, "PMPI_Type_size_x");
  find(all.type_get_extent, "PMPI_Type_get_extent");
  find(all.type_get_envelope, "PMPI_Type_get_envelope");
  find(all.type_get_contents, "PMPI_Type_get_contents");
  find(all.type_create_hindexed, "PMPI_Type_create_hindexed");
  find(all.type_commit, "PMPI_Type_commit");
  find(all.type_free, "PMPI_Type_free");
  find(all.pack, "PMPI_Pack");
  find(all.unpack, "PMPI_Unpack");
  find(all.reduce_local, "PMPI_Reduce_local");
  return all;
}

// Chains of "so many of that" only: in all others data may lie in another order than it is sent.
bool is_dense(MPI_Datatype type) {
  int integers = 0;
  int addresses = 0;
  int types = 0;
  int combiner = 0;
  const Functions& below = functions();
  if (below.type_get_envelope(type, &integers, &addresses, &types, &combiner) != MPI_SUCCESS) {
    return false;
  }
  if (combiner == MPI_COMBINER_NAMED) {
    MPI_Count size = 0;
    MPI_Aint begin = 0;
    MPI_Aint extent = 0;
    return below.type_size_x(type, &size) == MPI_SUCCESS &&
           below.type_get_extent(type, &begin, &extent) == MPI_SUCCESS && begin == 0 &&
           extent == size;
  }
  const bool is_chain = combiner == MPI_COMBINER_DUP || combiner == MPI_COMBINER_CONTIGUOUS;
  if (!is_chain || types != 1) return false;
  std::vector<int> integer(static_cast<std::size_t>(integers) + 1);
  std::vector<MPI_Aint> address(static_cast<std::size_t>(addresses) + 1);
  MPI_Datatype inner = {};
  if (below.type_get_contents(type, integers, addresses, types, integer.data(), address.data(),
                              &inner) != MPI_SUCCESS) {
    return false;
  }
  const bool dense = is_dense(inner);
  if (below.type_get_envelope(inner, &integers, &addresses, &types, &combiner) == MPI_SUCCESS &&
      combiner != MPI_COMBINER_NAMED) {
    below.type_free(&inner);
  }
  return dense;
}

}  // namespace

constinit std::atomic<const Functions*> found_functions = nullptr;

const Functions& find_functions() {
  static const Functions all = find_all();
  found_functions.store(&all, std::memory_order_release);
  return all;
}

void* symbol(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, name);
  if (found == nullptr && library_below() != nullptr) found = dlsym(library_below(), name);
  return found;
}

Mpi mpi_below() {
  const Functions& below = functions();
  return {below.type_size_x,  below.type_get_extent,
          below.pack,         below.unpack,
          below.reduce_local, below.type_create_hindexed,
          below.type_commit,  below.type_free,
          is_dense,           symbol};
}

}  // namespace rondo::bind
