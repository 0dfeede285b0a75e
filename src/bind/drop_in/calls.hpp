#pragma once

// The collectives of MPI, each turned into one of rondo's: what every form of the drop-in calls.
//
// What only moves data is decided by the bytes of its type signature, which all ranks know alike.
// Their types may differ (one rank sends a column where the others receive integers), so a rank
// whose elements do not lie in a row packs them; it cannot leave the call to the MPI below.
// Reductions have the same type on all ranks, and go below where rondo does not have it. A call
// with MPI_IN_PLACE where MPI has no such thing does so, too, and hears of it.

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "bind/drop_in/handles.hpp"
#include "bind/drop_in/left.h"
#include "bind/drop_in/member.hpp"
#include "bind/drop_in/packing.hpp"
#include "rondo/erased_call.hpp"

namespace rondo::bind {

static_assert(rondo_kind_count == kind_count);

template <class Below>
class Calls {
 public:
  /// `left` takes what need not come here again.
  Calls(const Handles& handles, Member& member, const Below& below, rondo_left_table& left)
      : handles_(handles), member_(member), below_(below), left_(left) {}

  int allreduce(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op,
                MPI_Comm comm) {
    return vector_reduction(Kind::allreduce, Collective::allreduce, send, receive, count, type, op,
                            [&] { return below_.allreduce(send, receive, count, type, op, comm); });
  }

  int scan(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op,
           MPI_Comm comm) {
    return vector_reduction(Kind::scan, Collective::scan, send, receive, count, type, op,
                            [&] { return below_.scan(send, receive, count, type, op, comm); });
  }

  int exscan(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op,
             MPI_Comm comm) {
    return vector_reduction(Kind::exscan, Collective::exscan, send, receive, count, type, op,
                            [&] { return below_.exscan(send, receive, count, type, op, comm); });
  }

  int reduce(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op, int root,
             MPI_Comm comm) {
    const auto below = [&] { return below_.reduce(send, receive, count, type, op, root, comm); };
    if (!is_rank(root) || (rank_is(root) ? receive : send) == MPI_IN_PLACE) return below();
    return reduction(Kind::reduce, elements(count), 1, type, op, below, [&](const Reduced& what) {
      const void* given = send == MPI_IN_PLACE ? receive : send;
      member_.run({.collective = Collective::reduce,
                   .send = given,
                   .receive = rank_is(root) ? receive : nullptr,
                   .count = elements(count) * what.width,
                   .dtype = what.dtype,
                   .op = what.op,
                   .root = root});
    });
  }

  int reduce_scatter_block(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op op,
                           MPI_Comm comm) {
    const auto below = [&] {
      return below_.reduce_scatter_block(send, receive, count, type, op, comm);
    };
    if (receive == MPI_IN_PLACE) return below();
    return reduction(Kind::reduce_scatter_block, elements(count), ranks(), type, op, below,
                     [&](const Reduced& what) {
                       scatter_reduced(send, receive, elements(count) * rank(), elements(count),
                                       nullptr, what);
                     });
  }

  int reduce_scatter(const void* send, void* receive, const int* counts, MPI_Datatype type,
                     MPI_Op op, MPI_Comm comm) {
    const auto below = [&] { return below_.reduce_scatter(send, receive, counts, type, op, comm); };
    std::size_t sum = 0;
    std::size_t before = 0;
    bool are_alike = true;
    for (std::size_t i = 0; i < ranks(); ++i) {
      if (counts[i] < 0 || receive == MPI_IN_PLACE) return below();
      if (i == rank()) before = sum;
      sum += elements(counts[i]);
      are_alike = are_alike && counts[i] == counts[0];
    }
    return reduction(Kind::reduce_scatter, sum, 1, type, op, below, [&](const Reduced& what) {
      scatter_reduced(send, receive, before, elements(counts[rank()]), are_alike ? nullptr : counts,
                      what);
    });
  }

  int bcast(void* buffer, int count, MPI_Datatype handle, int root, MPI_Comm comm) {
    const auto below = [&] { return below_.bcast(buffer, count, handle, root, comm); };
    const Type type = handles_.type(handle);
    const std::size_t bytes = elements(count) * type.size;
    if (!is_rank(root) || count < 0 || buffer == MPI_IN_PLACE) return below();
    return movement({Kind::bcast, TypeClass::data, bytes, bytes}, type, 1, below, [&] {
      Packing packing(member_, handles_.mpi(), comm);
      void* data = packing.arrival(buffer, elements(count), type);
      const bool is_root = rank_is(root);
      if (is_root && data != buffer) {
        packing.pack(buffer, elements(count), type, static_cast<std::byte*>(data));
      }
      run_even(Collective::broadcast, data, data, bytes, root);
      if (!is_root) packing.unpack_arrival(data, buffer, elements(count), type);
    });
  }

  int barrier(MPI_Comm comm) {
    return of_one_class(
        {Kind::barrier}, [&] { member_.run({}); }, [&] { return below_.barrier(comm); });
  }

  int allgather(const void* send, int send_count, MPI_Datatype send_handle, void* receive,
                int receive_count, MPI_Datatype receive_handle, MPI_Comm comm) {
    const auto below = [&] {
      return below_.allgather(send, send_count, send_handle, receive, receive_count, receive_handle,
                              comm);
    };
    const Type type = handles_.type(receive_handle);
    const std::size_t bytes = elements(receive_count) * type.size;
    if (receive_count < 0 || receive == MPI_IN_PLACE) return below();
    return movement(
        {Kind::allgather, TypeClass::data, bytes * ranks(), bytes}, type, ranks(), below, [&] {
          Packing packing(member_, handles_.mpi(), comm);
          const std::size_t count = elements(receive_count) * ranks();
          auto* all = static_cast<std::byte*>(packing.arrival(receive, count, type));
          std::byte* own = all + bytes * rank();
          const void* given = own;
          if (send != MPI_IN_PLACE) {
            given = packing.packed(send, elements(send_count), handles_.type(send_handle));
          } else if (all != receive) {
            packing.pack(element(receive, elements(receive_count) * rank(), type),
                         elements(receive_count), type, own);
          }
          run_even(Collective::allgather, given, all, bytes);
          packing.unpack_arrival(all, receive, count, type);
        });
  }

  int alltoall(const void* send, int send_count, MPI_Datatype send_handle, void* receive,
               int receive_count, MPI_Datatype receive_handle, MPI_Comm comm) {
    const auto below = [&] {
      return below_.alltoall(send, send_count, send_handle, receive, receive_count, receive_handle,
                             comm);
    };
    const Type type = handles_.type(receive_handle);
    const std::size_t bytes = elements(receive_count) * type.size;
    if (receive_count < 0 || receive == MPI_IN_PLACE) return below();
    return movement({Kind::alltoall, TypeClass::data, bytes * ranks(), bytes * ranks()}, type,
                    ranks(), below, [&] {
                      Packing packing(member_, handles_.mpi(), comm);
                      const std::size_t count = elements(receive_count) * ranks();
                      void* all = packing.arrival(receive, count, type);
                      const void* given = all;
                      if (send != MPI_IN_PLACE) {
                        given = packing.packed(send, elements(send_count) * ranks(),
                                               handles_.type(send_handle));
                      } else if (all != receive) {
                        packing.pack(receive, count, type, static_cast<std::byte*>(all));
                      }
                      run_even(Collective::alltoall, given, all, bytes);
                      packing.unpack_arrival(all, receive, count, type);
                    });
  }

  int gather(const void* send, int send_count, MPI_Datatype send_handle, void* receive,
             int receive_count, MPI_Datatype receive_handle, int root, MPI_Comm comm) {
    const auto below = [&] {
      return below_.gather(send, send_count, send_handle, receive, receive_count, receive_handle,
                           root, comm);
    };
    const bool is_root = rank_is(root);
    const Type type = handles_.type(is_root ? receive_handle : send_handle);
    const int count = is_root ? receive_count : send_count;
    const std::size_t bytes = elements(count) * type.size;
    if (!is_rank(root) || count < 0 || (is_root ? receive : send) == MPI_IN_PLACE) return below();
    return movement(
        {Kind::gather, TypeClass::data, bytes * ranks(), bytes}, type, ranks(), below, [&] {
          Packing packing(member_, handles_.mpi(), comm);
          if (!is_root) {
            return run_even(Collective::gather, packing.packed(send, elements(count), type),
                            nullptr, bytes, root);
          }
          const std::size_t all_count = elements(count) * ranks();
          auto* all = static_cast<std::byte*>(packing.arrival(receive, all_count, type));
          std::byte* own = all + bytes * rank();
          const void* given = own;
          if (send != MPI_IN_PLACE) {
            given = packing.packed(send, elements(send_count), handles_.type(send_handle));
          } else if (all != receive) {
            packing.pack(element(receive, elements(count) * rank(), type), elements(count), type,
                         own);
          }
          run_even(Collective::gather, given, all, bytes, root);
          packing.unpack_arrival(all, receive, all_count, type);
        });
  }

  int scatter(const void* send, int send_count, MPI_Datatype send_handle, void* receive,
              int receive_count, MPI_Datatype receive_handle, int root, MPI_Comm comm) {
    const auto below = [&] {
      return below_.scatter(send, send_count, send_handle, receive, receive_count, receive_handle,
                            root, comm);
    };
    const bool is_root = rank_is(root);
    const Type type = handles_.type(is_root ? send_handle : receive_handle);
    const int count = is_root ? send_count : receive_count;
    const std::size_t bytes = elements(count) * type.size;
    if (!is_rank(root) || count < 0 || (is_root ? send : receive) == MPI_IN_PLACE) return below();
    return movement(
        {Kind::scatter, TypeClass::data, bytes * ranks(), bytes}, type, ranks(), below, [&] {
          Packing packing(member_, handles_.mpi(), comm);
          const void* all =
              is_root ? packing.packed(send, elements(count) * ranks(), type) : nullptr;
          if (receive == MPI_IN_PLACE) {
            // Only the root may keep its block where it is.
            auto* own = static_cast<std::byte*>(const_cast<void*>(all)) + bytes * rank();
            return run_even(Collective::scatter, all, own, bytes, root);
          }
          const Type own_type = handles_.type(receive_handle);
          void* own = packing.arrival(receive, elements(receive_count), own_type);
          run_even(Collective::scatter, all, own, bytes, root);
          packing.unpack_arrival(own, receive, elements(receive_count), own_type);
        });
  }

  int allgatherv(const void* send, int send_count, MPI_Datatype send_handle, void* receive,
                 const int* receive_counts, const int* places, MPI_Datatype receive_handle,
                 MPI_Comm comm) {
    const auto below = [&] {
      return below_.allgatherv(send, send_count, send_handle, receive, receive_counts, places,
                               receive_handle, comm);
    };
    const Type type = handles_.type(receive_handle);
    std::size_t sum = 0;
    for (std::size_t i = 0; i < ranks(); ++i) {
      if (receive_counts[i] < 0 || receive == MPI_IN_PLACE) return below();
      sum += elements(receive_counts[i]);
    }
    const std::size_t own_bytes = elements(receive_counts[rank()]) * type.size;
    const Subject subject{Kind::allgatherv, TypeClass::data, sum * type.size, own_bytes};
    return movement(subject, type, 1, below, [&] {
      Packing packing(member_, handles_.mpi(), comm);
      ByteBlocks blocks(member_, 1, receive_counts, places, type);
      const bool is_in_place = send == MPI_IN_PLACE;
      std::byte* all = blocks.arrival(receive);
      const void* given = blocks.block(all, rank());
      if (!is_in_place) {
        given = packing.packed_apart(send, elements(send_count), handles_.type(send_handle), all,
                                     blocks.length());
      } else if (!blocks.is_direct()) {
        packing.pack(element(receive, places[rank()], type), elements(receive_counts[rank()]), type,
                     blocks.block(all, rank()));
      }
      member_.run({.collective = Collective::allgather,
                   .send = given,
                   .receive = all,
                   .count = own_bytes,
                   .uneven = true,
                   .receive_blocks = blocks.blocks()});
      blocks.unpack_arrival(packing, receive);
    });
  }

  int gatherv(const void* send, int send_count, MPI_Datatype send_handle, void* receive,
              const int* receive_counts, const int* places, MPI_Datatype receive_handle, int root,
              MPI_Comm comm) {
    const auto below = [&] {
      return below_.gatherv(send, send_count, send_handle, receive, receive_counts, places,
                            receive_handle, root, comm);
    };
    if (!is_rank(root) || (rank_is(root) ? receive : send) == MPI_IN_PLACE) return below();
    const bool is_in_place = send == MPI_IN_PLACE;
    const Type own_type = is_in_place ? Type{} : handles_.type(send_handle);
    const std::size_t sent = is_in_place ? 0 : elements(send_count) * own_type.size;
    return of_one_class(
        {Kind::gatherv, TypeClass::data, 0, sent},
        [&] {
          Packing packing(member_, handles_.mpi(), comm);
          ErasedCall call{
              .collective = Collective::gather, .count = sent, .root = root, .uneven = true};
          if (!rank_is(root)) {
            call.send = packing.packed(send, elements(send_count), own_type);
            return member_.run(call);
          }
          const Type type = handles_.type(receive_handle);
          ByteBlocks blocks(member_, 1, receive_counts, places, type);
          std::byte* all = blocks.arrival(receive);
          call.receive = all;
          call.receive_blocks = blocks.blocks();
          call.count = blocks.count(rank());
          if (!is_in_place) {
            call.send =
                packing.packed_apart(send, elements(send_count), own_type, all, blocks.length());
          } else {
            call.send = blocks.block(all, rank());
            if (!blocks.is_direct()) {
              packing.pack(element(receive, places[rank()], type), elements(receive_counts[rank()]),
                           type, blocks.block(all, rank()));
            }
          }
          member_.run(call);
          blocks.unpack_arrival(packing, receive);
        },
        below);
  }

  int scatterv(const void* send, const int* send_counts, const int* places,
               MPI_Datatype send_handle, void* receive, int receive_count,
               MPI_Datatype receive_handle, int root, MPI_Comm comm) {
    const auto below = [&] {
      return below_.scatterv(send, send_counts, places, send_handle, receive, receive_count,
                             receive_handle, root, comm);
    };
    if (!is_rank(root) || (rank_is(root) ? send : receive) == MPI_IN_PLACE) return below();
    const bool is_in_place = receive == MPI_IN_PLACE;
    const Type own_type = is_in_place ? Type{} : handles_.type(receive_handle);
    const std::size_t received = is_in_place ? 0 : elements(receive_count) * own_type.size;
    return of_one_class(
        {Kind::scatterv, TypeClass::data, 0, received},
        [&] {
          Packing packing(member_, handles_.mpi(), comm);
          ErasedCall call{
              .collective = Collective::scatter, .count = received, .root = root, .uneven = true};
          void* own =
              is_in_place ? nullptr : packing.arrival(receive, elements(receive_count), own_type);
          call.receive = own;
          if (rank_is(root)) {
            const Type type = handles_.type(send_handle);
            ByteBlocks blocks(member_, 0, send_counts, places, type);
            if (!is_in_place && meet(send, blocks.length(), own, received)) blocks.move_apart();
            std::byte* all = blocks.packed(packing, send);
            call.send = all;
            call.send_blocks = blocks.blocks();
            call.count = blocks.count(rank());
            if (is_in_place) call.receive = blocks.block(all, rank());
          }
          member_.run(call);
          if (!is_in_place) packing.unpack_arrival(own, receive, elements(receive_count), own_type);
        },
        below);
  }

  int alltoallv(const void* send, const int* send_counts, const int* send_places,
                MPI_Datatype send_handle, void* receive, const int* receive_counts,
                const int* receive_places, MPI_Datatype receive_handle, MPI_Comm comm) {
    const auto below = [&] {
      return below_.alltoallv(send, send_counts, send_places, send_handle, receive, receive_counts,
                              receive_places, receive_handle, comm);
    };
    if (receive == MPI_IN_PLACE) return below();
    const Type type = handles_.type(receive_handle);
    std::size_t received = 0;
    for (std::size_t i = 0; i < ranks(); ++i) received += elements(receive_counts[i]) * type.size;
    return of_one_class(
        {Kind::alltoallv, TypeClass::data, 0, received},
        [&] {
          Packing packing(member_, handles_.mpi(), comm);
          ByteBlocks got(member_, 1, receive_counts, receive_places, type);
          ErasedCall call{.collective = Collective::alltoall, .uneven = true};
          call.receive_blocks = got.blocks();
          if (send == MPI_IN_PLACE) {
            call.receive = got.packed(packing, receive);
            call.send = call.receive;
            call.send_blocks = got.blocks();
          } else {
            const Type send_type = handles_.type(send_handle);
            ByteBlocks given(member_, 0, send_counts, send_places, send_type);
            if (meet(send, given.length(), receive, got.length())) given.move_apart();
            call.send = given.packed(packing, send);
            call.send_blocks = given.blocks();
            call.receive = got.arrival(receive);
          }
          member_.run(call);
          got.unpack_arrival(packing, receive);
        },
        below);
  }

 private:
  template <class GoBelow>
  int vector_reduction(Kind kind, Collective collective, const void* send, void* receive, int count,
                       MPI_Datatype type, MPI_Op op, GoBelow below) {
    if (receive == MPI_IN_PLACE) return below();
    return reduction(kind, elements(count), 1, type, op, below, [&](const Reduced& what) {
      member_.run({.collective = collective,
                   .send = send == MPI_IN_PLACE ? receive : send,
                   .receive = receive,
                   .count = elements(count) * what.width,
                   .dtype = what.dtype,
                   .op = what.op});
    });
  }

  // Of `count` times `blocks` elements on each rank.
  template <class GoBelow, class Take>
  int reduction(Kind kind, std::size_t count, std::size_t blocks, MPI_Datatype handle, MPI_Op op,
                GoBelow below, Take take) {
    const Type type = handles_.type(handle);
    const std::size_t width = blocks * type.size;
    Subject subject{kind, TypeClass::data, count * width, count * width};
    const Handles::Answer answer = handles_.reduced(type, op);
    if (!answer.reduced) {
      return member_.pass_for_good(subject, answer.reason, below,
                                   [&] { leave(kind, type, op, width, Member::every_class); });
    }
    if (subject.bytes == 0 || count > most_elements) {
      return member_.pass(subject, Reason::empty, below);
    }
    subject.type = class_of(answer.reduced->dtype);
    return member_.carry_out(
        subject, [&] { take(*answer.reduced); }, below,
        [&] { leave_classes(subject, type, op, width); });
  }

  // Of blocks of `type` for so many ranks.
  template <class GoBelow, class Take>
  int movement(const Subject& subject, const Type& type, std::size_t blocks, GoBelow below,
               Take take) {
    if (subject.bytes == 0) return member_.pass(subject, Reason::empty, below);
    // Of one element on some rank, which only that rank knows.
    if (subject.bytes / blocks > most_packed)
      return member_.pass(subject, Reason::too_large, below);
    return member_.carry_out(subject, take, below,
                             [&] { leave_classes(subject, type, MPI_Op{}, blocks * type.size); });
  }

  // Where the ranks have no size in common.
  template <class GoBelow, class Take>
  int of_one_class(const Subject& subject, Take take, GoBelow below) {
    return member_.carry_out(subject, take, below, [&] {
      leave(subject.kind, Type{.is_predefined = true}, MPI_Op{}, 0, Member::every_class);
      below_.put_back(subject.kind);
    });
  }

  void leave_classes(const Subject& subject, const Type& type, MPI_Op op, std::size_t width) {
    if (!type.is_predefined) return;
    const std::uint64_t classes = member_.left_classes(subject.kind, subject.type);
    leave(subject.kind, type, op, width, classes);
    if (classes == Member::every_class) below_.put_back(subject.kind);
  }

  void leave(Kind kind, const Type& type, MPI_Op op, std::size_t width, std::uint64_t classes) {
    if (!type.is_predefined) return;
    rondo_leave(&left_, static_cast<rondo_kind>(kind), type.handle, op, width, classes);
  }

  // MPI's result lies at the beginning of `receive`, also where that is the input, of which all
  // else stays as it was.
  void scatter_reduced(const void* send, void* receive, std::size_t before, std::size_t count,
                       const int* counts, const Reduced& what) {
    const std::size_t element = size_of(what.dtype) * what.width;
    const bool is_in_place = send == MPI_IN_PLACE;
    void* const result = is_in_place && before > 0 ? member_.room(1, count * element) : receive;
    ErasedCall call{.collective = Collective::reduce_scatter,
                    .send = is_in_place ? receive : send,
                    .receive = result,
                    .count = count * what.width,
                    .dtype = what.dtype,
                    .op = what.op};
    if (counts != nullptr) {
      std::size_t* lengths = member_.numbers(0);
      for (std::size_t i = 0; i < ranks(); ++i) lengths[i] = elements(counts[i]) * what.width;
      call.uneven = true;
      call.send_blocks.counts = {lengths, ranks()};
    }
    member_.run(call);
    if (result != receive && count > 0) std::memcpy(receive, result, count * element);
  }

  void run_even(Collective collective, const void* send, void* receive, std::size_t bytes,
                int root = 0) {
    member_.run(even_call(collective, send, receive, bytes, root));
  }

  bool rank_is(int root) const { return member_.rank() == root; }
  bool is_rank(int root) const { return root >= 0 && root < member_.size(); }
  // A negative count, which MPI refuses, becomes one that no vector has.
  static constexpr auto most_elements = std::numeric_limits<std::size_t>::max() >> 8;
  static std::size_t elements(int count) { return static_cast<std::size_t>(count); }
  std::size_t rank() const { return static_cast<std::size_t>(member_.rank()); }
  std::size_t ranks() const { return static_cast<std::size_t>(member_.size()); }

  const Handles& handles_;
  Member& member_;
  const Below& below_;
  rondo_left_table& left_;
};

}  // namespace rondo::bind
