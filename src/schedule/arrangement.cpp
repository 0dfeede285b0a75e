#include <algorithm>
#include <numeric>

#include "base/text.hpp"
#include "rondo/schedule.hpp"

namespace rondo {

namespace {

Error refuse(const std::string& text) {
  return Error(ErrorCode::invalid_argument, concat("arrangement: ", text));
}

}  // namespace

Result<std::shared_ptr<const Arrangement>> Arrangement::make(std::vector<int> order,
                                                             std::vector<int> groups,
                                                             std::vector<std::uint32_t> weights) {
  const auto ranks = order.size();
  if (ranks == 0 || ranks > static_cast<std::size_t>(max_ranks)) {
    return refuse(concat("1 to ", max_ranks, " ranks have an order, not ", ranks));
  }
  Arrangement made;
  made.positions_.assign(ranks, -1);
  for (std::size_t position = 0; position < ranks; ++position) {
    const int rank = order[position];
    if (rank < 0 || static_cast<std::size_t>(rank) >= ranks) {
      return refuse(concat("rank ", rank, " is outside 0…", ranks - 1));
    }
    int& place = made.positions_[static_cast<std::size_t>(rank)];
    if (place >= 0) return refuse(concat("rank ", rank, " stands twice in the order"));
    place = static_cast<int>(position);
  }
  if (groups.empty()) groups = {static_cast<int>(ranks)};
  made.begins_ = {0};
  for (const int size : groups) {
    const int begin = made.begins_.back();
    if (size < 1 || size > static_cast<int>(ranks) - begin) {
      return refuse(concat("a group of ", size, " ranks after ", begin, " of ", ranks));
    }
    made.group_of_.insert(made.group_of_.end(), static_cast<std::size_t>(size), made.groups());
    made.begins_.push_back(begin + size);
  }
  if (made.begins_.back() != static_cast<int>(ranks)) {
    return refuse(concat("the groups have ", made.begins_.back(), " ranks, the order ", ranks));
  }
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  if (!weights.empty() && (total == 0 || total > UINT32_MAX)) {
    return refuse(concat("the weights add up to ", total, ", not to 1…", UINT32_MAX));
  }
  made.order_ = std::move(order);
  made.weights_ = std::move(weights);
  return std::make_shared<const Arrangement>(std::move(made));
}

std::vector<int> Arrangement::group_sizes() const {
  std::vector<int> sizes;
  for (int group = 0; group < groups(); ++group) sizes.push_back(size_of(group));
  return sizes;
}

bool Arrangement::is_in_rank_order() const {
  return std::is_sorted(order_.begin(), order_.end());
}

bool Arrangement::is_plain() const {
  return groups() == 1 && weights_.empty() && is_in_rank_order();
}

}  // namespace rondo
