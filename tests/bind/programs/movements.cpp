// Every collective that moves data × types × counts × in place or not × forms, with types that
// differ between the ranks, on communicators of all kinds. In C++, which calls C. Writes what each
// rank gets to a file.
//
// usage: movements FILE [some]; some: types in one form and not in large counts, for MPIs that take
// milliseconds for a call, and MPICH 4.0.2, which cannot exchange many MPI_DOUBLE_INT in place

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "forms.h"
#include "typed.h"

namespace {

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

// What a rank moves. Its type signature is alike on all ranks; where the elements lie need not be.
struct Elements {
  std::string name;
  const struct type* known;
  MPI_Datatype type;
  std::size_t extent;

  explicit Elements(const struct type* of)
      : name(of->name), known(of), type(of->type), extent(extent_of(of)) {}
};

// Columns of a matrix in one rank are numbers in a row in another.
class Column {
 public:
  Column() {
    MPI_Datatype vector;
    MPI_Type_vector(1, 1, 3, MPI_INT, &vector);
    MPI_Type_create_resized(vector, 0, 3 * sizeof(int), &type_);
    MPI_Type_commit(&type_);
    MPI_Type_free(&vector);
  }
  ~Column() { MPI_Type_free(&type_); }
  MPI_Datatype type() const { return type_; }

 private:
  MPI_Datatype type_;
};

using Bytes = std::vector<unsigned char>;

Bytes numbers(std::size_t bytes, int seed) {
  Bytes all(bytes);
  for (std::size_t i = 0; i < bytes; ++i) {
    all[i] = static_cast<unsigned char>(i * 31 + i / 256 + static_cast<std::size_t>(seed) * 101);
  }
  return all;
}

void show(const World& world, const std::string& what, const Elements& elements, int count,
          Bytes& got) {
  const std::string line = world.name + " " + what + " " + elements.name + " " +
                           std::to_string(count) + form_names[form];
  clear_gaps(elements.known, got.data(), static_cast<int>(got.size() / elements.extent));
  report_bytes(line.c_str(), got.data(), got.size());
}

void move_all_ways(const World& world, int count, const Elements& elements) {
  const MPI_Datatype type = elements.type;
  const auto ranks = static_cast<std::size_t>(world.size);
  const std::size_t own = static_cast<std::size_t>(count) * elements.extent;
  const auto place = static_cast<std::ptrdiff_t>(own) * world.rank;
  const int root = (count + 1) % world.size;
  const bool is_root = world.rank == root;

  Bytes buffer = numbers(own, is_root ? 5 : 6);
  COLLECTIVE(Bcast, bcast, buffer.data(), count, type, root, world.comm);
  show(world, "bcast", elements, count, buffer);

  for (const bool in_place : {false, true}) {
    const std::string how = in_place ? " in place" : "";
    const Bytes mine = numbers(own, world.rank);
    const Bytes for_all = numbers(own * ranks, world.rank);
    Bytes before(own * ranks, 0xff);
    std::copy(mine.begin(), mine.end(), before.begin() + place);

    Bytes all = before;
    COLLECTIVE(Allgather, allgather, in_place ? MPI_IN_PLACE : mine.data(), count, type, all.data(),
               count, type, world.comm);
    show(world, "allgather" + how, elements, count, all);

    all = before;
    COLLECTIVE(Gather, gather, in_place && is_root ? MPI_IN_PLACE : mine.data(), count, type,
               all.data(), count, type, root, world.comm);
    if (is_root) show(world, "gather" + how, elements, count, all);

    Bytes part(own, 0xff);
    COLLECTIVE(Scatter, scatter, for_all.data(), count, type,
               in_place && is_root ? MPI_IN_PLACE : static_cast<void*>(part.data()), count, type,
               root, world.comm);
    show(world, "scatter" + how, elements, count, part);

    all = for_all;
    Bytes exchanged(own * ranks, 0xff);
    Bytes& target = in_place ? all : exchanged;
    COLLECTIVE(Alltoall, alltoall, in_place ? MPI_IN_PLACE : all.data(), count, type, target.data(),
               count, type, world.comm);
    show(world, "alltoall" + how, elements, count, target);
  }
}

// Rank r has count + r elements, with gaps between the blocks, in descending order.
void move_uneven(const World& world, int count, const Elements& elements) {
  const MPI_Datatype type = elements.type;
  const auto bytes = [&](int of) { return static_cast<std::size_t>(of) * elements.extent; };
  std::vector<int> counts(static_cast<std::size_t>(world.size));
  std::vector<int> places(counts.size());
  for (int r = 0; r < world.size; ++r)
    counts[static_cast<std::size_t>(r)] = count > 0 ? count + r : r % 2;
  int end = 2;
  for (int r = world.size - 1; r >= 0; --r) {
    places[static_cast<std::size_t>(r)] = end;
    end += counts[static_cast<std::size_t>(r)] + 3;
  }
  const int own = counts[static_cast<std::size_t>(world.rank)];
  const int place = places[static_cast<std::size_t>(world.rank)];
  const int root = world.size - 1;
  const bool is_root = world.rank == root;
  for (const bool in_place : {false, true}) {
    const std::string how = in_place ? " uneven in place" : " uneven";
    const Bytes mine = numbers(bytes(own), world.rank);
    Bytes before(bytes(end), 0xff);
    std::copy(mine.begin(), mine.end(), before.begin() + static_cast<std::ptrdiff_t>(bytes(place)));
    Bytes all = before;
    COLLECTIVE(Allgatherv, allgatherv, in_place ? MPI_IN_PLACE : mine.data(), own, type, all.data(),
               counts.data(), places.data(), type, world.comm);
    show(world, "allgatherv" + how, elements, count, all);

    all = before;
    COLLECTIVE(Gatherv, gatherv, in_place && is_root ? MPI_IN_PLACE : mine.data(), own, type,
               all.data(), counts.data(), places.data(), type, root, world.comm);
    if (is_root) show(world, "gatherv" + how, elements, count, all);

    const Bytes for_all = numbers(bytes(end), world.rank + 50);
    Bytes part(bytes(own), 0xff);
    COLLECTIVE(Scatterv, scatterv, for_all.data(), counts.data(), places.data(), type,
               in_place && is_root ? MPI_IN_PLACE : static_cast<void*>(part.data()), own, type,
               root, world.comm);
    show(world, "scatterv" + how, elements, count, part);
  }
}

// Rank r sends count + (r + s) % 3 elements to rank s.
void exchange_uneven(const World& world, int count, const Elements& elements) {
  const MPI_Datatype type = elements.type;
  std::vector<int> given(static_cast<std::size_t>(world.size));
  std::vector<int> places(given.size());
  int length = 1;
  for (std::size_t r = 0; r < given.size(); ++r) {
    given[r] = count + (static_cast<int>(r) + world.rank) % 3;
    places[r] = length;
    length += given[r] + 1;
  }
  const Bytes sent = numbers(static_cast<std::size_t>(length) * elements.extent, world.rank);
  Bytes got(sent.size(), 0xff);
  COLLECTIVE(Alltoallv, alltoallv, sent.data(), given.data(), places.data(), type, got.data(),
             given.data(), places.data(), type, world.comm);
  show(world, "alltoallv", elements, count, got);
  got = sent;
  COLLECTIVE(Alltoallv, alltoallv, MPI_IN_PLACE, nullptr, nullptr, MPI_INT, got.data(),
             given.data(), places.data(), type, world.comm);
  show(world, "alltoallv in place", elements, count, got);
}

const struct type number = {"INT", MPI_INT, INTEGER};

void move_on(const World& world) {
  const Column column;
  const Elements row(&number);
  Elements columns = row;
  columns.name = "columns";
  if (world.rank % 2 == 1) {
    columns.type = column.type();
    columns.extent *= 3;
  }
  for (form = blocking; form < forms; ++form) {
    for (const int count : {0, 1, 7, 1009, 60013}) {
      for (const Elements& elements : {row, columns}) move_all_ways(world, count, elements);
      move_uneven(world, count, row);
      exchange_uneven(world, count, row);
      COLLECTIVE(Barrier, barrier, world.comm);
    }
  }
  form = blocking;
}

void move_every_type(const World& world, bool is_some) {
  for (const struct type& type : types) {
    const Elements elements(&type);
    for (form = blocking; form < (is_some ? nonblocking : forms); ++form) {
      for (const int count : {0, 1, 7, 20011}) {
        if (is_some && count > 7) continue;
        move_all_ways(world, count, elements);
        move_uneven(world, count, elements);
        exchange_uneven(world, count, elements);
      }
    }
  }
  form = blocking;
}

// Numbers that lie anywhere, at addresses of their own, in a rank of two; in a row in the other.
void move_at_bottom(const World& world) {
  constexpr int all = 4;
  std::vector<int> row(all, -1);
  std::vector<int> second(1, -1);
  std::vector<int> first(all - 1, -1);
  int lengths[] = {all - 1, 1};
  MPI_Aint addresses[2];
  MPI_Get_address(first.data(), &addresses[0]);
  MPI_Get_address(second.data(), &addresses[1]);
  MPI_Datatype parts[] = {MPI_INT, MPI_INT};
  MPI_Datatype absolute;
  MPI_Type_create_struct(2, lengths, addresses, parts, &absolute);
  MPI_Type_commit(&absolute);
  const auto set = [&](int seed) {
    for (int i = 0; i < all; ++i) row[static_cast<std::size_t>(i)] = 10 * seed + i;
    std::copy(row.begin(), row.end() - 1, first.begin());
    second[0] = row.back();
  };
  const bool is_at_bottom = world.rank % 2 == 1;
  void* const place = is_at_bottom ? MPI_BOTTOM : row.data();
  const MPI_Datatype type = is_at_bottom ? absolute : MPI_INT;
  const int count = is_at_bottom ? 1 : all;
  const auto show_own = [&](const std::string& what) {
    report_bytes((world.name + what + " row").c_str(), row.data(), all * sizeof(int));
    report_bytes((world.name + what + " first").c_str(), first.data(), (all - 1) * sizeof(int));
    report_bytes((world.name + what + " second").c_str(), second.data(), sizeof(int));
  };
  const auto ranks = static_cast<std::size_t>(world.size);
  for (int root = 0; root < world.size; ++root) {
    set(world.rank);
    COLLECTIVE(Bcast, bcast, place, count, type, root, world.comm);
    show_own(" bcast at the bottom");
    std::vector<int> got(all * ranks, -1);
    set(world.rank);
    COLLECTIVE(Gather, gather, place, count, type, got.data(), all, MPI_INT, root, world.comm);
    report_bytes("gather from the bottom", got.data(), got.size() * sizeof(int));
    COLLECTIVE(Scatter, scatter, got.data(), all, MPI_INT, place, count, type, root, world.comm);
    show_own(" scatter to the bottom");
    COLLECTIVE(Allgather, allgather, place, count, type, got.data(), all, MPI_INT, world.comm);
    report_bytes("allgather from the bottom", got.data(), got.size() * sizeof(int));
  }
  MPI_Type_free(&absolute);
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
    report_text("%s short-lived %d: %d\n", world.name.c_str(), i, sum);
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
  report_text("%s self: %d\n", world.name.c_str(), own);
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
  report_text("%s between groups: %d\n", world.name.c_str(), sum);
  MPI_Comm_free(&between);
  MPI_Comm_free(&local);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const bool is_some = argc > 2 && std::string(argv[2]) == "some";
  MPI_Init(&argc, &argv);
  {
    const World world(MPI_COMM_WORLD, "world");
    move_on(world);
    move_every_type(world, is_some);
    move_at_bottom(world);
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
