// The component's half that knows rondo.

#include <climits>
#include <memory>
#include <new>

#include "bind/drop_in/calls.hpp"
#include "bind/drop_in/drop_in.hpp"
#include "bind/drop_in/gathering.hpp"
#include "bind/drop_in/member.hpp"
#include "bind/drop_in/module.h"

namespace {

using namespace rondo::bind;

// What lives from the component's opening to its closing.
struct Component {
  DropIn drop_in{read_settings(environment), "component"};
  std::unique_ptr<Handles> handles;
};
std::unique_ptr<Component> component;  // NOLINT: Open MPI has no place for it

bool is_dense(MPI_Datatype type) {
  return rondo_component_is_dense(type) != 0;
}

std::string version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  if (PMPI_Get_library_version(text, &length) != MPI_SUCCESS) return "Open MPI";
  const std::string all(text, static_cast<std::size_t>(length));
  return all.substr(0, all.find(','));
}

// Types cannot be asked for before MPI_Init has ended, so not when the first communicators are
// made.
void make_handles() {
  component->handles = std::make_unique<Handles>(
      Mpi{PMPI_Type_size_x, PMPI_Type_get_extent, PMPI_Pack, PMPI_Unpack, PMPI_Reduce_local,
          PMPI_Type_create_hindexed, PMPI_Type_commit, PMPI_Type_free, is_dense, nullptr});
}

struct Below {
  const rondo_previous& previous;
  MPI_Comm communicator;

  void put_back(Kind kind) const {
    rondo_component_put_back(&previous, communicator, static_cast<rondo_kind>(kind));
  }
#define RONDO_BELOW(name, Name, parameters, arguments, glance)              \
  int name parameters const {                                               \
    return previous.name(RONDO_MPI_LIST arguments, previous.name##_module); \
  }
  RONDO_MPI_COLLECTIVES(RONDO_BELOW)
#undef RONDO_BELOW
};

Surroundings surroundings(const rondo_previous* previous, const rondo_left_table& left,
                          MPI_Comm comm) {
  Surroundings around;
  around.rank = left.rank;
  around.size = left.ranks;
  around.progress = rondo_component_progress;
  around.fail = [] { return MPI_ERR_OTHER; };  // Open MPI calls the handler
  around.exchange = [previous, comm](const void* mine, void* all, std::size_t bytes) {
    const int count = static_cast<int>(bytes);
    return bytes <= INT_MAX && previous->allgather(mine, count, MPI_BYTE, all, count, MPI_BYTE,
                                                   comm, previous->allgather_module) == MPI_SUCCESS;
  };
  return around;
}

}  // namespace

struct rondo_member {
  Below below;
  rondo_left_table& left;
  Member member;

  rondo_member(const rondo_previous* previous, rondo_left_table& table, MPI_Comm comm)
      : below{*previous, comm},
        left(table),
        member(component->drop_in, surroundings(previous, table, comm)) {}

  Calls<Below> calls() {
    if (!component->handles) [[unlikely]]
      make_handles();
    return {*component->handles, member, below, left};
  }
};

int rondo_component_open() {
  try {
    if (!component) component = std::make_unique<Component>();
    return 1;
  } catch (const std::exception&) {
    return 0;
  }
}

int rondo_component_is_on(int rank, int ranks) {
  component->drop_in.introduce(rank, ranks, version());
  return component->drop_in.is_on() ? 1 : 0;
}

void rondo_component_gather() {
  component->drop_in.gather([](const void* mine, void* all, std::size_t bytes) {
    int ranks = 1;
    PMPI_Comm_size(MPI_COMM_WORLD, &ranks);
    return gather_in_time(PMPI_Igather, PMPI_Test, MPI_COMM_WORLD, MPI_BYTE, mine, all, bytes,
                          static_cast<std::size_t>(ranks));
  });
}

void rondo_component_close() {
  if (component) component->drop_in.end();
  component.reset();
}

rondo_member* rondo_member_make(const rondo_previous* previous, rondo_left_table* left,
                                MPI_Comm comm) {
  try {
    return new rondo_member(previous, *left, comm);
  } catch (const std::exception&) {
    return nullptr;
  }
}

void rondo_member_free(rondo_member* member) {
  delete member;
}

int rondo_component_counts() {
  return component->drop_in.settings().counts() ? 1 : 0;
}

void rondo_member_count_nonblocking(rondo_member* member, rondo_kind kind) {
  member->member.count(static_cast<Kind>(kind), Reason::nonblocking);
}

void rondo_member_count_persistent(rondo_member* member, rondo_kind kind) {
  member->member.count(static_cast<Kind>(kind), Reason::persistent);
}

#define RONDO_CALL(name, Name, parameters, arguments, glance)              \
  int rondo_coll_##name(rondo_member* member, RONDO_MPI_LIST parameters) { \
    return member->calls().name arguments;                                 \
  }
RONDO_MPI_COLLECTIVES(RONDO_CALL)
