#pragma once

// Inputs that cannot cancel, and what a collective must make of them: exactly, in every order of
// reduction.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/types.hpp"

namespace rondo::sim {

/// One collective on one world.
struct Task {
  Plan plan;
  std::size_t count = 0;  ///< elements a block, as in Layout
  DType dtype = DType::f32;
  Op op = Op::sum;
  std::size_t tile_bytes = 0;
  bool in_place = false;
  std::size_t chunk_bytes = 0;  ///< of buffers that come and go in chunks; 0: they are there
};

std::string describe(const Task& task);

/// The buffers of one rank, between guard bytes.
class Buffers {
 public:
  Buffers(const Task& task, int rank);
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  std::byte* in() { return in_; }  ///< null where the rank has none
  std::byte* out() { return out_; }
  std::size_t in_bytes() const { return in_blocks() * block_bytes(); }
  std::size_t out_bytes() const { return out_blocks() * block_bytes(); }
  /// What is wrong with the results, the inputs or the guards.
  std::optional<std::string> check() const;

 private:
  std::byte* make_region(std::vector<std::byte>& memory, std::size_t blocks);
  template <class T>
  void fill();
  template <class T>
  std::optional<std::string> check_elements() const;
  std::size_t block_bytes() const { return task_.count * size_of(task_.dtype); }
  std::size_t in_blocks() const;
  std::size_t out_blocks() const;

  const Task task_;
  const int rank_;
  std::vector<std::byte> in_memory_;
  std::vector<std::byte> out_memory_;  // empty in place
  std::byte* in_ = nullptr;
  std::byte* out_ = nullptr;
};

}  // namespace rondo::sim
