#include "transport/shm/store_choice.hpp"

#include <algorithm>

#include "base/past_cache.hpp"

namespace rondo::process {

namespace {

constexpr std::uint32_t copies_in_run = 16;
constexpr std::uint32_t copies_in_trial = 6;
constexpr std::uint32_t first_patience = 4;  // runs between trials
constexpr std::uint32_t most_patience = 256;
constexpr double much_slower = 1.3;    // it need not be tried so soon again
constexpr double weight = 0.3;         // of the latest run
constexpr double most_believed = 1.5;  // of what is known: ranks lose their cores at times

}  // namespace

bool StoreChoice::is_past_cache(std::uint64_t sequence, std::size_t message_bytes,
                                std::size_t bytes, Clock::time_point now) {
  if (!can_pass_cache || message_bytes < least_measured) return false;
  mark(sequence, now);
  Experience& experience = experience_[class_of(message_bytes)];
  if (experience.copies_left == 0) {
    experience.finish_run();
    experience.begin_run();
  }
  --experience.copies_left;
  experience.bytes += bytes;
  current_ = &experience;
  return experience.way == past_cache;
}

void StoreChoice::mark(std::uint64_t sequence, Clock::time_point now) {
  if (sequence == sequence_ && current_ != nullptr) {
    current_->nanoseconds += std::chrono::duration<double, std::nano>(now - marked_).count();
  } else {
    current_ = nullptr;
  }
  sequence_ = sequence;
  marked_ = now;
}

void StoreChoice::Experience::finish_run() {
  if (bytes == 0 || nanoseconds == 0) return;
  const double found = nanoseconds * 1024 / static_cast<double>(bytes);
  double& known = pace[way];
  const double believed = std::min(found, most_believed * known);
  known = known == 0 ? found : known + weight * (believed - known);
}

// Both ways are tried first; then the better one, and the other one now and then.
void StoreChoice::Experience::begin_run() {
  nanoseconds = 0;
  bytes = 0;
  copies_left = copies_in_run;
  if (pace[plain] == 0 || pace[past_cache] == 0) {
    way = pace[plain] == 0 ? plain : past_cache;
    copies_left = copies_in_trial;
    return;
  }
  const bool is_as_before = pace[better()] < much_slower * pace_at_trial;
  if (runs_left > 0 && is_as_before) {
    --runs_left;
    way = better();
    return;
  }
  const Way worse = better() == plain ? past_cache : plain;
  const bool is_hopeless = pace[worse] > much_slower * pace[better()];
  patience = is_as_before && is_hopeless ? std::min(2 * patience, most_patience) : first_patience;
  runs_left = patience;
  pace_at_trial = pace[better()];
  way = worse;
  copies_left = copies_in_trial;
}

std::size_t StoreChoice::class_of(std::size_t message_bytes) {
  std::size_t size_class = 0;
  for (std::size_t most = 8 * least_measured;
       size_class + 1 < size_classes && message_bytes >= most; most *= 8) {
    ++size_class;
  }
  return size_class;
}

}  // namespace rondo::process
