// Whoever does not belong to the world changes nothing in it.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "base/text.hpp"
#include "transport/control/doorman.hpp"
#include "transport/control/frame.hpp"
#include "transport/process_world.hpp"

namespace rondo::process {
namespace {

using namespace std::chrono_literals;

std::span<const std::byte> bytes_of(const auto& value) {
  return std::as_bytes(std::span(&value, 1));
}

void say(const Socket& socket, std::span<const std::byte> bytes) {
  (void)write_all(socket, bytes, Transport::Clock::now() + 5s);
}

Socket visit(const Address& address) {
  auto socket = connect_until(address, Transport::Clock::now() + 5s);
  EXPECT_TRUE(socket.ok()) << socket.error().text();
  return std::move(socket).value();
}

// True when the other side closes the connection without a word.
bool is_turned_away(const Socket& socket) {
  std::byte answer;
  const auto read = read_all(socket, std::span(&answer, 1), Transport::Clock::now() + 30s);
  return !read && read.error().code() == ErrorCode::peer_lost;
}

// A world that computes all the time while `disturb` happens to the addresses of its ranks.
void expect_undisturbed(const std::function<void(const std::vector<Address>&)>& disturb) {
  const int ranks = 3;
  std::vector<Membership> all = memberships(ranks);
  std::vector<Address> addresses;
  for (const Member& member : all[0].members) addresses.push_back({member.address, member.port});
  std::atomic<bool> is_over = false;
  std::thread stranger([&] {
    disturb(addresses);
    is_over = true;
  });
  on_all_ranks(ranks, [&](int rank) {
    auto made = make_transport(std::move(all[rank]), Transport::Clock::now() + patience);
    ASSERT_TRUE(made.ok()) << made.error().text();
    Transport& transport = *made.value();
    for (std::uint64_t sequence = 1;; ++sequence) {
      // Rank 0 tells the others when to stop, so that all make the same number of calls.
      std::byte is_last{is_over.load()};
      std::vector<Message> messages;
      if (rank == 0) {
        for (int peer = 1; peer < ranks; ++peer) {
          messages.push_back({Transfer::Kind::send, {peer, 1}, &is_last, 1});
        }
      } else {
        messages.push_back({Transfer::Kind::recv, {0, 1}, &is_last, 1});
      }
      auto error = carry_out(transport, sequence, allreduce_of(1), messages);
      ASSERT_FALSE(error) << error->text();
      error = exchange(transport, ++sequence, allreduce_of(2), 10'000);
      ASSERT_FALSE(error) << error->text();
      if (is_last == std::byte{1}) return;
    }
  });
  stranger.join();
}

TEST(Stranger, noise_is_turned_away) {
  expect_undisturbed([](const std::vector<Address>& addresses) {
    for (const Address& address : addresses) {
      for (unsigned seed = 0; seed < 20; ++seed) {
        std::vector<std::byte> noise(10'000);
        for (std::size_t i = 0; i < noise.size(); ++i) {
          noise[i] = static_cast<std::byte>((i * 2654435761u + seed * 40503u) >> 7);
        }
        const Socket socket = visit(address);
        say(socket, noise);
        EXPECT_TRUE(is_turned_away(socket));
      }
    }
  });
}

TEST(Stranger, other_protocols_are_turned_away) {
  expect_undisturbed([](const std::vector<Address>& addresses) {
    const std::string request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    const std::string tls = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for (const Address& address : addresses) {
      for (const std::string& text : {request, tls}) {
        const Socket socket = visit(address);
        say(socket, std::as_bytes(std::span(text)));
        EXPECT_TRUE(is_turned_away(socket));
      }
    }
  });
}

TEST(Stranger, port_scans_go_unnoticed) {
  expect_undisturbed([](const std::vector<Address>& addresses) {
    for (int i = 0; i < 300; ++i) visit(addresses[i % addresses.size()]).close();
  });
}

TEST(Stranger, silence_and_slowness_end_after_two_seconds) {
  expect_undisturbed([](const std::vector<Address>& addresses) {
    const auto start = Transport::Clock::now();
    const Socket silent = visit(addresses[0]);
    const Socket slow = visit(addresses[0]);
    const Hello hello;  // the right magic, to keep the door open as long as possible
    for (const std::byte byte : bytes_of(hello)) {
      if (Transport::Clock::now() - start > 3s) break;
      (void)!::send(slow.fd(), &byte, 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(100ms);
    }
    EXPECT_TRUE(is_turned_away(silent));
    EXPECT_TRUE(is_turned_away(slow));
  });
}

TEST(Stranger, two_hundred_at_once_hold_few_descriptors) {
  expect_undisturbed([](const std::vector<Address>& addresses) {
    const int before = open_descriptors();
    std::vector<Socket> crowd;
    for (int i = 0; i < 200; ++i) crowd.push_back(visit(addresses[1]));
    std::this_thread::sleep_for(100ms);
    // The world's own links may have opened meanwhile; 3 ranks need fewer than 40 descriptors.
    const int held = open_descriptors() - before - 200;
    EXPECT_LE(held, static_cast<int>(Doorman::most_waiting) + 40);
  });
}

TEST(Stranger, a_hello_with_another_token_is_turned_away) {
  expect_undisturbed([](const std::vector<Address>& addresses) {
    for (int rank = 0; rank < 3; ++rank) {
      Hello hello;
      hello.from = (rank + 1) % 3;
      hello.to = rank;
      hello.size = 3;
      hello.kind = rank == 0 ? Hello::Kind::data : Hello::Kind::control;
      const Socket socket = visit(addresses[rank]);
      say(socket, bytes_of(hello));
      EXPECT_TRUE(is_turned_away(socket));
    }
  });
}

TEST(Stranger, a_member_that_claims_to_be_somebody_else_is_turned_away) {
  std::vector<Membership> all = memberships(2);
  const Address address = {all[0].members[0].address, all[0].members[0].port};
  Hello hello;
  hello.token = all[0].token;
  hello.size = 2;
  std::thread impostor([&] {
    for (const int from : {0, 2, -1}) {
      hello.from = from;
      const Socket socket = visit(address);
      say(socket, bytes_of(hello));
      EXPECT_TRUE(is_turned_away(socket)) << from;
    }
  });
  on_all_ranks(2, [&](int rank) {
    if (rank == 1) impostor.join();
    auto made = make_transport(std::move(all[rank]), Transport::Clock::now() + patience);
    EXPECT_TRUE(made.ok());
  });
}

TEST(Stranger, another_version_of_the_protocol_is_named_on_both_sides) {
  std::vector<Membership> all = memberships(2);
  Hello hello;
  hello.version = protocol_version + 1;
  hello.token = all[0].token;
  hello.from = 1;
  hello.to = 0;
  hello.size = 2;
  const Socket socket = visit({all[0].members[0].address, all[0].members[0].port});
  say(socket, bytes_of(hello));
  const auto made = make_transport(std::move(all[0]), Transport::Clock::now() + patience);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), ErrorCode::join_failed);
  EXPECT_NE(made.error().text().find(concat("rank 1 speaks version ", protocol_version + 1)),
            std::string::npos)
      << made.error().text();
  EXPECT_NE(made.error().text().find(concat("rank 0 version ", protocol_version)),
            std::string::npos)
      << made.error().text();
  Hello answer;
  ASSERT_TRUE(read_all(socket, std::as_writable_bytes(std::span(&answer, 1)),
                       Transport::Clock::now() + 5s));
  EXPECT_EQ(answer.version, protocol_version);
}

TEST(Stranger, those_turned_away_are_counted_where_a_member_is_missing) {
  std::vector<Membership> all = memberships(2);
  const Socket socket = visit({all[0].members[0].address, all[0].members[0].port});
  say(socket, bytes_of(Hello{}));
  const auto made = make_transport(std::move(all[0]), Transport::Clock::now() + 300ms);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().text().find("strangers turned away at its port: 1"), std::string::npos)
      << made.error().text();
}

// Its events are those of a data link then, and would wake the wrong ones.
TEST(Stranger, a_guest_whose_hello_came_late_is_watched_no_longer) {
  std::vector<Membership> all = memberships(2);
  const Address address = {all[0].members[0].address, all[0].members[0].port};
  Hello own;
  own.size = 2;
  Hello hello = own;
  hello.from = 1;
  hello.kind = Hello::Kind::data;
  const Socket epoll(::epoll_create1(EPOLL_CLOEXEC));
  Doorman doorman(std::move(all[0].listener), Socket(), own, epoll.fd());
  const Socket socket = visit(address);
  say(socket, bytes_of(hello).first(10));
  std::vector<Guest> guests;
  const auto progress_until = [&](auto condition) {
    const auto end = Transport::Clock::now() + 10s;
    while (!condition() && Transport::Clock::now() < end) {
      doorman.progress(Transport::Clock::now(), guests);
    }
  };
  progress_until([&] { return doorman.is_watching(); });
  say(socket, bytes_of(hello).subspan(10));
  progress_until([&] { return !guests.empty(); });
  ASSERT_EQ(guests.size(), 1u);
  say(socket, bytes_of(hello));
  ASSERT_TRUE(await(guests[0].socket, POLLIN, Transport::Clock::now() + 10s));
  epoll_event event;
  EXPECT_EQ(::epoll_wait(epoll.fd(), &event, 1, 0), 0);
}

// Runs the body while this process can open `more` descriptors and no others.
void with_few_descriptors(int more, const std::function<void()>& body) {
  rlimit usual = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  rlimit small = usual;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  std::deque<Socket> plugs;  // the limit is about numbers, and lower ones may be free
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) plugs.emplace_back(fd);
  for (int i = 0; i < more; ++i) plugs.pop_back();
  body();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
}

TEST(Stranger, running_out_of_descriptors_names_the_limit) {
  const int ranks = 3;
  const Transports world = make_world(ranks);
  with_few_descriptors(0, [&] {
    on_all_ranks(ranks, [&](int rank) {
      const auto error = exchange(*world[rank], 1, allreduce_of(1), 10, 5000ms);
      ASSERT_TRUE(error);
      EXPECT_EQ(error->code(), ErrorCode::resource) << error->text();
      EXPECT_NE(error->text().find("ulimit -n"), std::string::npos) << error->text();
    });
  });
  with_few_descriptors(1, [&] {
    std::vector<Membership> all;
    EXPECT_ANY_THROW(memberships(2));
  });
}

}  // namespace
}  // namespace rondo::process
