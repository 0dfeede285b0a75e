// Checks of what a transport does when an operation cannot come to its end.

#include <algorithm>

#include "transport/conformance/session.hpp"

namespace rondo::conformance {

namespace {

void require_code(Rank& self, const Error& error, ErrorCode code) {
  self.require(error.code() == code, "expected ", name(code), ", got ", name(error.code()), ": ",
               error.text());
}

void require_peer(Rank& self, const Error& error, int peer) {
  self.require(error.peer() == peer, "expected the error to name rank ", peer, ", it names ",
               error.peer(), ": ", error.text());
}

void require_gone(Rank& self, const Error& error, int peer) {
  self.require(error.code() == ErrorCode::peer_left || error.code() == ErrorCode::peer_lost,
               "expected peer_left or peer_lost, got ", name(error.code()), ": ", error.text());
  require_peer(self, error, peer);
}

Error deadline_passed() {
  return Error(ErrorCode::timeout, "the deadline of the check passed");
}

// Two ranks make different calls and exchange a message: both learn both calls.
Failures tell_two_calls_apart(const Factory& factory, const Options& options, const Call& first,
                              const Call& second) {
  return on_ranks(factory, options, 2, [&](Rank& self) {
    const Call& mine = self.rank() == 0 ? first : second;
    const Link link{1 - self.rank(), 0};
    self.begin({link}, mine);
    self.send(link, mine.count * size_of(mine.dtype));
    self.recv(link, mine.count * size_of(mine.dtype));
    const Error verdict = self.end_operation(self.await_error(), {link.peer});
    require_code(self, verdict, ErrorCode::mismatch);
    for (const Call& call : {first, second}) {
      self.require(verdict.text().find(describe(call)) != std::string::npos,
                   "the text does not say \"", describe(call), "\": ", verdict.text());
    }
  });
}

Failures names_both_calls_of_a_mismatch(const Factory& factory, const Options& options) {
  const Call first = {Collective::reduce, DType::f32, Op::sum, 0, 1000, 1};
  std::vector<Call> others(6, first);
  others[0].count = 999;
  others[1].dtype = DType::i32;
  others[2].op = Op::max;
  others[3].root = 1;
  others[4].collective = Collective::allgather;
  others[5].plan_hash = 2;
  Failures failures;
  for (const Call& other : others) {
    append(failures, tell_two_calls_apart(factory, options, first, other));
  }
  return failures;
}

// Leaves once all others wait for something.
void leave_waiting_ranks(Rank& self) {
  for (const Link link : links_to_all(self)) self.await(link.peer, 1);
  self.leave();
}

Failures names_the_peer_that_left(const Factory& factory, const Options& options) {
  Failures failures;
  for (const bool sends : {false, true}) {
    append(failures, on_ranks(factory, options, 2, [&](Rank& self) {
             const Link link{1 - self.rank(), 0};
             self.begin({link});
             if (self.rank() == 1) return leave_waiting_ranks(self);
             if (sends) {
               self.send(link, self.options().large_bytes);
             } else {
               self.recv(link, 100);
             }
             self.reach(1);
             require_gone(self, self.end_operation(self.await_error(), {1}), 1);
           }));
  }
  return failures;
}

// Rank 2 waits for 1, which waits for 0, which leaves: rank 2 hears of rank 0.
Failures tells_others_the_first_cause(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 3, [](Rank& self) {
    self.begin(links_to_all(self));
    if (self.rank() == 0) return leave_waiting_ranks(self);
    const int before = self.rank() - 1;
    self.recv({before, 0}, 100);
    self.reach(1);
    require_gone(self, self.end_operation(self.await_error(), {before}), 0);
  });
}

// What a rank has sent arrives, whatever it does afterwards.
Failures delivers_before_the_peer_leaves(const Factory& factory, const Options& options) {
  Failures failures;
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{3000000}}) {
    append(failures, on_ranks(factory, options, 2, [size](Rank& self) {
             const Link link{1 - self.rank(), 0};
             self.begin({link});
             if (self.rank() == 1) {
               self.complete(self.send(link, size));
               return self.leave();
             }
             self.complete(self.recv(link, size));
             self.recv(link, size);
             require_gone(self, self.end_operation(self.await_error(), {1}), 1);
           }));
  }
  return failures;
}

// After cancel() no byte is touched, nothing gets done, and nothing can begin.
Failures touches_nothing_after_cancel(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const std::size_t large = self.options().large_bytes;
    const std::vector<Link> links = {{1 - self.rank(), 0}, {1 - self.rank(), 1}};
    self.begin(links);
    if (self.rank() == 1) {
      self.send(links[0], large);
      self.reach(1);
      const Error error = self.await_error();
      require_code(self, self.end_operation(error, {}), ErrorCode::aborted);
      self.reach(2);
      return;
    }
    // One recv is under way or done, one will never get its message, one send is never taken.
    std::vector<Message*> open = {&self.recv(links[0], large), &self.recv(links[1], 1000),
                                  &self.send(links[1], large)};
    self.await(1, 1);
    self.idle(std::chrono::milliseconds(1));
    std::erase_if(open, [&](Message* message) { return self.done(*message); });
    const Error abort(ErrorCode::aborted, 0, "the check aborts");
    require_code(self, self.end_operation(abort, {}), ErrorCode::aborted);
    for (Message* message : open) self.overwrite(*message);
    self.await_asleep(1, 2);
    const Result<> begun = self.transport().begin(2, agreed_call, links);
    self.require(!begun.ok(), "begin() succeeds after cancel()");
    self.require(!self.transport().poll(std::chrono::milliseconds(20)).ok(),
                 "poll() forgot the error after cancel()");
    for (Message* message : open) {
      self.require(!self.done(*message), "a canceled message got done");
      self.require_overwritten(*message);
    }
  });
}

// A chain of waiting ranks: 2 waits for 1, 1 for 0, and 0 does nothing. All blame rank 0.
Failures blame_a_silent_rank(const Factory& factory, const Options& options, bool together) {
  return on_ranks(factory, options, 3, [&](Rank& self) {
    self.begin(links_to_all(self));
    if (self.rank() == 0) {
      self.await_asleep(1, 1);
      self.await_asleep(2, 1);
      // Back from its silence it learns that the others have given up.
      self.recv({1, 0}, 100);
      const Error error = self.await_error();
      self.end_operation(error, {1});
      return;
    }
    const int before = self.rank() - 1;
    self.recv({before, 0}, 100);
    // Either both deadlines pass at about the same time, or rank 1 learns of that of rank 2.
    const bool suspects = together || self.rank() == 2;
    const std::optional<Error> heard = self.await_error_for(std::chrono::milliseconds(100));
    const Error finding = heard ? *heard : suspects ? deadline_passed() : self.await_error();
    const Error verdict = self.end_operation(finding, {before});
    require_code(self, verdict, ErrorCode::timeout);
    require_peer(self, verdict, 0);
    self.reach(1);
  });
}

// All ranks wait for each other: nobody is silent, so that nobody is to blame.
Failures blames_nobody_where_all_answer(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 3, [&](Rank& self) {
    self.begin(links_to_all(self));
    const int next = (self.rank() + 1) % 3;
    self.recv({next, 0}, 100);
    const bool suspects = self.rank() == 2;
    if (suspects) self.idle(std::chrono::milliseconds(20));
    const Error finding = suspects ? deadline_passed() : self.await_error();
    const Error verdict = self.end_operation(finding, {next});
    require_code(self, verdict, ErrorCode::timeout);
    require_peer(self, verdict, -1);
    for (const char* wait : {"rank 0 waited for rank 1", "rank 1 waited for rank 2",
                             "rank 2 waited for rank 0", "raise the timeout"}) {
      self.require(verdict.text().find(wait) != std::string::npos, "expected \"", wait,
                   "\" in: ", verdict.text());
    }
  });
}

Failures names_the_silent_rank(const Factory& factory, const Options& options) {
  Failures failures = blame_a_silent_rank(factory, options, true);
  append(failures, blame_a_silent_rank(factory, options, false));
  return failures;
}

// An abort on one rank reaches ranks that share no link with it.
Failures tells_all_ranks_of_an_abort(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 4, [](Rank& self) {
    const int partner = self.rank() ^ 1;
    self.begin({{partner, 0}});
    self.recv({partner, 0}, 100);
    self.reach(1);
    if (self.rank() == 3) {
      for (int rank = 0; rank < 3; ++rank) self.await(rank, 1);
      self.end_operation(Error(ErrorCode::aborted, 3, "the check aborts"), {});
      return;
    }
    const Error verdict = self.end_operation(self.await_error(), {partner});
    require_code(self, verdict, ErrorCode::aborted);
    require_peer(self, verdict, 3);
  });
}

}  // namespace

std::vector<Check> failure_checks() {
  return {
      {"names_both_calls_of_a_mismatch", names_both_calls_of_a_mismatch},
      {"names_the_peer_that_left", names_the_peer_that_left},
      {"tells_others_the_first_cause", tells_others_the_first_cause},
      {"delivers_before_the_peer_leaves", delivers_before_the_peer_leaves},
      {"touches_nothing_after_cancel", touches_nothing_after_cancel},
      {"names_the_silent_rank", names_the_silent_rank},
      {"blames_nobody_where_all_answer", blames_nobody_where_all_answer},
      {"tells_all_ranks_of_an_abort", tells_all_ranks_of_an_abort},
  };
}

}  // namespace rondo::conformance
