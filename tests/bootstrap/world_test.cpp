// Ranks as threads form worlds over loopback: complete, incomplete, contradictory, disturbed.

#include "bootstrap/world.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <random>
#include <set>
#include <thread>

#include "base/text.hpp"
#include "bootstrap/address.hpp"
#include "bootstrap/rendezvous.hpp"
#include "bootstrap/wire.hpp"
#include "harness/folder.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo {
namespace {

namespace fs = std::filesystem;
using process::Clock;
using std::chrono::milliseconds;

using Outcome = Result<process::Membership>;
using Outcomes = std::vector<std::unique_ptr<Outcome>>;

constexpr milliseconds generous{30'000};
constexpr const char* agreement = "algorithm=ring\nradix=2\n";

struct Participant {
  Launch launch;
  std::string agreement = rondo::agreement;
  milliseconds join_timeout = generous;
  milliseconds late{0};
};

class World : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path("root"); }

  Participant participant(int rank, int size) const {
    Participant one;
    one.launch.rank = rank;
    one.launch.size = size;
    one.launch.rendezvous = "file:" + path();
    one.launch.job = "test job";
    return one;
  }
  std::vector<Participant> participants(const std::vector<int>& ranks, int size) const {
    std::vector<Participant> all;
    for (const int rank : ranks) all.push_back(participant(rank, size));
    return all;
  }
  std::vector<Participant> everybody(int size) const {
    std::vector<int> ranks(static_cast<std::size_t>(size));
    for (int rank = 0; rank < size; ++rank) ranks[static_cast<std::size_t>(rank)] = rank;
    return participants(ranks, size);
  }

  static Outcomes run(const std::vector<Participant>& all) {
    Outcomes outcomes(all.size());
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < all.size(); ++i) {
      threads.emplace_back([&, i] {
        std::this_thread::sleep_for(all[i].late);
        outcomes[i] = std::make_unique<Outcome>(
            form_world(all[i].launch, all[i].agreement, all[i].join_timeout));
      });
    }
    threads.clear();
    return outcomes;
  }

  static void expect_formed(const Outcomes& outcomes) {
    ASSERT_FALSE(outcomes.empty());
    for (const auto& outcome : outcomes) ASSERT_TRUE(outcome->ok()) << outcome->error().text();
    const process::Membership& first = outcomes[0]->value();
    for (const auto& outcome : outcomes) {
      const process::Membership& own = outcome->value();
      EXPECT_EQ(own.token, first.token);
      ASSERT_EQ(own.members.size(), first.members.size());
      for (std::size_t rank = 0; rank < own.members.size(); ++rank) {
        EXPECT_EQ(own.members[rank].port, first.members[rank].port);
        EXPECT_EQ(own.members[rank].address, first.members[rank].address);
        EXPECT_EQ(own.members[rank].host, host_name());
        EXPECT_EQ(own.members[rank].pid, ::getpid());
      }
      expect_reachable(own);
    }
  }

  /// The table leads to the very listener that the rank holds.
  static void expect_reachable(const process::Membership& own) {
    const process::Member& me = own.members[static_cast<std::size_t>(own.rank)];
    const Result<process::Address> bound = process::local_address(own.listener);
    ASSERT_TRUE(bound.ok());
    EXPECT_EQ(bound.value().port, me.port);
    const auto connected = process::connect_until({me.address, me.port}, Clock::now() + generous);
    EXPECT_TRUE(connected.ok()) << connected.error().text();
  }

  static void expect_all_say(const Outcomes& outcomes, const std::vector<std::string>& parts) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      ASSERT_FALSE(outcomes[i]->ok()) << i;
      EXPECT_EQ(outcomes[i]->error().code(), ErrorCode::join_failed);
      for (const std::string& part : parts) {
        EXPECT_NE(outcomes[i]->error().text().find(part), std::string::npos)
            << i << ": " << outcomes[i]->error().text();
      }
    }
  }

  testing::Folder folder_;
};

std::uint16_t free_port() {
  const Result<process::Socket> probe = process::listen_on("127.0.0.1", 0);
  return process::local_address(probe.value()).value().port;
}

TEST_F(World, OfOneNeedsNoSocketAndNoFile) {
  const Outcomes outcomes = run({Participant{}});
  ASSERT_TRUE((*outcomes[0]).ok());
  EXPECT_EQ(outcomes[0]->value().members.size(), 1u);
  EXPECT_FALSE(outcomes[0]->value().listener);
}

TEST_F(World, OfOneToEightThroughAFile) {
  std::set<std::array<std::byte, 16>> tokens;
  for (int size = 2; size <= 8; ++size) {
    const Outcomes outcomes = run(everybody(size));
    expect_formed(outcomes);
    EXPECT_TRUE(tokens.insert(outcomes[0]->value().token).second);
    EXPECT_FALSE(fs::exists(path())) << "the file is gone once the world has formed";
  }
}

TEST_F(World, ThroughAHostAndPort) {
  std::vector<Participant> all = everybody(4);
  const std::string root = "localhost:" + std::to_string(free_port());
  for (Participant& one : all) one.launch.rendezvous = root;
  all[0].late = milliseconds(100);
  expect_formed(run(all));
}

TEST_F(World, ThroughOneOfSeveralPortsWhenStrangersHoldTheFirst) {
  Result<process::Socket> stranger = process::listen_on("127.0.0.1", 0);
  ASSERT_TRUE(stranger.ok());
  const int taken = process::local_address(stranger.value()).value().port;
  std::atomic<bool> done = false;
  // It hangs up on everybody, as a server with another protocol would.
  std::jthread closing([&] {
    while (!done) (void)process::accept_from(stranger.value());
  });
  std::vector<Participant> all = everybody(3);
  const std::string root =
      "127.0.0.1:" + std::to_string(taken) + "-" + std::to_string(std::min(taken + 7, 65535));
  for (Participant& one : all) one.launch.rendezvous = root;
  const Outcomes outcomes = run(all);
  done = true;
  expect_formed(outcomes);
}

TEST_F(World, ListeningOnAllInterfacesGivesReachableAddresses) {
  std::vector<Participant> all = everybody(3);
  const std::string root = "127.0.0.1:" + std::to_string(free_port());
  for (Participant& one : all) {
    one.launch.rendezvous = root;
    one.launch.listen = "0.0.0.0";
  }
  expect_formed(run(all));
}

TEST_F(World, OfManyRanks) {
  expect_formed(run(everybody(64)));
}

TEST_F(World, MissingRanksAreListedToAllThatCame) {
  std::vector<Participant> all = participants({0, 1, 3, 4, 6}, 7);
  for (Participant& one : all) one.join_timeout = milliseconds(1000);
  expect_all_say(run(all), {"ranks 2, 5 did not join within"});
  EXPECT_FALSE(fs::exists(path()));
}

TEST_F(World, TheEarliestDeadlineCountsForAll) {
  std::vector<Participant> all = participants({0, 2}, 3);
  all[1].join_timeout = milliseconds(1000);
  const auto start = Clock::now();
  expect_all_say(run(all), {"rank 1 did not join within"});
  EXPECT_LT(Clock::now() - start, generous / 2);
}

TEST_F(World, WithoutRankZeroTheOthersSayWhereTheyLooked) {
  std::vector<Participant> all = participants({1, 2}, 3);
  for (Participant& one : all) one.join_timeout = milliseconds(200);
  expect_all_say(run(all), {"did not find rank 0 within 200 ms", path()});
  const std::string root = "127.0.0.1:" + std::to_string(free_port());
  for (Participant& one : all) one.launch.rendezvous = root;
  expect_all_say(run(all), {"did not find rank 0 within 200 ms", root, "refused"});
}

TEST_F(World, ADuplicateIsToldAndTheOthersGoOn) {
  const auto start = [this](int rank) {
    return std::async(std::launch::async, [this, rank] { return run({participant(rank, 3)}); });
  };
  std::future<Outcomes> root = start(0);
  std::vector<std::future<Outcomes>> claimants;
  claimants.push_back(start(1));
  claimants.push_back(start(1));
  // The one that came second is told at once, while rank 2 is still missing.
  std::size_t second = 0;
  while (claimants[second].wait_for(milliseconds(1)) != std::future_status::ready) second ^= 1;
  const Outcomes refused = claimants[second].get();
  expect_all_say(refused, {"rank 1 is taken twice", host_name(), concat("pid ", ::getpid())});
  std::future<Outcomes> last = start(2);
  for (std::future<Outcomes>* other : {&root, &claimants[second ^ 1], &last}) {
    const Outcomes outcomes = other->get();
    ASSERT_TRUE((*outcomes[0]).ok()) << outcomes[0]->error().text();
  }
}

TEST_F(World, DifferentSizesFailEverywhereWithoutWaitingForTheDeadline) {
  std::vector<Participant> all = everybody(4);
  all[3].launch.size = 5;
  const auto start = Clock::now();
  expect_all_say(run(all), {"rank 3", "says 5 ranks", "rank 0", "says 4"});
  EXPECT_LT(Clock::now() - start, generous / 2);
}

TEST_F(World, ARankOutOfRangeFailsEverywhere) {
  std::vector<Participant> all = everybody(3);
  all[2].launch.rank = 4;
  all[2].launch.size = 5;
  expect_all_say(run(all), {"rank 4", "says 5 ranks"});
}

TEST_F(World, DifferentOptionsFailEverywhere) {
  std::vector<Participant> all = everybody(4);
  all[2].agreement = "algorithm=knomial\nradix=2\n";
  expect_all_say(run(all),
                 {"option algorithm differs: rank 2 has knomial, ranks 0, 1, 3 have ring"});
}

TEST_F(World, AnAgreementThatIsTooLongIsRefused) {
  std::vector<Participant> all = everybody(2);
  for (Participant& one : all) one.agreement = std::string(5000, 'a');
  for (const auto& outcome : run(all)) {
    ASSERT_FALSE(outcome->ok());
    EXPECT_EQ(outcome->error().code(), ErrorCode::invalid_argument);
  }
}

TEST_F(World, AnotherJobIsAStranger) {
  std::vector<Participant> all = everybody(3);
  all[2].launch.job = "another job";
  for (Participant& one : all) one.join_timeout = milliseconds(1000);
  const Outcomes outcomes = run(all);
  for (int rank : {0, 1}) {
    EXPECT_NE(outcomes[rank]->error().text().find("rank 2 did not join"), std::string::npos)
        << outcomes[rank]->error().text();
  }
  EXPECT_NE(outcomes[2]->error().text().find("not rank 0 of this job"), std::string::npos)
      << outcomes[2]->error().text();
}

TEST_F(World, AStaleFileIsTriedAgain) {
  std::ofstream(path()) << "127.0.0.1:" << free_port() << "\n";
  std::vector<Participant> all = everybody(3);
  all[0].late = milliseconds(200);
  expect_formed(run(all));
}

TEST_F(World, AStaleFileThatLeadsToASilentStrangerIsTriedAgain) {
  const Result<process::Socket> silent = process::listen_on("127.0.0.1", 0);
  std::ofstream(path()) << to_text(process::local_address(silent.value()).value()) << "\n";
  std::vector<Participant> all = everybody(2);
  all[0].late = milliseconds(200);
  expect_formed(run(all));
}

/// Talks to the rendezvous port without being a rank.
class Stranger {
 public:
  explicit Stranger(const std::string& path) {
    const auto end = Clock::now() + generous;
    std::optional<process::Address> address;
    while (!address && Clock::now() < end) address = read_publication(path);
    address_ = address.value();
  }
  process::Socket connect() const {
    return std::move(process::connect_until(address_, Clock::now() + generous)).value();
  }
  void say(const process::Socket& socket, std::string_view text) const {
    (void)process::write_all(socket, std::as_bytes(std::span(text.data(), text.size())),
                             Clock::now() + generous);
  }
  /// What comes back, up to a number of bytes or the end of the connection. Rank 0 has seen the end
  /// of this one when it returns.
  wire::Bytes exchange(const wire::Hello& hello, std::size_t most) const {
    const process::Socket socket = connect();
    (void)process::write_all(socket, wire::encode(hello), Clock::now() + generous);
    wire::Bytes answer;
    std::byte byte;
    while (answer.size() < most &&
           process::read_all(socket, std::span(&byte, 1), Clock::now() + generous)) {
      answer.push_back(byte);
    }
    ::shutdown(socket.fd(), SHUT_WR);
    (void)hung_up(socket);
    return answer;
  }
  static bool hung_up(const process::Socket& socket) {
    char byte;
    return process::await(socket, POLLIN, Clock::now() + generous) &&
           ::recv(socket.fd(), &byte, 1, 0) <= 0;
  }

 private:
  process::Address address_;
};

TEST_F(World, StrangersDuringFormationChangeNothing) {
  std::vector<Participant> all = participants({0, 1, 2}, 4);
  std::future<Outcomes> world = std::async(std::launch::async, [&] { return run(all); });
  const Stranger stranger(path());
  std::vector<process::Socket> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(stranger.connect());
  for (int i = 0; i < 20; ++i) (void)stranger.connect();
  stranger.say(silent[99], "G");
  const process::Socket http = stranger.connect();
  stranger.say(http, "GET / HTTP/1.1\r\nHost: rondo.example\r\nUser-Agent: curl/8.0\r\n\r\n" +
                         std::string(64, ' '));
  EXPECT_TRUE(Stranger::hung_up(http));
  EXPECT_TRUE(Stranger::hung_up(silent[0])) << "more than 64 silent ones are too many";
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) {
    std::string noise(1 + random() % 5000, ' ');
    for (char& letter : noise) letter = static_cast<char>(random());
    const process::Socket socket = stranger.connect();
    stranger.say(socket, noise);
  }
  Outcomes last = run({participant(3, 4)});
  Outcomes outcomes = world.get();
  outcomes.push_back(std::move(last[0]));
  expect_formed(outcomes);
}

TEST_F(World, AWrongKeyGetsNoAnswer) {
  std::vector<Participant> all = participants({0}, 2);
  all[0].join_timeout = milliseconds(1000);
  std::future<Outcomes> world = std::async(std::launch::async, [&] { return run(all); });
  const Stranger stranger(path());
  wire::Hello hello;
  hello.rank = 1;
  hello.size = 2;
  hello.key = wire::key_of("guess");
  hello.patience = generous;
  hello.address = "127.0.0.1";
  EXPECT_TRUE(stranger.exchange(hello, 1).empty());
  expect_all_say(world.get(), {"rank 1 did not join"});
}

TEST_F(World, AnotherVersionIsToldBoth) {
  std::vector<Participant> all = everybody(3);
  all.pop_back();
  std::future<Outcomes> world = std::async(std::launch::async, [&] { return run(all); });
  wire::Hello hello;
  hello.version = 9;
  hello.rank = 2;
  hello.size = 3;
  hello.key = wire::key_of("test job");
  hello.patience = generous;
  hello.address = "127.0.0.1";
  const wire::Bytes answer = Stranger(path()).exchange(hello, 10'000);
  const std::string text = wire::decode_refusal(answer);
  EXPECT_NE(text.find("speaks protocol version 9"), std::string::npos) << text;
  EXPECT_NE(text.find(concat("speaks ", wire::protocol_version)), std::string::npos) << text;
  expect_all_say(world.get(), {"rank 2", "speaks protocol version 9",
                               concat("speaks ", wire::protocol_version)});
}

TEST_F(World, ARankThatDiesWhileWaitingIsReplaced) {
  std::future<Outcomes> root =
      std::async(std::launch::async, [this] { return run({participant(0, 3)}); });
  wire::Hello hello;
  hello.rank = 1;
  hello.size = 3;
  hello.key = wire::key_of("test job");
  hello.patience = generous;
  hello.address = "127.0.0.1";
  hello.agreement = agreement;
  EXPECT_FALSE(Stranger(path()).exchange(hello, wire::reply_header_bytes).empty());
  Outcomes outcomes = run(participants({1, 2}, 3));
  outcomes.push_back(std::move(root.get()[0]));
  expect_formed(outcomes);
}

TEST_F(World, RankZeroSaysWhyItCannotListen) {
  const Result<process::Socket> holder = process::listen_on("127.0.0.1", 0);
  std::vector<Participant> all = participants({0}, 2);
  all[0].launch.rendezvous = to_text(process::local_address(holder.value()).value());
  const Outcomes outcomes = run(all);
  ASSERT_FALSE((*outcomes[0]).ok());
  EXPECT_NE(outcomes[0]->error().text().find("rank 0 has to listen at"), std::string::npos);
}

TEST_F(World, ALoopbackRootOfAWorldOnSeveralHostsIsRefused) {
  std::vector<Participant> all = participants({0}, 4);
  all[0].launch.rendezvous = "127.0.0.1:" + std::to_string(free_port());
  all[0].launch.local_size = 2;
  expect_all_say(run(all), {"RONDO_LISTEN"});
}

}  // namespace
}  // namespace rondo
