#include "transport/process_world.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <thread>

#include "base/text.hpp"
#include "transport/shm/door.hpp"

namespace rondo::process {

namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(result).value();
}

// Differs from rank to rank, from place to place, and from operation to operation.
std::byte pattern(int from, int to, std::uint64_t sequence, std::size_t index) {
  const std::size_t value = index * 31 + index / 251 + static_cast<std::size_t>(from) * 7 +
                            static_cast<std::size_t>(to) * 13 + sequence * 101;
  return static_cast<std::byte>(value);
}

bool all_done(const std::deque<Transfer>& transfers) {
  return std::all_of(transfers.begin(), transfers.end(), [](const Transfer& transfer) {
    return transfer.state.load(std::memory_order_acquire) == Transfer::State::done;
  });
}

std::vector<int> peers_of_unfinished(const std::deque<Transfer>& transfers) {
  std::vector<int> peers;
  for (const Transfer& transfer : transfers) {
    if (transfer.state.load() != Transfer::State::done) peers.push_back(transfer.link.peer);
  }
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

std::vector<Link> links_of(const std::vector<Message>& messages) {
  std::vector<Link> links;
  for (const Message& message : messages) links.push_back(message.link);
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

std::optional<Error> drive(Transport& transport, const std::deque<Transfer>& transfers,
                           std::chrono::milliseconds timeout) {
  const auto deadline = Transport::Clock::now() + timeout;
  std::chrono::microseconds sleep(0);
  while (!all_done(transfers)) {
    const Result<bool> moved = transport.poll(sleep);
    if (!moved) return moved.error();
    if (Transport::Clock::now() >= deadline) return Error(ErrorCode::timeout, "not done in time");
    sleep = moved.value() ? std::chrono::microseconds(0) : std::chrono::milliseconds(20);
  }
  return std::nullopt;
}

}  // namespace

Medium medium_under_test() {
  const char* const name = std::getenv("RONDO_TEST_MEDIUM");
  return name != nullptr && std::string_view(name) == "shm" ? Medium::shm : Medium::tcp;
}

std::vector<Membership> memberships(int ranks, Medium medium) {
  std::random_device random;
  std::array<std::byte, 16> token;
  for (std::byte& byte : token) byte = static_cast<std::byte>(random());
  std::vector<Socket> listeners;
  std::vector<Socket> doors;
  std::vector<Member> members;
  for (int rank = 0; rank < ranks; ++rank) {
    listeners.push_back(value_of(listen_on("127.0.0.1", 0)));
    const Address address = value_of(local_address(listeners.back()));
    Door door = value_of(open_door());
    members.push_back(
        {address.host, address.port, concat("host", rank), 1000 + rank, locality(), door.id});
    doors.push_back(std::move(door.listener));
  }
  std::vector<Membership> all;
  for (int rank = 0; rank < ranks; ++rank) {
    all.push_back(
        {rank, members, token, std::move(listeners[rank]), std::move(doors[rank]), medium});
  }
  return all;
}

Transports make_world(int ranks, Medium medium) {
  std::vector<Membership> all = memberships(ranks, medium);
  Transports transports(static_cast<std::size_t>(ranks));
  std::vector<std::string> errors(static_cast<std::size_t>(ranks));
  on_all_ranks(ranks, [&](int rank) {
    auto made = make_transport(std::move(all[rank]), Transport::Clock::now() + patience);
    if (made) {
      transports[rank] = std::move(made).value();
    } else {
      errors[rank] = made.error().text();
    }
  });
  for (const std::string& error : errors) {
    if (!error.empty()) throw std::runtime_error(error);
  }
  return transports;
}

void on_all_ranks(int ranks, const std::function<void(int rank)>& body) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

Call allreduce_of(std::uint64_t count) {
  return {Collective::allreduce, DType::f32, Op::sum, 0, count, 99};
}

std::optional<Error> carry_out(Transport& transport, std::uint64_t sequence, const Call& call,
                               const std::vector<Message>& messages,
                               std::chrono::milliseconds timeout) {
  std::deque<Transfer> transfers;
  const Result<> begun = transport.begin(sequence, call, links_of(messages));
  std::optional<Error> error;
  if (!begun) {
    error = begun.error();
  } else {
    for (const Message& message : messages) {
      Transfer& transfer = transfers.emplace_back();
      transfer.kind = message.kind;
      transfer.link = message.link;
      transfer.data = message.data;
      transfer.size = message.size;
      transfer.publication = message.publication;
      transfer.readers = message.readers;
      transport.post(transfer);
    }
    error = drive(transport, transfers, timeout);
  }
  if (!error) return std::nullopt;
  const Error verdict = transport.conclude(*error, peers_of_unfinished(transfers));
  transport.cancel();
  return verdict;
}

std::optional<Error> exchange(Transport& transport, std::uint64_t sequence, const Call& call,
                              std::size_t bytes, std::chrono::milliseconds timeout) {
  const int size = transport.size();
  const int rank = transport.rank();
  std::vector<std::vector<std::byte>> sent(static_cast<std::size_t>(size));
  std::vector<std::vector<std::byte>> received(static_cast<std::size_t>(size));
  std::vector<Message> messages;
  for (int peer = 0; peer < size; ++peer) {
    if (peer == rank) continue;
    sent[peer].resize(bytes);
    received[peer].resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i) sent[peer][i] = pattern(rank, peer, sequence, i);
    messages.push_back({Transfer::Kind::send, {peer, 0}, sent[peer].data(), bytes});
    messages.push_back({Transfer::Kind::recv, {peer, 0}, received[peer].data(), bytes});
  }
  if (const auto error = carry_out(transport, sequence, call, messages, timeout)) return error;
  for (int peer = 0; peer < size; ++peer) {
    for (std::size_t i = 0; i < received[peer].size(); ++i) {
      if (received[peer][i] == pattern(peer, rank, sequence, i)) continue;
      return Error(ErrorCode::protocol, peer, concat("wrong byte ", i, " from rank ", peer));
    }
  }
  return std::nullopt;
}

int open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  const auto listing_itself = 1;
  return static_cast<int>(std::distance(begin(all), end(all))) - listing_itself;
}

}  // namespace rondo::process
