#include "bench/sizes.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/text.hpp"

namespace rondo::bench {

namespace {

constexpr std::string_view sendrecv = "sendrecv";

}  // namespace

std::optional<std::size_t> parse_size(std::string_view text) {
  double unit = 1;
  if (!text.empty()) {
    switch (std::toupper(static_cast<unsigned char>(text.back()))) {
      case 'K':
        unit = 0x1p10;
        break;
      case 'M':
        unit = 0x1p20;
        break;
      case 'G':
        unit = 0x1p30;
        break;
      default:
        break;
    }
  }
  if (unit > 1) text.remove_suffix(1);
  if (text.empty() || !std::isdigit(static_cast<unsigned char>(text.front()))) return std::nullopt;
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const double bytes = number * unit;
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (bytes > 0x1p50 || bytes != std::floor(bytes)) return std::nullopt;
  return static_cast<std::size_t>(bytes);
}

std::vector<std::size_t> sweep(std::size_t min, std::size_t max, std::size_t factor,
                               std::size_t step) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = min; size <= max;) {
    sizes.push_back(size);
    const std::size_t next = step != 0 ? size + step : size * factor;
    if (next <= size) break;
    size = next;
  }
  return sizes;
}

std::string_view name_of(Subject subject) {
  return subject ? name(*subject) : sendrecv;
}

std::optional<Subject> parse_subject(std::string_view text) {
  if (text == sendrecv) return Subject();
  const std::optional<Collective> collective = parse_collective(text);
  return collective ? std::optional<Subject>(collective) : std::nullopt;
}

std::string subject_names() {
  return concat(all_names<Collective>(collective_count), ", ", sendrecv);
}

bool Case::reduces() const {
  return collective && collective != Collective::barrier &&
         (reduces_all(*collective) || reduces_prefix(*collective));
}

bool Case::has_root() const {
  return collective && is_rooted(*collective);
}

bool Case::has_blocks() const {
  return collective && rondo::has_blocks(*collective);
}

std::size_t Case::send_elements() const {
  const bool of_all =
      collective && (gets_own_block(*collective) || collective == Collective::alltoall);
  return of_all ? count * static_cast<std::size_t>(ranks) : count;
}

std::size_t Case::receive_elements() const {
  const bool of_all =
      collective && (gives_own_block(*collective) || collective == Collective::alltoall);
  return of_all ? count * static_cast<std::size_t>(ranks) : count;
}

std::size_t Case::bytes() const {
  return std::max(send_elements(), receive_elements()) * size_of(dtype);
}

std::size_t count_for(Subject collective, DType dtype, int ranks, std::size_t bytes) {
  const std::size_t element = size_of(dtype);
  if (collective == Collective::barrier) return 0;
  if (!collective || !has_blocks(*collective)) return bytes / element;
  const std::size_t block_bytes = bytes / static_cast<std::size_t>(ranks);
  return block_bytes / 16 * 16 / element;
}

double bus_factor(Subject collective, int ranks) {
  const double n = ranks;
  if (collective == Collective::allreduce) return 2 * (n - 1) / n;
  return collective && has_blocks(*collective) ? (n - 1) / n : 1;
}

}  // namespace rondo::bench
