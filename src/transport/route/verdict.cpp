// What went wrong, and who is to blame: the parts of the transport that run when a connection
// ends, calls differ, or the deadline has passed.

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.hpp"
#include "transport/route/transport.hpp"

namespace rondo::process {

namespace {

// A peer whose connection ended may have left because of an earlier failure elsewhere. Its word of
// it was on the way before the connection ended, and gets this long to arrive.
constexpr auto grace_of_neighbours = std::chrono::milliseconds(50);
constexpr auto grace_of_others = std::chrono::milliseconds(200);

// A process that ends right after its last operation may do so without a goodbye. All its bytes are
// on their way then, maybe for many operations of a rank that lags behind. The others may go on for
// as long as they get on without it, with no longer pause than this.
constexpr auto longest_pause_without = std::chrono::milliseconds(500);

constexpr auto claim_after = std::chrono::milliseconds(250);
constexpr auto answer_window = std::chrono::milliseconds(200);

constexpr auto testimony_window = std::chrono::milliseconds(200);
constexpr int testimony_look_ms = 10;

// Texts of these name the ranks they are about; the others are one rank's own trouble.
bool names_its_ranks(ErrorCode code) {
  switch (code) {
    case ErrorCode::mismatch:
    case ErrorCode::timeout:
    case ErrorCode::peer_lost:
    case ErrorCode::peer_left:
    case ErrorCode::protocol:
    case ErrorCode::aborted:
    case ErrorCode::join_failed:
      return true;
    default:
      return false;
  }
}

}  // namespace

void RoutedTransport::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

// Every rank takes part in every operation: who left before this one makes it impossible. In an
// exchange only the links tell who is needed. A failure that was heard of is why it left: its word
// of that came on the same ways as its goodbye, and before it.
void RoutedTransport::check_departures() {
  if (call_.form == Form::exchange || sequence_ <= first_departure_) return;
  for (int peer = 0; peer < size(); ++peer) {
    if (!left_[peer] || *left_[peer] >= sequence_) continue;
    if (loss_ || deferred_) return adopt_loss();
    return fail(departure_of(peer));
  }
}

Error RoutedTransport::departure_of(int peer) const {
  const Error error = departed(peer, *left_[peer]);
  return Error(error.code(), peer, concat(error.text(), whereabouts({peer})));
}

void RoutedTransport::check_links() {
  const DataLink* stuck = nullptr;
  for (const DataLink* link : active_) {
    if (link->trouble() != Trouble::none && !may_hear_better(*link)) {
      fail(trouble_of(*link));
    }
    if (stuck == nullptr && is_stuck(*link)) stuck = link;
  }
  if (stuck != nullptr) {
    explain(*stuck);
  } else {
    stuck_since_.reset();
  }
  if (is_loss_felt()) adopt_loss();
}

bool RoutedTransport::is_loss_felt() const {
  if (!loss_ || !idle_since_) return false;
  return Clock::now() - std::max(loss_->since, *idle_since_) >= longest_pause_without;
}

bool RoutedTransport::is_stuck(const DataLink& link) const {
  return link.has_work() && link.is_stuck(left_[link.peer()] || is_lost_[link.peer()]);
}

// Why the connection may have ended, the surest reason first. One that is still being opened may
// yet bring what the peer sent before it left.
void RoutedTransport::explain(const DataLink& stuck) {
  const auto now = Clock::now();
  if (!stuck_since_) stuck_since_ = now;
  const int peer = stuck.peer();
  const auto grace = endpoint_->is_linked(members_[peer]) ? grace_of_neighbours : grace_of_others;
  const bool is_late = now - *stuck_since_ >= grace;
  if (!stuck.is_open() && !is_late) return;
  if (loss_) {
    adopt_loss();
  } else if (left_[peer]) {
    fail(departure_of(peer));
  } else if (deferred_) {
    adopt(*deferred_);
  } else if (is_late) {
    fail(loss_of(peer));
  }
}

// Everybody has heard of the loss already, but who waits for a rank that lives hopes to get on
// without the dead: it learns here that this rank does not. Exchanges concern some ranks only. A
// failure that was heard of before the loss is the earlier cause: its process may have ended
// because of that.
void RoutedTransport::adopt_loss() {
  if (deferred_) return adopt(*deferred_);
  if (!verdict_) {
    verdict_ = loss_of(loss_->peer);
    if (call_.form != Form::exchange) tell(*verdict_);
  }
  fail(*verdict_);
}

// A peer that is in a later operation took part in this one in its own way, and went on. It
// remembers how: told of this rank's call it names both calls of the same operation.
bool RoutedTransport::may_hear_better(const DataLink& link) {
  const bool is_ahead =
      link.trouble() == Trouble::disagreement && link.frame().sequence > sequence_;
  if (!is_ahead) return false;
  if (!ahead_since_) {
    ahead_since_ = Clock::now();
    claim();
  }
  return Clock::now() - *ahead_since_ < answer_window;
}

Error RoutedTransport::trouble_of(const DataLink& link) const {
  const int peer = link.peer();
  switch (link.trouble()) {
    case Trouble::disagreement:
      return disagreement(peer, link.frame());
    case Trouble::wrong_size: {
      const Parcel sent{link.frame().bytes, link.frame().dtype};
      const Error error = unlike_parcels(call_, peer, sent, rank(), link.expected());
      return Error(error.code(), error.peer(), concat(error.text(), whereabouts({peer, rank()})));
    }
    case Trouble::network:
      return Error(link.failure()->code(), peer,
                   concat("rank ", rank(), " lost its way to ", name_of(peer), ", in operation ",
                          sequence_, " (", describe(call_), "): ", link.failure()->text()));
    default:
      return Error(ErrorCode::protocol, peer,
                   concat(name_of(peer), " sent rank ", rank(), " something that is no message of ",
                          "this communicator, or not the next one, in operation ", sequence_, " (",
                          describe(call_), "); the data was damaged on its way"));
  }
}

Error RoutedTransport::disagreement(int peer, const Frame& frame) const {
  const Claim theirs{peer, frame.sequence, frame.call()};
  Claim ours{rank(), sequence_, call_};
  // A message that this rank never took: its own call of that time is the one to compare.
  if (frame.sequence < sequence_ && sequence_ - frame.sequence < remembered_calls) {
    ours = {rank(), frame.sequence, calls_[frame.sequence % remembered_calls]};
  }
  const Error error = mismatch(theirs, ours);
  return Error(error.code(), error.peer(),
               concat(error.text(), whereabouts({theirs.rank, ours.rank})));
}

Error RoutedTransport::loss_of(int peer) const {
  return Error(ErrorCode::peer_lost, peer,
               concat("lost ", name_of(peer), ": its connection ended without a goodbye; ",
                      "the process died or the network failed", last_sign_of(peer)));
}

void RoutedTransport::take_news() {
  News news = endpoint_->collect(*pigeonhole_);
  for (Guest& guest : news.guests) take_guest(std::move(guest));
  for (const Notice& notice : news.notices) take(notice);
  if (!news.trouble) return;
  const bool is_waiting = std::any_of(active_.begin(), active_.end(), [](const DataLink* link) {
    return link->has_work() && !link->is_open() && !link->is_opening();
  });
  if (is_waiting) fail(*news.trouble);
}

void RoutedTransport::take(const Notice& notice) {
  const int origin = index_[notice.origin];
  switch (notice.kind) {
    case Notice::Kind::lost: {
      const int culprit = notice.culprit < 0 ? -1 : index_[notice.culprit];
      if (culprit < 0) return;
      is_lost_[culprit] = true;
      if (!loss_) loss_ = Loss{culprit, Clock::now()};
      return;
    }
    case Notice::Kind::failure:
      take_failure(notice);
      return;
    case Notice::Kind::testimony: {
      if (origin < 0) return;
      Testimony testimony{true, notice.ranks()};
      std::erase_if(testimony.waiting_for, [&](int r) { return r < 0 || r >= size(); });
      testimonies_[origin] = std::move(testimony);
      heard_[origin] = std::max(heard_[origin], notice.sequence);
      fail(Error(
          ErrorCode::timeout, origin,
          concat("the deadline of rank ", origin, " passed in its operation ", notice.sequence)));
      return;
    }
    case Notice::Kind::claim:
      if (const auto frame = notice.frame(); frame && origin >= 0) take_claim(origin, *frame);
      return;
    case Notice::Kind::leave:
      if (origin < 0) return;
      left_[origin] = notice.sequence;
      first_departure_ = std::min(first_departure_, notice.sequence);
      check_departures();
      return;
    case Notice::Kind::farewell:
      return;
  }
}

// The operation that failed may be one that has not begun here: the current one can still succeed.
void RoutedTransport::take_failure(const Notice& notice) {
  if (index_[notice.origin] < 0) return;
  const bool are_numbered_alike = call_.form != Form::exchange;
  if (are_numbered_alike && notice.sequence > sequence_ && notice.code != ErrorCode::aborted) {
    if (!deferred_ && !loss_) deferred_ = notice;
    return;
  }
  adopt(notice);
}

// Ranks that call different things may all wait for each other, so that no frame ever tells. A rank
// that gets nowhere therefore says what it is waiting in, once per operation. Of an exchange only
// the ranks concerned know, and its messages say all.
void RoutedTransport::claim_after_a_while() {
  if (call_.form == Form::exchange) return;
  if (Clock::now() - *idle_since_ >= claim_after) claim();
}

void RoutedTransport::claim() {
  if (std::exchange(has_claimed_, true)) return;
  Notice notice;
  notice.kind = Notice::Kind::claim;
  notice.context = context_;
  notice.sequence = sequence_;
  notice.set_frame(operation_.frame);
  endpoint_->publish(notice);
}

void RoutedTransport::take_claim(int peer, Frame frame) {
  heard_[peer] = std::max(heard_[peer], frame.sequence);
  std::optional<Frame>& kept = claims_[peer];
  if (kept && kept->sequence <= sequence_) kept.reset();
  if (frame.sequence > sequence_) {
    if (!kept || kept->sequence < frame.sequence) kept = frame;
    first_claim_ = std::min(first_claim_, kept->sequence);
  } else if (sequence_ - frame.sequence < remembered_calls &&
             calls_[frame.sequence % remembered_calls] != frame.call()) {
    fail(disagreement(peer, frame));
  }
}

// What others have said of the operation that begins now.
void RoutedTransport::recall_claims() {
  if (sequence_ < first_claim_) return;
  first_claim_ = never;
  for (int peer = 0; peer < size(); ++peer) {
    if (const std::optional<Frame> claim = claims_[peer]) take_claim(peer, *claim);
  }
}

void RoutedTransport::adopt(const Notice& notice) {
  if (!verdict_) {
    const int origin = index_[notice.origin];
    const bool is_known = notice.culprit >= 0 && notice.culprit < size();
    const bool is_nobody = notice.code == ErrorCode::timeout && notice.culprit < 0;
    const int peer = is_known || is_nobody ? notice.culprit : origin;
    verdict_ = names_its_ranks(notice.code)
                   ? Error(notice.code, peer, std::string(notice.text()))
                   : Error(notice.code, peer, concat(name_of(origin), ": ", notice.text()));
  }
  fail(*verdict_);
}

Error RoutedTransport::conclude(const Error& finding, std::span<const int> waiting_for) {
  endpoint_->progress(true);
  take_news();
  const bool is_own_abort = finding.code() == ErrorCode::aborted && !verdict_;
  if (!is_own_abort && !verdict_ && deferred_) adopt(*deferred_);
  if (finding.code() == ErrorCode::timeout && loss_) adopt_loss();
  if (verdict_) return *verdict_;
  if (finding.code() == ErrorCode::timeout) return judge_timeout(waiting_for);
  tell(finding);
  return finding;
}

Error RoutedTransport::judge_timeout(std::span<const int> waiting_for) {
  Notice notice;
  notice.kind = Notice::Kind::testimony;
  notice.context = context_;
  notice.sequence = sequence_;
  notice.set_ranks(waiting_for);
  testimonies_[rank()] = {true, notice.ranks()};  // what the others hear, for the same verdict
  endpoint_->publish(notice);
  await_testimonies();
  if (verdict_) return *verdict_;

  const std::vector<int> blamed = culprits(rank(), testimonies_);
  const Error error = blamed.empty() ? out_of_time(testimonies_)
                                     : unanswered(blamed, concat(whereabouts_of(blamed.front()),
                                                                 last_sign_of(blamed.front())));
  tell(error);
  return error;
}

// Peers that are inside poll() answer at once, and come to a verdict of their own; the first one
// that is heard of counts.
void RoutedTransport::await_testimonies() {
  const auto end = Clock::now() + testimony_window;
  const auto answered = [](const Testimony& testimony) { return testimony.answered; };
  for (;;) {
    endpoint_->progress(true);
    take_news();
    if (loss_) adopt_loss();
    if (verdict_ || std::all_of(testimonies_.begin(), testimonies_.end(), answered)) return;
    if (Clock::now() >= end) return;
    harvest(testimony_look_ms);
  }
}

void RoutedTransport::tell(const Error& error) {
  endpoint_->publish(failure_notice(context_, sequence_, error));
}

std::string RoutedTransport::name_of(int rank) const {
  return concat("rank ", rank, " (", whereabouts_of(rank), ")");
}

std::string RoutedTransport::whereabouts_of(int rank) const {
  const Member& member = endpoint_->member(members_[rank]);
  std::string text = concat("host ", member.host, ", pid ", member.pid);
  if (members_[rank] != rank) text += concat(", rank ", members_[rank], " of the world");
  return text;
}

std::string RoutedTransport::whereabouts(std::initializer_list<int> ranks) const {
  std::string text;
  for (const int rank : ranks) text += concat("; rank ", rank, ": ", whereabouts_of(rank));
  return text;
}

// "; its last message to rank 2 was of operation 6", as others may read it too: where ranks pass on
// what others send, that may be long ago. Nothing where none came.
std::string RoutedTransport::last_sign_of(int rank) const {
  std::uint64_t last = std::max(heard_[rank], left_[rank].value_or(0));
  for (const auto& link : links_) {
    if (link->peer() == rank) last = std::max(last, link->last_heard());
  }
  if (last == 0) return "";
  return concat("; its last message to rank ", this->rank(), " was of operation ", last);
}

}  // namespace rondo::process
