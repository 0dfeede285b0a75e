// Collectives that are captured into graphs, and carried out by them.

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "base/text.hpp"
#include "ranks.hpp"

namespace rondo::test {
namespace {

/// What a rank's stream is given by `calls`.
class Graph {
 public:
  Graph(const Rank& rank, const std::function<void()>& calls) : rank_(rank) {
    must(rank.runtime.begin_capture(rank.stream));
    calls();
    graph_ = must(rank.runtime.end_capture(rank.stream));
    instance_ = must(rank.runtime.instantiate(graph_));
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() {
    static_cast<void>(rank_.runtime.destroy_instance(instance_).ok());
    static_cast<void>(rank_.runtime.destroy_graph(graph_).ok());
  }
  GraphInstance another() const { return must(rank_.runtime.instantiate(graph_)); }
  void launch() const { must(rank_.runtime.launch(rank_.stream, instance_)); }

 private:
  const Rank& rank_;
  DeviceGraph graph_;
  GraphInstance instance_;
};

// By host memory, and from device to device.
void run_both_ways(int ranks, const Body& body, const Options& options = {}) {
  {
    SCOPED_TRACE("by host memory");
    run_ranks(ranks, body, options);
  }
  SCOPED_TRACE("from device to device");
  run_connected(ranks, body, options);
}

// Element i of the sum of what all ranks give, which is i + 100 · rank + add.
int sum_at(const Rank& rank, std::size_t i, int add) {
  const int size = rank.comm.size();
  return size * (static_cast<int>(i) + add) + 100 * size * (size - 1) / 2;
}

void check(const char* what, const std::vector<int>& got,
           const std::function<int(std::size_t)>& of) {
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(got[i], of(i)) << what << ", element " << i;
}

// Several calls in one graph, carried out again with other numbers.
TEST(Captured, AllCollectivesAreCarriedOutEachTime) {
  run_both_ways(3, [](Rank& rank) {
    constexpr std::size_t count = 300;
    const auto blocks = static_cast<std::size_t>(rank.comm.size());
    const int own = rank.number();
    const DeviceSpan<int> one = rank.put(counting(count, 0));
    const DeviceSpan<int> sum = rank.put(std::vector<int>(count, -1));
    const DeviceSpan<int> told = rank.put(std::vector<int>(count, -1));
    const DeviceSpan<int> all = rank.put(std::vector<int>(count * blocks, -1));
    const DeviceSpan<int> part = rank.put(std::vector<int>(count, -1));
    const DeviceSpan<int> exchanged = rank.put(std::vector<int>(count * blocks, -1));
    const std::vector<std::size_t> counts(blocks, count);
    const DeviceSpan<int> many = rank.put(std::vector<int>(count * blocks, 0));
    CUstream_st* const stream = rank.native();
    std::vector<Work> works;
    const Graph graph(rank, [&] {
      works.push_back(rank.comm.allreduce(one, sum, Op::sum, stream));
      must(rank.runtime.copy(rank.stream, told.data(), one.data(), count * sizeof(int)));
      works.push_back(rank.comm.broadcast(told, rank.comm.size() - 1, stream));
      works.push_back(rank.comm.allgather(one, all, stream));
      works.push_back(rank.comm.reduce_scatter(all, part, Op::max, stream));
      works.push_back(rank.comm.alltoallv(many, {counts}, exchanged, {counts}, stream));
    });
    for (Work& work : works) EXPECT_TRUE(work.done());
    EXPECT_EQ(rank.get(sum), std::vector<int>(count, -1)) << "carried out when captured";
    for (const int add : {0, 7, 1000}) {
      rank.write(one, counting(count, 100 * own + add));
      rank.write(many, counting(count * blocks, 100 * own + add));
      graph.launch();
      const int last = rank.comm.size() - 1;
      check("allreduce", rank.get(sum), [&](std::size_t i) { return sum_at(rank, i, add); });
      check("broadcast", rank.get(told),
            [&](std::size_t i) { return static_cast<int>(i) + 100 * last + add; });
      const auto gathered = [&](std::size_t i) {
        return static_cast<int>(i % count) + 100 * static_cast<int>(i / count) + add;
      };
      check("allgather", rank.get(all), gathered);
      check("reduce_scatter", rank.get(part),
            [&](std::size_t i) { return gathered(i + count * static_cast<std::size_t>(own)); });
      check("alltoallv", rank.get(exchanged), [&](std::size_t i) {
        const auto from = i / count;
        return static_cast<int>(i % count + count * static_cast<std::size_t>(own) + 100 * from) +
               add;
      });
      for (Work& work : works) work.wait();
    }
  });
}

// The host is through with all of them before the stream has begun: calls that it makes later must
// not keep the graph's from being carried out before.
TEST(Captured, GraphsGoBetweenOtherCalls) {
  run_both_ways(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1, 2});
    const DeviceSpan<int> others = rank.put({3});
    std::vector<Work> works;
    const Graph sum(rank,
                    [&] { works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native())); });
    const Graph both(rank, [&] {
      works.push_back(rank.comm.allreduce(others, Op::sum, rank.native()));
      works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native()));
    });
    rank.gate.hold(rank.stream);
    int expected = 1;
    int expected_others = 3;
    const int size = rank.comm.size();
    for (int i = 0; i < 3; ++i) {
      sum.launch();
      works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native()));
      both.launch();
      works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native()));
      both.launch();
      expected *= size * size * size * size * size;
      expected_others *= size * size;
    }
    rank.gate.open();
    EXPECT_EQ(rank.get(numbers), (std::vector<int>{expected, 2 * expected}));
    EXPECT_EQ(rank.get(others), std::vector<int>{expected_others});
    for (Work& work : works) work.wait();
    std::vector<int> host = {1};
    rank.comm.allreduce(host);
    EXPECT_EQ(host[0], size);
  });
}

// Nobody keeps the Work.
TEST(Captured, CallsMeetThoseOfTheHost) {
  run_both_ways(2, [](Rank& rank) {
    const int size = rank.comm.size();
    if (rank.number() == 0) {
      for (int i = 0; i < 3; ++i) {
        std::vector<int> host = {i};
        rank.comm.allreduce(host);
        EXPECT_EQ(host[0], i * size);
      }
      return;
    }
    const DeviceSpan<int> numbers = rank.put({0});
    const Graph graph(
        rank, [&] { const Work work = rank.comm.allreduce(numbers, Op::sum, rank.native()); });
    for (int i = 0; i < 3; ++i) {
      rank.write(numbers, {i});
      graph.launch();
      EXPECT_EQ(rank.get(numbers), std::vector<int>{i * size});
    }
  });
}

// The engine asks for the call meanwhile, of which the stream is not to know.
TEST(Captured, BehindCallsThatTheStreamHasNotComeTo) {
  run_both_ways(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    rank.gate.hold(rank.stream);
    Work before = rank.comm.allreduce(numbers, Op::sum, rank.native());
    std::optional<Work> captured;
    const Graph graph(rank, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      captured.emplace(rank.comm.allreduce(numbers, Op::sum, rank.native()));
    });
    graph.launch();
    rank.gate.open();
    const int size = rank.comm.size();
    EXPECT_EQ(rank.get(numbers), std::vector<int>{size * size});
    before.wait();
    captured->wait();
  });
}

// What a graph had serves the next one, and nothing is freed before the end.
TEST(Captured, GraphsThatAreNeverLaunchedGiveBackWhatTheyHad) {
  run_both_ways(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(std::vector<int>(5000, 1));
    const auto capture = [&](DeviceSpan<int> span) {
      const Graph graph(rank, [&] {
        Work work = rank.comm.allreduce(span, Op::sum, rank.native());
        EXPECT_TRUE(work.done());
      });
    };
    capture(numbers);
    const int waiting = rank.count(&Machine::waiting_calls);
    for (int i = 0; i < 3; ++i) capture(numbers);
    capture(DeviceSpan<int>(numbers.data(), 10));
    EXPECT_EQ(rank.count(&Machine::waiting_calls), waiting) << "memory was allocated again";
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    EXPECT_EQ(rank.get(numbers), std::vector<int>(5000, rank.comm.size()));
    work.wait();
  });
}

TEST(Captured, RanksThatDisagreeAreTold) {
  run_both_ways(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1, 2, 3});
    const DeviceSpan<int> own(numbers.data(), rank.number() == 0 ? 2 : 3);
    std::optional<Work> work;
    const Graph graph(rank,
                      [&] { work.emplace(rank.comm.allreduce(own, Op::sum, rank.native())); });
    work->wait();
    graph.launch();
    rank.synchronize();
    EXPECT_EQ(error_of(*work).code(), ErrorCode::mismatch);
    // It stays.
    graph.launch();
    rank.synchronize();
    EXPECT_EQ(error_of(*work).code(), ErrorCode::mismatch);
  });
}

// The streams go on.
TEST(Captured, CallsEndWithAnAbort) {
  run_both_ways(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    std::vector<Work> works;
    const Graph graph(rank, [&] {
      for (int i = 0; i < 2; ++i) {
        works.push_back(rank.comm.allreduce(numbers, Op::sum, rank.native()));
      }
    });
    graph.launch();
    rank.synchronize();
    if (rank.number() == 1) rank.gate.hold(rank.stream);
    graph.launch();
    rank.meet();
    if (rank.number() == 1) rank.comm.abort("enough");
    rank.gate.open();
    rank.synchronize();
    for (Work& work : works) {
      const Error error = error_of(work);
      EXPECT_EQ(error.code(), ErrorCode::aborted) << error.text();
      EXPECT_NE(error.text().find("enough"), std::string::npos) << error.text();
    }
    graph.launch();
    rank.synchronize();
  });
}

TEST(Captured, CallsNameTheRankThatDoesNotCome) {
  Options options;
  options.timeout = std::chrono::milliseconds(300);
  run_both_ways(
      3,
      [](Rank& rank) {
        const DeviceSpan<int> numbers = rank.put({1});
        std::optional<Work> work;
        const Graph graph(
            rank, [&] { work.emplace(rank.comm.allreduce(numbers, Op::sum, rank.native())); });
        if (rank.number() == 1) return;
        graph.launch();
        rank.synchronize();
        const Error error = error_of(*work);
        EXPECT_EQ(error.code(), ErrorCode::timeout) << error.text();
        EXPECT_NE(error.text().find("rank 1"), std::string::npos) << error.text();
      },
      options);
}

// Rank 1's process dies in a graph, with its memory open everywhere.
TEST(Captured, CallsNameTheRankThatDiesAmongThem) {
  if (!are_processes()) GTEST_SKIP() << "all ranks are one process";
  run_connected(3, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put(counting(1000, 0));
    std::optional<Work> work;
    const Graph graph(rank,
                      [&] { work.emplace(rank.comm.allreduce(numbers, Op::sum, rank.native())); });
    graph.launch();
    rank.synchronize();
    rank.meet();
    if (rank.number() == 1) emulated(rank.runtime)->die_in_next_kernel();
    graph.launch();
    if (rank.number() == 1) {
      while (!work->error()) std::this_thread::yield();
    } else {
      rank.synchronize();  // throws where the device is of no use any more
      rank.get(numbers);
      graph.launch();
      rank.synchronize();
    }
    const Error error = error_of(*work);
    EXPECT_NE(error.text().find("rank 1"), std::string::npos) << error.text();
    EXPECT_NE(error.text().find("was killed"), std::string::npos) << error.text();
  });
}

// Rank 1 comes to the call only when rank 0 has come to it twice.
TEST(Captured, TwoInstancesAtATimeAreToldApart) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "two instances copy to the same memory at the same time: that is the mistake";
#endif
  if (!are_emulated()) GTEST_SKIP() << "real ones do not say when a host function has been called";
  run_both_ways(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    std::optional<Work> work;
    const Graph graph(rank,
                      [&] { work.emplace(rank.comm.allreduce(numbers, Op::sum, rank.native())); });
    const GraphInstance second = graph.another();
    const Stream other(rank.runtime);
    if (rank.number() == 0) {
      const int before = rank.machine().host_calls;
      graph.launch();
      must(rank.runtime.launch(other, second));
      while (rank.machine().host_calls < before + 2) std::this_thread::yield();
    }
    rank.meet();
    if (rank.number() == 1) graph.launch();
    rank.synchronize();
    must(rank.runtime.synchronize(other));
    if (rank.number() == 0) {
      const Error error = error_of(*work);
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.text();
      EXPECT_NE(error.text().find("only one may be carried out at a time"), std::string::npos);
    }
    must(rank.runtime.destroy_instance(second));
  });
}

// A graph may outlive the communicator: the calls are left out, and what comes after is not.
TEST(Captured, CallsAreLeftOutWhenTheCommunicatorHasEnded) {
  testing::internal::CaptureStderr();
  run_ranks(2, [](Rank& rank) {
    Communicator part = rank.comm.split(0, rank.number());
    const DeviceSpan<int> numbers = rank.put({1});
    const DeviceSpan<int> after = rank.put({0});
    const DeviceSpan<int> seven = rank.put({7});
    std::optional<Work> work;
    const Graph graph(rank, [&] {
      work.emplace(part.allreduce(numbers, Op::sum, rank.native()));
      must(rank.runtime.copy(rank.stream, after.data(), seven.data(), sizeof(int)));
    });
    graph.launch();
    EXPECT_EQ(rank.get(numbers), std::vector<int>{rank.comm.size()});
    part = Communicator();
    rank.write(after, {0});
    for (int i = 0; i < 2; ++i) graph.launch();
    EXPECT_EQ(rank.get(after), std::vector<int>{7});
    work->wait();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("allreduce of a graph is left out: its communicator has ended"),
            std::string::npos)
      << said;
}

// The communicator is none the worse for it.
TEST(Captured, CallsAreRefusedWhereTheCaptureIsBroken) {
  run_both_ways(2, [](Rank& rank) {
    const DeviceSpan<int> numbers = rank.put({1});
    must(rank.runtime.begin_capture(rank.stream));
    EXPECT_FALSE(rank.runtime.is_done(rank.stream).ok());
    try {
      Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
      ADD_FAILURE() << "it was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.text();
      EXPECT_NE(error.text().find("capture into a graph is broken"), std::string::npos);
    }
    EXPECT_FALSE(rank.runtime.end_capture(rank.stream).ok());
    Work work = rank.comm.allreduce(numbers, Op::sum, rank.native());
    EXPECT_EQ(rank.get(numbers), std::vector<int>{rank.comm.size()});
    work.wait();
  });
}

}  // namespace

std::vector<Role*> roles() {
  return {};
}

}  // namespace rondo::test
