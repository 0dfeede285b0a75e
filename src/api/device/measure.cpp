#include "api/device/measure.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <iomanip>
#include <limits>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "api/cache_folder.hpp"
#include "api/find_costs.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "plan/fit.hpp"

namespace rondo {

namespace {

using std::chrono::steady_clock;

constexpr std::uint32_t rounds = 16;  // of words to and fro
constexpr int copies = 4;
constexpr int samples = 5;  // and one before, which does not count
constexpr std::size_t most_copied = std::size_t{16} << 20;
constexpr std::size_t least_copied = sizeof(std::uint32_t);
constexpr std::uint32_t words_of_class = 256;  // more than are used

// As it is told to others.
struct Row {
  std::uint64_t is_known = 0;
  DeviceCost cost;
};
struct Rows {
  double kernel_s = 0;
  std::array<Row, path_class_count> rows;
};

Rows rows_of(const CostTable& table) {
  Rows rows{.kernel_s = table.kernel_s, .rows = {}};
  for (std::size_t i = 0; i < table.devices.size(); ++i) {
    if (table.devices[i]) rows.rows[i] = {1, *table.devices[i]};
  }
  return rows;
}

// What the table does not say itself.
void add(const Rows& rows, CostTable& table) {
  if (table.kernel_s == 0) table.kernel_s = rows.kernel_s;
  for (std::size_t i = 0; i < table.devices.size(); ++i) {
    if (!table.devices[i] && rows.rows[i].is_known != 0) table.devices[i] = rows.rows[i].cost;
  }
}

// One rank of a pair, or a rank alone with itself. Both count the same words.
class Meter {
 public:
  Meter(DevicePath& path, int peer)
      : path_(path), peer_(peer), word_(static_cast<std::uint32_t>(path.steps)) {}

  /// By the first of the pair.
  Result<> measure(PathClass kind, Rows& found);
  /// Meanwhile by the other one.
  Result<> answer();

 private:
  using Work = std::function<Result<>()>;

  DeviceRuntime& runtime() const { return path_.runtime(); }
  std::uint32_t* told(int to, int from) const { return path_.flags().told(to, from); }
  Result<double> time(const Work& work);
  Result<> wait() const;
  Result<> ping();
  Result<> pong();
  Result<> copy(std::byte* to, const std::byte* from, std::size_t bytes) const;

  DevicePath& path_;
  const int peer_;
  std::uint32_t word_;
};

Result<> Meter::wait() const {
  const auto deadline = steady_clock::now() + patience_with_devices;
  while (true) {
    const Result<bool> done = runtime().is_done(path_.stream());
    if (!done) return done.error();
    if (done.value()) return {};
    if (steady_clock::now() >= deadline) {
      return Error(ErrorCode::unsupported, "its device did not come to an end of what it measures");
    }
    std::this_thread::yield();
  }
}

// Seconds that the stream takes for what it has been given before it may begin; the shortest, since
// a thread that is late makes times longer only.
Result<double> Meter::time(const Work& work) {
  double shortest = std::numeric_limits<double>::infinity();
  for (int sample = 0; sample <= samples; ++sample) {
    std::uint32_t* const gate = told(path_.rank(), path_.rank());
    const std::uint32_t opened = ++word_;
    Result<> done = runtime().wait_value(path_.stream(), gate, opened);
    if (done) done = work();
    const auto begin = steady_clock::now();
    DeviceFlags::write(gate, opened);
    if (done) done = wait();
    if (!done) return done.error();
    const std::chrono::duration<double> taken = steady_clock::now() - begin;
    if (sample > 0) shortest = std::min(shortest, taken.count());
  }
  return shortest;
}

Result<> Meter::ping() {
  Result<> done;
  for (std::uint32_t round = 0; done && round < rounds; ++round) {
    const std::uint32_t value = ++word_;
    done = runtime().write_value(path_.stream(), told(peer_, path_.rank()), value);
    if (done) done = runtime().wait_value(path_.stream(), told(path_.rank(), peer_), value);
  }
  return done;
}

Result<> Meter::pong() {
  Result<> done;
  for (std::uint32_t round = 0; done && round < rounds; ++round) {
    const std::uint32_t value = ++word_;
    done = runtime().wait_value(path_.stream(), told(path_.rank(), peer_), value);
    if (done) done = runtime().write_value(path_.stream(), told(peer_, path_.rank()), value);
  }
  return done;
}

Result<> Meter::answer() {
  Result<> done;
  for (int sample = 0; done && sample <= samples; ++sample) {
    ++word_;  // opens the other one's gate
    done = pong();
  }
  return done ? wait() : done;
}

Result<> Meter::copy(std::byte* to, const std::byte* from, std::size_t bytes) const {
  const DeviceCopy one{to, from, bytes};
  Result<> done;
  for (int i = 0; done && i < copies; ++i) {
    done = runtime().copy_all(path_.stream(), {&one, 1}, path_.flags().stop());
  }
  return done;
}

Result<> Meter::measure(PathClass kind, Rows& found) {
  const std::size_t half = path_.workspace_bytes() / 2;
  const std::size_t bytes = std::min(half, most_copied) / 256 * 256;
  std::byte* const own = path_.workspace(path_.rank());
  std::byte* const theirs = path_.workspace(peer_);
  double failed_s = 0;
  Result<> fine;
  const auto timed = [&](const Work& work) {
    if (!fine) return failed_s;
    const Result<double> seconds = time(work);
    if (!seconds) fine = seconds.error();
    return seconds ? seconds.value() : failed_s;
  };
  const double words = timed([&] { return ping(); });
  const double nothing = timed([] { return Result<>(); });
  const double kernels = timed([&] { return copy(own + half, own, least_copied); });
  const double reads = timed([&] { return copy(own + half, theirs, bytes); });
  const double writes = timed([&] { return copy(theirs + half, own, bytes); });
  if (!fine) return fine;
  const bool is_alone = peer_ == path_.rank();
  const double moved = static_cast<double>(bytes) * copies;
  // On one device the same memory is read and written: each way is half of it.
  const double ways = kind <= PathClass::same_gpu ? 2 : 1;
  // Where what is taken off was disturbed all the time, nothing is: a cost is never 0.
  const auto part = [](double seconds, double idle, double of) {
    return (seconds > idle ? seconds - idle : seconds) / of;
  };
  DeviceCost cost;
  cost.latency_s = rounded_time(part(words, nothing, is_alone ? rounds : 2 * rounds));
  cost.read_byte_s = rounded_rate(part(reads, kernels, ways * moved));
  cost.write_byte_s = rounded_rate(part(writes, kernels, ways * moved));
  found.rows[static_cast<std::size_t>(kind)] = {1, cost};
  if (found.kernel_s == 0) found.kernel_s = rounded_time(part(kernels, nothing, copies));
  return {};
}

// Of a class the first pair, or rank 0 alone where it is about a device's own memory.
std::vector<std::pair<PathClass, std::pair<int, int>>> pairs_of(const DevicePaths& paths) {
  std::array<std::optional<std::pair<int, int>>, path_class_count> first;
  for (int rank = 0; rank < paths.ranks(); ++rank) {
    for (int other = rank + 1; other < paths.ranks(); ++other) {
      auto& pair = first[static_cast<std::size_t>(paths.between(rank, other))];
      if (!pair) pair = {rank, other};
    }
  }
  if (!first[0]) first[0] = {0, 0};
  std::vector<std::pair<PathClass, std::pair<int, int>>> found;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i]) found.emplace_back(static_cast<PathClass>(i), *first[i]);
  }
  return found;
}

}  // namespace

std::string device_costs_name(const Machine& machine, std::string_view model) {
  std::ostringstream name;
  name << "devices-" << std::hex << std::setfill('0') << std::setw(16)
       << fnv1a(std::as_bytes(std::span(model)), hash(machine));
  return name.str();
}

void add_cached_device_costs(const std::string& name, CostTable& table) {
  add(rows_of(cached_costs(name)), table);
}

Result<bool> find_device_costs(Exchange& exchange, DevicePath& path, const std::string& name,
                               CostTable& table, std::string& why_not) {
  const bool keeps = path.rank() == 0 && !name.empty();
  Rows rows = rows_of(keeps ? cached_costs(name) : CostTable{});
  Result<> told = exchange.broadcast(std::as_writable_bytes(std::span(&rows, 1)), 0);
  if (!told) return told.error();
  add(rows, table);
  bool is_new = false;
  for (const auto& [kind, pair] : pairs_of(path.paths())) {
    if (table.devices[static_cast<std::size_t>(kind)]) continue;
    rows = rows_of(table);
    Result<> fine;
    if (path.rank() == pair.first) fine = Meter(path, pair.second).measure(kind, rows);
    const bool answers = path.rank() == pair.second && pair.second != pair.first;
    if (answers) fine = Meter(path, pair.first).answer();
    if (!fine) path.stop();  // the other one waits no longer
    path.steps += words_of_class;
    const Result<bool> agreed = agree(exchange, fine, why_not);
    if (!agreed || !agreed.value()) return agreed;
    told = exchange.broadcast(std::as_writable_bytes(std::span(&rows, 1)), pair.first);
    if (!told) return told.error();
    add(rows, table);
    is_new = true;
  }
  CostTable kept;
  add(rows_of(table), kept);
  if (keeps && is_new) write_cached(name, to_text(kept));
  return true;
}

}  // namespace rondo
