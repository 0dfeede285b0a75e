// Checks of the one function that sleeps.

#include <thread>

#include "transport/conformance/session.hpp"

namespace rondo::conformance {

namespace {

using Clock = Transport::Clock;

// Sleeps in one poll; whether something ended it before its patience did.
bool ends_early(Rank& self) {
  const auto begun = Clock::now();
  const Result<bool> moved = self.transport().poll(self.options().long_sleep);
  if (!moved) self.fail(concat("unexpected error: ", moved.error().text()));
  return Clock::now() - begun < self.options().long_sleep / 2;
}

Failures returns_at_once_without_patience(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    if (self.rank() == 0) self.recv(link, 10);
    const auto begun = Clock::now();
    for (int i = 0; i < 100; ++i) {
      const Result<bool> moved = self.transport().poll(std::chrono::microseconds(0));
      self.require(moved.ok(), "poll() without patience failed");
    }
    self.require(Clock::now() - begun < self.options().long_sleep / 2,
                 "poll() without patience slept");
    self.reach(1);
    self.await(link.peer, 1);
    if (self.rank() == 1) self.send(link, 10);
    self.complete_all();
  });
}

Failures returns_when_patience_ends(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    self.recv(link, 10);
    // Opening links may count as movement for a while.
    const auto give_up = Clock::now() + self.options().deadline;
    while (true) {
      const Result<bool> moved = self.transport().poll(std::chrono::milliseconds(20));
      self.require(moved.ok(), "poll() failed where nothing happened");
      if (!moved.value()) break;
      self.require(Clock::now() < give_up, "poll() reports movement where nothing moves");
    }
    self.reach(1);
    self.await(link.peer, 1);
    self.send(link, 10);
    self.complete_all();
  });
}

Failures wake_ends_a_sleep(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    self.recv(link, 10);
    self.idle(std::chrono::milliseconds(50));
    // A wake() just before the sleep counts too: it may always come a moment early.
    self.transport().wake();
    self.require(ends_early(self), "wake() before a poll() did not end its sleep");
    std::atomic<bool> over = false;
    {
      const std::jthread waker([&] {
        while (!over) {
          self.transport().wake();
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
      });
      const bool early = ends_early(self);
      over = true;
      self.require(early, "wake() did not end a sleeping poll()");
    }
    self.reach(1);
    self.await(link.peer, 1);
    self.send(link, 10);
    self.complete_all();
  });
}

Failures wakes_up_for_messages(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    const bool sleeps = self.rank() == 0;
    self.begin({link});
    // Once without a pause, so that links are open afterwards.
    self.send(link, 10);
    self.recv(link, 10);
    self.complete_all();
    if (sleeps) {
      Message& message = self.recv(link, 10);
      const auto begun = Clock::now();
      self.reach(1);
      while (!self.done(message)) ends_early(self);
      self.require(Clock::now() - begun < self.options().long_sleep / 2,
                   "poll() slept on when a message came");
    } else {
      self.await(0, 1);
      self.idle(std::chrono::milliseconds(100));
      self.send(link, 10);
    }
    self.complete_all();
  });
}

}  // namespace

std::vector<Check> waiting_checks() {
  return {
      {"returns_at_once_without_patience", returns_at_once_without_patience},
      {"returns_when_patience_ends", returns_when_patience_ends},
      {"wake_ends_a_sleep", wake_ends_a_sleep},
      {"wakes_up_for_messages", wakes_up_for_messages},
  };
}

}  // namespace rondo::conformance
