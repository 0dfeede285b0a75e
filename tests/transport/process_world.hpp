#pragma once

// Worlds of ranks that could be processes, inside one process: every rank has its own endpoint.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "rondo/transport.hpp"
#include "transport/route/make.hpp"

namespace rondo::process {

using Transports = std::vector<std::unique_ptr<Transport>>;

/// Generous: only a test that fails waits as long as that.
inline constexpr auto patience = std::chrono::seconds(60);

/// What these tests run on: Medium::tcp, or what RONDO_TEST_MEDIUM says, "shm" or "tcp".
Medium medium_under_test();

/// Listeners and what everybody knows of each other; nobody has connected yet.
std::vector<Membership> memberships(int ranks, Medium medium = medium_under_test());
/// Throws where the world cannot be formed.
Transports make_world(int ranks, Medium medium = medium_under_test());

/// Runs one function per rank in threads of their own.
void on_all_ranks(int ranks, const std::function<void(int rank)>& body);

Call allreduce_of(std::uint64_t count);

/// One rank's messages of an exchange.
struct Message {
  Transfer::Kind kind = Transfer::Kind::send;
  Link link;
  std::byte* data = nullptr;
  std::size_t size = 0;
  std::uint64_t publication = 0;
  std::uint32_t readers = 1;
};

/// Carries out one operation the way an engine does; concludes and cancels after an error.
std::optional<Error> carry_out(Transport& transport, std::uint64_t sequence, const Call& call,
                               const std::vector<Message>& messages,
                               std::chrono::milliseconds timeout = patience);

/// Everybody sends `bytes` to everybody on channel 0, and checks what it gets.
std::optional<Error> exchange(Transport& transport, std::uint64_t sequence, const Call& call,
                              std::size_t bytes, std::chrono::milliseconds timeout = patience);

/// Descriptors that this process has open.
int open_descriptors();

}  // namespace rondo::process
