// Messages between two ranks: order, sizes, groups, ranks themselves, and what goes on beside them.

#include <gmock/gmock.h>

#include <array>

#include "api/inputs.hpp"

namespace rondo {
namespace {

using std::chrono::milliseconds;
using testing::error_of;
using testing::guard;
using ::testing::HasSubstr;
using testing::inputs;
using testing::on_processes;
using testing::on_world;
using testing::Values;

/// Between threads, then between processes.
void on_both(int ranks, const Options& options, const std::function<void(Communicator&)>& body) {
  {
    SCOPED_TRACE(std::to_string(ranks) + " threads");
    on_world(ranks, options, body);
  }
  SCOPED_TRACE(std::to_string(ranks) + " processes");
  on_processes(ranks, options, body);
}

TEST(Exchange, SendsMeetRecvsInOrder) {
  on_both(2, {}, [](Communicator& comm) {
    for (const std::size_t count : {0u, 1u, 5u, 300'007u}) {
      const std::array<int, 2> numbers = {41, 42};
      if (comm.rank() == 0) {
        comm.send(inputs(0, count), 1);
        comm.send(numbers, 1);
        comm.send(inputs(5, count), 1);
      } else {
        Values first(count, guard);
        std::array<int, 2> got = {};
        Values second(count, guard);
        comm.recv(first, 0);
        comm.recv(got, 0);
        comm.recv(second, 0);
        EXPECT_EQ(first, inputs(0, count));
        EXPECT_EQ(got, numbers);
        EXPECT_EQ(second, inputs(5, count));
      }
    }
  });
}

TEST(Exchange, ARingOfAnyOrderDoesNotBlock) {
  for (int ranks = 1; ranks <= 7; ++ranks) {
    on_both(ranks, {}, [](Communicator& comm) {
      const int right = (comm.rank() + 1) % comm.size();
      const int left = (comm.rank() + comm.size() - 1) % comm.size();
      for (const std::size_t count : {0u, 3u, 100'003u}) {
        const Values own = inputs(comm.rank(), count);
        Values ghost(count, guard);
        if (comm.rank() % 2 == 0) {
          comm.exchange({send_to(right, own), recv_from(left, ghost)});
        } else {
          comm.exchange({recv_from(left, ghost), send_to(right, own)});
        }
        EXPECT_EQ(ghost, inputs(left, count));
      }
    });
  }
}

TEST(Exchange, EverybodyWithEverybodyAlsoOneself) {
  on_both(5, {}, [](Communicator& comm) {
    constexpr int times = 3;
    std::vector<Values> sent;
    std::vector<Values> got;
    std::vector<Message> messages;
    for (int i = 0; i < times; ++i) {
      for (int peer = 0; peer < comm.size(); ++peer) {
        sent.push_back(inputs(comm.rank() * 10 + i, static_cast<std::size_t>(peer + i)));
        got.emplace_back(static_cast<std::size_t>(comm.rank() + i), guard);
      }
    }
    for (int peer = 0; peer < comm.size(); ++peer) {
      for (int i = 0; i < times; ++i) {
        const auto slot = static_cast<std::size_t>(i * comm.size() + peer);
        messages.push_back(recv_from(peer, got[slot]));
        messages.push_back(send_to(peer, sent[slot]));
      }
    }
    comm.iexchange(messages).wait();
    for (int i = 0; i < times; ++i) {
      for (int peer = 0; peer < comm.size(); ++peer) {
        EXPECT_EQ(got[static_cast<std::size_t>(i * comm.size() + peer)],
                  inputs(peer * 10 + i, static_cast<std::size_t>(comm.rank() + i)));
      }
    }
    comm.exchange({});
  });
}

TEST(Exchange, NonblockingOnesGoOnSideBySide) {
  on_both(4, {}, [](Communicator& comm) {
    const int right = (comm.rank() + 1) % comm.size();
    const int left = (comm.rank() + comm.size() - 1) % comm.size();
    const Values own = inputs(comm.rank(), 200'003);
    Values ghost(own.size(), guard);
    Work sending = comm.isend(own, right);  // everybody sends before anybody receives
    comm.recv(ghost, left);
    sending.wait();
    EXPECT_EQ(ghost, inputs(left, own.size()));
    Values late(3, guard);
    Values early(2, guard);
    Work second = comm.irecv(late, left);
    Work other = comm.irecv(early, right);
    comm.isend(std::span(own).first(2), left).wait();
    other.wait();  // though the one before it has not ended
    EXPECT_EQ(early, inputs(right, 2));
    comm.barrier();
    comm.send(std::span(own).first(3), right);
    second.wait();
    EXPECT_EQ(late, inputs(left, 3));
  });
}

TEST(Exchange, GoesOnBesideCollectives) {
  on_both(3, {}, [](Communicator& comm) {
    Values got(4, guard);
    Work receiving;
    if (comm.rank() == 2) receiving = comm.irecv(got, 0);
    EXPECT_EQ(comm.allreduce_value(comm.rank()), 3);  // the message has not been sent yet
    Values sum(10'007, 1.0f);
    Work reducing = comm.iallreduce(sum);
    if (comm.rank() == 0) comm.send(inputs(0, 4), 2);
    receiving.wait();
    reducing.wait();
    EXPECT_EQ(sum, Values(10'007, 3.0f));
    if (comm.rank() == 2) {
      EXPECT_EQ(got, inputs(0, 4));
    }
    for (int i = 0; i < comm.rank(); ++i) comm.exchange({});  // ranks count for themselves
    Communicator twin = comm.duplicate();
    if (comm.rank() == 1) twin.send(inputs(1, 4), 0);
    if (comm.rank() == 0) {
      twin.recv(got, 1);
      EXPECT_EQ(got, inputs(1, 4));
    }
    comm.barrier();
  });
}

TEST(Exchange, SizesAndTypesMustAgree) {
  const std::vector<std::function<void(Communicator&)>> odd_recvs = {
      [](Communicator& comm) {
        Values seven(7, guard);
        comm.recv(seven, 0);
      },
      [](Communicator& comm) {
        Values three(3, guard);
        comm.recv(three, 0);
      },
      [](Communicator& comm) {
        std::vector<int> five(5);
        comm.recv(five, 0);
      },
      [](Communicator& comm) {
        Values none;
        comm.recv(none, 0);
      },
  };
  const char* const expected[] = {"7 f32", "3 f32", "5 i32", "0 f32"};
  for (std::size_t odd = 0; odd < odd_recvs.size(); ++odd) {
    on_both(3, {}, [&](Communicator& comm) {
      Values ready(1);
      if (comm.rank() == 2) {
        EXPECT_EQ(error_of([&] {
                    comm.exchange({send_to(0, ready), send_to(1, ready)});
                    Values never(1);
                    comm.recv(never, 1);
                  }).code(),
                  ErrorCode::mismatch)
            << "the failure reaches those who wait for the ranks concerned";
        return;
      }
      comm.recv(ready, 2);  // else the failure could find rank 2 still entering the world
      const Error error = error_of([&] {
        if (comm.rank() == 1) odd_recvs[odd](comm);
        // A short send may have ended before the other side looked at it.
        if (comm.rank() == 0) comm.send(inputs(0, 5), 1);
        Values more(1);
        if (comm.rank() == 0) comm.recv(more, 1);
      });
      EXPECT_EQ(error.code(), ErrorCode::mismatch) << error.what();
      EXPECT_THAT(error.text(), HasSubstr("rank 0 sends rank 1 5 f32"));
      EXPECT_THAT(error.text(), HasSubstr(std::string("rank 1 expects ") + expected[odd]));
      EXPECT_EQ(error_of([&] { comm.barrier(); }).code(), ErrorCode::mismatch);
      EXPECT_TRUE(comm.error());
    });
  }
}

TEST(Exchange, ASilentRankIsNamed) {
  on_both(3, {}, [](Communicator& comm) {
    comm.barrier();
    if (comm.rank() == 0) {
      comm.set_timeout(milliseconds(300));
      Values values(4);
      const Error error = error_of([&] { comm.recv(values, 2); });
      EXPECT_EQ(error.code(), ErrorCode::timeout) << error.what();
      EXPECT_EQ(error.peer(), 2);
      EXPECT_THAT(error.text(), HasSubstr("rank 2 did not answer"));
      const Error later = error_of([&] { comm.barrier(); });
      EXPECT_EQ(later.code(), ErrorCode::timeout) << later.what();
    } else {
      // Both are told, though neither takes part in exchanges.
      const Error error = error_of([&] { comm.barrier(); });
      EXPECT_EQ(error.peer(), 2) << error.what();
      EXPECT_THAT(error.text(), HasSubstr("rank 2 did not answer"));
    }
  });
}

TEST(Exchange, ARankThatLeavesIsNamed) {
  on_both(3, {}, [](Communicator& comm) {
    comm.barrier();
    if (comm.rank() == 1) return;
    if (comm.rank() == 2) {
      const Communicator gone = std::move(comm);
      return;
    }
    Values values(4);
    const Error error = error_of([&] { comm.recv(values, 2); });
    EXPECT_EQ(error.code(), ErrorCode::peer_left) << error.what();
    EXPECT_EQ(error.peer(), 2);
  });
}

TEST(Exchange, WhatEndsCollectivesEndsMessagesAndTheOtherWayRound) {
  on_both(3, {}, [](Communicator& comm) {
    Values values(4);
    Work pending = comm.irecv(values, (comm.rank() + 1) % comm.size());
    const Error error = error_of([&] {
      comm.barrier();  // which an abort may end for those that have not left it yet
      if (comm.rank() == 1) comm.abort("enough");
      pending.wait();
    });
    EXPECT_EQ(error.code(), ErrorCode::aborted) << error.what();
    EXPECT_THAT(error.text(), HasSubstr("enough"));
    EXPECT_EQ(error_of([&] { comm.barrier(); }).code(), ErrorCode::aborted);
  });
}

TEST(Exchange, WrongArgumentsAreRefusedBeforeAnythingMoves) {
  on_both(2, {}, [](Communicator& comm) {
    Values values(8);
    const auto refused = [&](const std::function<void()>& call, const char* words) {
      const Error error = error_of(call);
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.text(), HasSubstr(words));
    };
    const int me = comm.rank();
    refused([&] { comm.send(values, 2); }, "send of 8 f32 to 2: there is no such rank");
    refused([&] { comm.recv(values, -1); }, "recv of 8 f32 from -1: there is no such rank");
    refused([&] { comm.send(values, me); }, "sends itself 1 messages, but receives 0");
    const std::span<float> all(values);
    refused(
        [&] {
          comm.exchange({send_to(me, all.first(4)), recv_from(me, all.last(3))});
        },
        "must agree in size and type");
    refused(
        [&] {
          comm.exchange({send_to(1 - me, all.first(5)), recv_from(1 - me, all.last(5))});
        },
        "the buffers of two messages overlap");
    refused(
        [&] {
          comm.exchange({{Message::Kind::send, 1 - me, nullptr, 3, DType::f32}});
        },
        "the buffer is null");
    refused(
        [&] {
          comm.exchange(
              {{Message::Kind::send, 1 - me, values.data(), std::size_t{1} << 62, DType::f64}});
        },
        "exceed the memory");
    refused(
        [&] {
          comm.exchange({{static_cast<Message::Kind>(7), 1 - me, values.data(), 1, DType::f32}});
        },
        "no kind of message number 7");
    comm.exchange({send_to(1 - me, all.first(4)), recv_from(1 - me, all.last(4))});
  });
}

}  // namespace
}  // namespace rondo
