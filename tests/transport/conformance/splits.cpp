// Checks of transports made from transports.

#include <algorithm>

#include "transport/conformance/session.hpp"

namespace rondo::conformance {

namespace {

constexpr std::uint64_t pair_context = 11;
constexpr std::uint64_t nested_context = 12;
constexpr std::uint64_t copy_context = 13;

// Everybody to everybody, posted and not yet completed.
void post_exchange(Rank& self, std::size_t size) {
  const std::vector<Link> links = links_to_all(self);
  self.begin(links);
  for (const Link link : links) {
    self.send(link, size);
    self.recv(link, size);
  }
}

Failures splits_into_other_orders(const Factory& factory, const Options& options) {
  Session session(factory, options, 5);
  return session.run([&](Rank& self) {
    const bool odd = self.rank() % 2 == 1;
    const std::vector<int> members = odd ? std::vector{3, 1} : std::vector{4, 0, 2};
    const std::uint64_t context = odd ? pair_context : pair_context + 100;
    Rank& child = self.split(members, context);
    for (int round = 0; round < 3; ++round) {
      post_exchange(child, 1000);
      child.complete_all();
    }
  });
}

// Operations of the parent, of a child and of a copy are under way at once; the child's own
// numbers of ranks, channels and operations are the same as the parent's.
Failures keeps_parent_and_child_apart(const Factory& factory, const Options& options) {
  Session session(factory, options, 3);
  return session.run([&](Rank& self) {
    Rank& copy = self.split({0, 1, 2}, copy_context);
    Rank& reversed = self.split({2, 1, 0}, pair_context);
    std::vector<Rank*> all = {&self, &copy, &reversed};
    if (self.rank() == 1) std::reverse(all.begin(), all.end());
    for (const std::size_t size : {10, 0, 30000}) {
      for (Rank* world : all) post_exchange(*world, size);
      // Nobody needs to complete them in the same order, as long as all are polled.
      const std::function<void()> poll_all = [&] {
        for (Rank* world : all) world->idle(std::chrono::milliseconds(1));
      };
      for (Rank* world : all) world->complete_all(poll_all);
    }
  });
}

Failures splits_what_was_split(const Factory& factory, const Options& options) {
  Session session(factory, options, 4);
  return session.run([&](Rank& self) {
    Rank& child = self.split({3, 2, 1, 0}, pair_context);
    post_exchange(child, 100);
    child.complete_all();
    const bool low = child.rank() < 2;
    Rank& grandchild = child.split(low ? std::vector{1, 0} : std::vector{2, 3},
                                   low ? nested_context : nested_context + 100);
    post_exchange(grandchild, 200);
    grandchild.complete_all();
    post_exchange(self, 300);
    self.complete_all();
  });
}

Failures splits_into_a_world_of_one(const Factory& factory, const Options& options) {
  Session session(factory, options, 2);
  return session.run([&](Rank& self) {
    Rank& alone = self.split({self.rank()}, pair_context + static_cast<std::uint64_t>(self.rank()));
    alone.begin({});
  });
}

Failures parent_outlives_its_child(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const std::vector<int> members = {1, 0};
    Result<std::unique_ptr<Transport>> child = self.transport().split(members, pair_context);
    self.require(child.ok(), "split() failed: ", child.ok() ? "" : child.error().text());
    child.value().reset();
    for (int round = 0; round < 3; ++round) {
      post_exchange(self, 100);
      self.complete_all();
    }
  });
}

}  // namespace

std::vector<Check> split_checks() {
  return {
      {"splits_into_other_orders", splits_into_other_orders},
      {"keeps_parent_and_child_apart", keeps_parent_and_child_apart},
      {"splits_what_was_split", splits_what_was_split},
      {"splits_into_a_world_of_one", splits_into_a_world_of_one},
      {"parent_outlives_its_child", parent_outlives_its_child},
  };
}

}  // namespace rondo::conformance
