// Every collective that moves data × types × counts × in place or not × forms, with types that
// differ between the ranks, on communicators of all kinds. In C++, which calls C. Writes what each
// rank gets to a file.

#include <numeric>
#include <string>
#include <vector>

#include "forms.h"
#include "report.h"

namespace {

// Columns of a matrix in one rank are numbers in a row in another.
constexpr int stride = 3;

struct World {
  MPI_Comm comm;
  std::string name;
  int rank = 0;
  int size = 0;

  World(MPI_Comm of, std::string called) : comm(of), name(std::move(called)) {
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
  }
};

class Column {
 public:
  Column() {
    MPI_Datatype vector;
    MPI_Type_vector(1, 1, stride, MPI_INT, &vector);
    MPI_Type_create_resized(vector, 0, stride * sizeof(int), &type_);
    MPI_Type_commit(&type_);
    MPI_Type_free(&vector);
  }
  ~Column() { MPI_Type_free(&type_); }
  MPI_Datatype type() const { return type_; }

 private:
  MPI_Datatype type_;
};

std::vector<int> numbers(std::size_t count, int seed) {
  std::vector<int> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<int>(i) * 31 + seed * 1009;
  return all;
}

void show(const World& world, const std::string& what, int count, const std::vector<int>& got) {
  const std::string line = world.name + " " + what + " " + std::to_string(count) + form_names[form];
  report_bytes(line.c_str(), got.data(), got.size() * sizeof(int));
}

// `columns`: this rank's elements lie apart, as every other rank's do.
void move_all_ways(const World& world, int count, bool columns) {
  const Column column;
  const bool apart = columns && world.rank % 2 == 1;
  const MPI_Datatype type = apart ? column.type() : MPI_INT;
  const std::size_t step = apart ? stride : 1;
  const auto ranks = static_cast<std::size_t>(world.size);
  const auto own = static_cast<std::size_t>(count);
  const int root = (count + 1) % world.size;
  const bool is_root = world.rank == root;
  const std::string kind = columns ? "columns" : "row";

  std::vector<int> buffer = numbers(own * step, is_root ? 5 : 6);
  COLLECTIVE(Bcast, bcast, buffer.data(), count, type, root, world.comm);
  show(world, "bcast " + kind, count, buffer);

  for (const bool in_place : {false, true}) {
    const std::string how = kind + (in_place ? " in place" : "");
    const std::vector<int> mine = numbers(own * step, world.rank);
    const std::vector<int> for_all = numbers(own * step * ranks, world.rank);
    std::vector<int> all(own * step * ranks, -1);
    std::copy(mine.begin(), mine.end(),
              all.begin() + static_cast<std::ptrdiff_t>(own * step) * world.rank);
    const void* given = in_place ? MPI_IN_PLACE : mine.data();
    COLLECTIVE(Allgather, allgather, given, count, type, all.data(), count, type, world.comm);
    show(world, "allgather " + how, count, all);

    std::fill(all.begin(), all.end(), -1);
    std::copy(mine.begin(), mine.end(),
              all.begin() + static_cast<std::ptrdiff_t>(own * step) * world.rank);
    COLLECTIVE(Gather, gather, in_place && is_root ? MPI_IN_PLACE : mine.data(), count, type,
               all.data(), count, type, root, world.comm);
    if (is_root) show(world, "gather " + how, count, all);

    std::vector<int> part(own * step, -1);
    COLLECTIVE(Scatter, scatter, for_all.data(), count, type,
               in_place && is_root ? MPI_IN_PLACE : static_cast<void*>(part.data()), count, type,
               root, world.comm);
    show(world, "scatter " + how, count, part);

    all = for_all;
    std::vector<int> exchanged(own * step * ranks, -1);
    std::vector<int>& target = in_place ? all : exchanged;
    COLLECTIVE(Alltoall, alltoall, in_place ? MPI_IN_PLACE : all.data(), count, type, target.data(),
               count, type, world.comm);
    show(world, "alltoall " + how, count, target);
  }
}

// Rank r has count + r elements, with gaps between the blocks, in descending order.
void move_uneven(const World& world, int count) {
  std::vector<int> counts(static_cast<std::size_t>(world.size));
  std::vector<int> places(counts.size());
  for (int r = 0; r < world.size; ++r)
    counts[static_cast<std::size_t>(r)] = count > 0 ? count + r : r % 2;
  int end = 2;
  for (int r = world.size - 1; r >= 0; --r) {
    places[static_cast<std::size_t>(r)] = end;
    end += counts[static_cast<std::size_t>(r)] + 3;
  }
  const auto whole = static_cast<std::size_t>(end);
  const int own = counts[static_cast<std::size_t>(world.rank)];
  const int place = places[static_cast<std::size_t>(world.rank)];
  const int root = world.size - 1;
  const bool is_root = world.rank == root;
  for (const bool in_place : {false, true}) {
    const std::string how = in_place ? "uneven in place" : "uneven";
    const std::vector<int> mine = numbers(static_cast<std::size_t>(own), world.rank);
    std::vector<int> all(whole, -1);
    std::copy(mine.begin(), mine.end(), all.begin() + place);
    const std::vector<int> before = all;
    COLLECTIVE(Allgatherv, allgatherv, in_place ? MPI_IN_PLACE : mine.data(), own, MPI_INT,
               all.data(), counts.data(), places.data(), MPI_INT, world.comm);
    show(world, "allgatherv " + how, count, all);

    all = before;
    COLLECTIVE(Gatherv, gatherv, in_place && is_root ? MPI_IN_PLACE : mine.data(), own, MPI_INT,
               all.data(), counts.data(), places.data(), MPI_INT, root, world.comm);
    if (is_root) show(world, "gatherv " + how, count, all);

    const std::vector<int> for_all = numbers(whole, world.rank + 50);
    std::vector<int> part(static_cast<std::size_t>(own), -1);
    COLLECTIVE(Scatterv, scatterv, for_all.data(), counts.data(), places.data(), MPI_INT,
               in_place && is_root ? MPI_IN_PLACE : static_cast<void*>(part.data()), own, MPI_INT,
               root, world.comm);
    show(world, "scatterv " + how, count, part);
  }
  // Rank r sends count + (r + s) % 3 elements to rank s.
  std::vector<int> given(counts.size());
  std::vector<int> given_places(counts.size());
  int length = 1;
  for (int r = 0; r < world.size; ++r) {
    given[static_cast<std::size_t>(r)] = count + (r + world.rank) % 3;
    given_places[static_cast<std::size_t>(r)] = length;
    length += given[static_cast<std::size_t>(r)] + 1;
  }
  const std::vector<int> sent = numbers(static_cast<std::size_t>(length), world.rank);
  std::vector<int> got(sent.size(), -1);
  COLLECTIVE(Alltoallv, alltoallv, sent.data(), given.data(), given_places.data(), MPI_INT,
             got.data(), given.data(), given_places.data(), MPI_INT, world.comm);
  show(world, "alltoallv", count, got);
  got = sent;
  COLLECTIVE(Alltoallv, alltoallv, MPI_IN_PLACE, nullptr, nullptr, MPI_INT, got.data(),
             given.data(), given_places.data(), MPI_INT, world.comm);
  show(world, "alltoallv in place", count, got);
}

void move_on(const World& world) {
  for (form = blocking; form < forms; ++form) {
    for (const int count : {0, 1, 7, 1009, 60013}) {
      move_all_ways(world, count, false);
      move_all_ways(world, count, true);
      move_uneven(world, count);
      COLLECTIVE(Barrier, barrier, world.comm);
    }
  }
  form = blocking;
}

// Communicators that live for a few calls, and two kinds that only some ranks are in.
void move_on_many(const World& world) {
  for (int i = 0; i < 40; ++i) {
    MPI_Comm part;
    MPI_Comm_split(world.comm, (world.rank + i) % 2, -world.rank, &part);
    int sum = world.rank + i;
    for (int calls = 0; calls < 1 + i % 3; ++calls) {
      MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, part);
    }
    show(world, "short-lived", i, {sum});
    MPI_Comm_free(&part);
  }
  MPI_Comm odd;
  MPI_Comm_split(world.comm, world.rank % 2 == 1 ? 1 : MPI_UNDEFINED, world.rank, &odd);
  if (odd != MPI_COMM_NULL) {
    move_on(World(odd, "odd"));
    MPI_Comm_free(&odd);
  }
  int own = world.rank;
  MPI_Allreduce(MPI_IN_PLACE, &own, 1, MPI_INT, MPI_SUM, MPI_COMM_SELF);
  show(world, "self", 1, {own});
}

void move_between_groups(const World& world) {
  if (world.size < 2) return;
  const int color = world.rank % 2;
  MPI_Comm local;
  MPI_Comm between;
  MPI_Comm_split(world.comm, color, world.rank, &local);
  MPI_Intercomm_create(local, 0, world.comm, 1 - color, 5, &between);
  int sum = -1;
  const int mine = world.rank + 1;
  MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, between);
  show(world, "between groups", 1, {sum});
  MPI_Comm_free(&between);
  MPI_Comm_free(&local);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  MPI_Init(&argc, &argv);
  {
    const World world(MPI_COMM_WORLD, "world");
    move_on(world);
    move_on_many(world);
    move_between_groups(world);
    MPI_Comm copy;
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    move_on(World(copy, "copy"));
    MPI_Comm_free(&copy);
  }
  report_write(argv[1]);
  MPI_Finalize();
  return 0;
}
