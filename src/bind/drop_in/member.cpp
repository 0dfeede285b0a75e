#include "bind/drop_in/member.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace rondo::bind {

namespace {

// Rooms larger than this are given back after the call.
constexpr std::size_t kept_room = 4u << 20;

// Calls that rondo takes before it looks again whether it should.
constexpr std::uint64_t first_patience = 256;
constexpr std::uint64_t more_patience = 8;

}  // namespace

Member::Member(DropIn& drop_in, Surroundings surroundings)
    : drop_in_(drop_in),
      surroundings_(std::move(surroundings)),
      counts_(drop_in.settings().counts()),
      due_calls_(drop_in.settings().calls_before),
      due_bytes_(drop_in.settings().bytes_before) {
  tally_.communicators = 1;
  if (counts_) drop_in_.watch(tally_);
}

Member::~Member() {
  if (communicator_) {
    const auto start = Clock::now();
    communicator_.reset();
    drop_in_.note_forming(seconds_since(start));
  }
  if (counts_) drop_in_.add(tally_);
}

bool Member::form_when_due(const Subject& subject) {
  if (absence_ == Reason::unavailable) return false;
  const bool is_due = calls_ >= due_calls_ || bytes_ >= due_bytes_;
  if (is_due && all_may_form()) return form();
  ++calls_;
  bytes_ += subject.bytes;
  return false;
}

// Where not, it is asked again when there have been twice as many calls.
bool Member::all_may_form() {
  if (drop_in_.settings().most_forming == 0) return true;
  const char mine = drop_in_.may_form() ? 1 : 0;
  std::string all(static_cast<std::size_t>(size()), '\0');
  if (!surroundings_.exchange(&mine, all.data(), sizeof mine)) {
    absence_ = Reason::unavailable;
    drop_in_.warn("goes on with the MPI below: the ranks could not tell each other their times");
    return false;
  }
  due_calls_ = 2 * std::max(due_calls_, calls_);
  due_bytes_ = 2 * std::max(due_bytes_, bytes_);
  return all.find('\0') == std::string::npos;
}

bool Member::form() {
  const auto start = Clock::now();
  try {
    auto made = std::make_unique<Communicator>(drop_in_.worlds().make(surroundings_));
    const bool is_pinned = drop_in_.settings().mode == Mode::always;
    choices_.assign(Slot::count, is_pinned ? Choice::rondo : Choice::open);
    if (!is_pinned) patience_ = until_review_ = first_patience;
    communicator_ = std::move(made);
    tally_.formed = 1;
  } catch (const Error& error) {
    absence_ = Reason::unavailable;
    drop_in_.warn(std::string("goes on with the MPI below: ") + error.what());
  }
  const double seconds = seconds_since(start);
  drop_in_.note_forming(seconds);
  tally_.forming_seconds += seconds;
  return communicator_ != nullptr;
}

std::uint64_t Member::left_classes(Kind kind, TypeClass type) const {
  if (!communicator_) return absence_ == Reason::unavailable ? every_class : 0;
  const std::size_t first = Slot(kind, type, 0).index();
  std::uint64_t classes = 0;
  for (std::size_t i = 0; i < Slot::size_classes; ++i) {
    const Choice choice = choices_[first + i];
    if (choice == Choice::below || choice == Choice::refused) classes |= std::uint64_t{1} << i;
  }
  return classes;
}

bool Member::is_refusal(std::size_t slot, const Error& error) {
  const bool is_whole = !communicator_->error();
  const bool is_refused =
      error.code() == ErrorCode::invalid_argument || error.code() == ErrorCode::unsupported;
  if (is_whole && is_refused) {
    choices_[slot] = Choice::refused;
    drop_in_.warn(std::string("goes on with the MPI below: ") + error.what());
    return true;
  }
  end(error.what());
  return false;
}

void Member::end(const std::string& why) {
  drop_in_.warn(why);
  if (!communicator_->error()) communicator_->abort(why);
}

void Member::settle(const Subject& subject, std::size_t slot) {
  const Times mine = trials_[slot].times();
  trials_.erase(slot);
  std::vector<Times> all(static_cast<std::size_t>(size()));
  if (!surroundings_.exchange(&mine, all.data(), sizeof mine)) {
    end("the ranks could not tell each other their times");
    return;
  }
  const Way way = faster(all, choices_[slot] == Choice::again ? Doubt::again : Doubt::first);
  choices_[slot] = way == Way::rondo ? Choice::rondo : Choice::below;
  below_seconds_[slot] = mine.below / 1e9;
  Finding finding{size(), subject.kind, subject.type, subject.bytes, {}, way};
  for (const Times& times : all) {
    finding.times.rondo += times.rondo / size();
    finding.times.below += times.below / size();
  }
  if (counts_) tally_.findings.push_back(finding);
}

void Member::review() {
  std::replace(choices_.begin(), choices_.end(), Choice::rondo, Choice::again);
  patience_ *= more_patience;
  until_review_ = patience_;
}

std::byte* Member::room(std::size_t which, std::size_t bytes) {
  std::vector<std::byte>& room = rooms_[which];
  if (room.size() > kept_room && bytes <= kept_room) room = {};
  if (room.size() < bytes) room.resize(bytes);
  return room.data();
}

std::size_t* Member::numbers(std::size_t which) {
  std::vector<std::size_t>& numbers = numbers_[which];
  if (numbers.empty()) numbers.resize(static_cast<std::size_t>(size()));
  return numbers.data();
}

}  // namespace rondo::bind
