#include "transport/control/pigeonholes.hpp"

#include <sys/eventfd.h>

#include <utility>

namespace rondo::process {

namespace {

// Each rank may have a few notices under way for a communicator that this rank is about to make.
constexpr std::size_t kept_anyway = 1024;
constexpr std::size_t kept_per_rank = 16;

}  // namespace

Pigeonholes::Pigeonholes(int world_size)
    : most_unclaimed_(kept_anyway + kept_per_rank * static_cast<std::size_t>(world_size)) {}

std::shared_ptr<Pigeonhole> Pigeonholes::attach(std::uint64_t context, int wake_fd,
                                                const std::vector<Notice>& losses) {
  std::erase(unclaimed_, context);
  Pigeonhole& own = hole(context);
  own.wake_fd = wake_fd;
  own.news.notices.insert(own.news.notices.end(), losses.begin(), losses.end());
  ring(own);
  return holes_[context];
}

void Pigeonholes::close(std::uint64_t context) {
  holes_.erase(context);
  std::erase(unclaimed_, context);
  if (!closed_.insert(context).second) return;
  closing_order_.push_back(context);
  if (closing_order_.size() <= most_closed) return;
  closed_.erase(closing_order_.front());
  closing_order_.pop_front();
}

// A connection comes from a member to a member: these need no bound of their own.
void Pigeonholes::put(std::uint64_t context, Guest guest) {
  if (is_closed(context)) return;
  Pigeonhole& target = hole(context);
  target.news.guests.push_back(std::move(guest));
  ring(target);
}

void Pigeonholes::put(std::uint64_t context, const Notice& notice) {
  if (is_closed(context)) return;
  Pigeonhole& target = hole(context);
  target.news.notices.push_back(notice);
  ring(target);
  if (target.wake_fd >= 0) return;
  unclaimed_.push_back(context);
  if (unclaimed_.size() > most_unclaimed_) forget_oldest();
}

void Pigeonholes::forget_oldest() {
  const auto oldest = holes_.find(unclaimed_.front());
  unclaimed_.pop_front();
  News& news = oldest->second->news;
  news.notices.erase(news.notices.begin());
  if (news.notices.empty() && news.guests.empty()) holes_.erase(oldest);
}

void Pigeonholes::put_everywhere(const Notice& notice) {
  for (const auto& [context, hole] : holes_) {
    if (hole->wake_fd < 0) continue;  // gets all losses when it is attached
    hole->news.notices.push_back(notice);
    ring(*hole);
  }
}

void Pigeonholes::put_everywhere(const Error& trouble) {
  for (const auto& [context, hole] : holes_) {
    hole->news.trouble = trouble;
    ring(*hole);
  }
}

Pigeonhole& Pigeonholes::hole(std::uint64_t context) {
  std::shared_ptr<Pigeonhole>& hole = holes_[context];
  if (!hole) hole = std::make_shared<Pigeonhole>();
  return *hole;
}

void Pigeonholes::ring(Pigeonhole& hole) {
  hole.filled.store(true, std::memory_order_release);
  if (hole.wake_fd >= 0) (void)::eventfd_write(hole.wake_fd, 1);
}

}  // namespace rondo::process
