#include "api/device/path.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "api/device/descriptor_round.hpp"
#include "api/device/looking.hpp"
#include "base/text.hpp"
#include "plan/planner.hpp"

namespace rondo {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t most_workspace = std::size_t{32} << 20;
constexpr std::size_t least_workspace = std::size_t{1} << 20;
constexpr std::size_t most_programs = 256;
constexpr std::chrono::seconds patience_of_probe(10);
constexpr std::chrono::seconds patience_of_closing(1);

// What a rank says of itself before anything is made.
struct Introduction {
  DeviceSeat seat;
  std::uint64_t memory_bytes = 0;
  int resident_blocks = 0;
};

// What went wrong, in so many letters; nothing where all is well.
using Finding = std::array<char, 240>;

Finding finding_of(const Result<>& result) {
  Finding text = {};
  if (result) return text;
  const std::string& words = result.error().text();
  std::copy_n(words.begin(), std::min(words.size(), text.size() - 1), text.begin());
  if (words.empty()) text[0] = '?';
  return text;
}

std::uint32_t probe_word(int from, int to) {
  return 0x52300000u + static_cast<std::uint32_t>(from) * 256u + static_cast<std::uint32_t>(to);
}

}  // namespace

Result<bool> agree(Exchange& exchange, const Result<>& own, std::string& why_not) {
  const Finding mine = finding_of(own);
  const Result<std::vector<Finding>> all = gather(exchange, std::span<const Finding>(&mine, 1));
  if (!all) return all.error();
  for (std::size_t rank = 0; rank < all.value().size(); ++rank) {
    const char* const text = all.value()[rank].data();
    if (*text == '\0') continue;
    why_not = concat("rank ", rank, ": ", text);
    return false;
  }
  return true;
}

/// An allocation, and where its owner's words are. What is not said is zero.
struct DevicePath::Offer {
  PeerMemory memory;
  std::int64_t device = 0;  // as its process numbers it
  DeviceFlags::Origin flags;
  Finding no_way;  // for other processes
};

DevicePath::DevicePath(DeviceRuntime& runtime, int device, int rank, int size)
    : runtime_(&runtime), device_(device), rank_(rank), size_(size) {}

Result<std::unique_ptr<DevicePath>> DevicePath::make(Exchange& exchange, DeviceRuntime* runtime,
                                                     int device, std::optional<Error> trouble,
                                                     const DeviceWishes& wishes,
                                                     const Machine& machine, std::string& why_not) {
  Result<> fine = trouble ? Result<>(*trouble) : Result<>();
  Introduction own;
  if (fine) {
    const Result<std::vector<DeviceInfo>> devices = runtime->devices();
    if (!devices) {
      fine = devices.error();
    } else if (device < 0 || device >= static_cast<int>(devices.value().size())) {
      fine = Error(ErrorCode::invalid_argument, concat("there is no device ", device));
    } else {
      const DeviceInfo& info = devices.value()[static_cast<std::size_t>(device)];
      own = {DeviceSeat::of(own_process_name(*runtime), info), info.memory_bytes};
      if (wishes.order != DeviceOrder::streams) {
        const Result<int> resident = runtime->resident_blocks(device);
        if (resident) own.resident_blocks = resident.value();
      }
    }
  }
  const auto all = gather(exchange, std::span<const Introduction>(&own, 1));
  if (!all) return all.error();
  Result<bool> agreed = agree(exchange, fine, why_not);
  if (!agreed) return agreed.error();
  if (!agreed.value()) return std::unique_ptr<DevicePath>();

  std::unique_ptr<DevicePath> path(
      new DevicePath(*runtime, device, exchange.rank(), exchange.size()));
  std::uint64_t least = most_workspace * 64;
  std::vector<DeviceSeat> seats;
  std::vector<int> resident_blocks;
  for (const Introduction& each : all.value()) {
    least = std::min(least, each.memory_bytes);
    seats.push_back(each.seat);
    resident_blocks.push_back(each.resident_blocks);
  }
  Result<DevicePaths> paths = find_paths(exchange, *runtime, device, std::move(seats), machine);
  if (!paths) return paths.error();
  path->paths_ = std::move(paths).value();
  path->slices_ = slices_of_kernels(path->paths_, resident_blocks, wishes);
  const Result<> reserved = path->reserve_blocks(exchange, own.resident_blocks);
  if (!reserved) return reserved.error();
  fine = path->prepare_own(std::max<std::size_t>(least / 64, least_workspace), wishes.packet_bytes);
  MemoryParts none;
  Result<Offer> offered = fine ? path->offer(path->own_workspace_, none) : fine.error();
  if (fine && !offered) fine = offered.error();
  const Offer mine = offered ? offered.value() : Offer();
  const auto offers = gather(exchange, std::span<const Offer>(&mine, 1));
  if (!offers) return offers.error();
  const std::function<Result<>()> steps_of_probe[] = {
      [&] { return path->open_workspaces(offers.value()); },
      [&] { return path->prepare_kernels(wishes.packet_bytes); },
      [&] { return path->write_probe(); },
      [&] { return path->start_probe(); },
      [&] { return path->await_probe(); },
      [&] { return path->read_probe(); },
      [] { return Result<>(); },
  };
  // Each one where all have done the one before.
  for (const auto& step : steps_of_probe) {
    agreed = agree(exchange, fine, why_not);
    if (!agreed) return agreed.error();
    if (!agreed.value()) return std::unique_ptr<DevicePath>();
    fine = step();
  }
  return path;
}

// Collective. What no runtime can say is left to the machine.
Result<DevicePaths> DevicePath::find_paths(Exchange& exchange, DeviceRuntime& runtime, int device,
                                           std::vector<DeviceSeat> seats, const Machine& machine) {
  std::vector<DeviceLink> own(seats.size(), DeviceLink::not_known);
  const Result<std::vector<DeviceInfo>> devices = runtime.devices();
  for (std::size_t rank = 0; devices && rank < seats.size(); ++rank) {
    for (std::size_t other = 0; other < devices.value().size(); ++other) {
      const int number = static_cast<int>(other);
      if (number == device || devices.value()[other].uuid != seats[rank].uuid) continue;
      const Result<DeviceLink> link = runtime.link(device, number);
      if (link) own[rank] = link.value();
    }
  }
  const auto all = gather(exchange, std::span<const DeviceLink>(own));
  if (!all) return all.error();
  return DevicePaths(std::move(seats), all.value(), machine);
}

// Collective. Kernels wait on all ranks, or on none.
Result<> DevicePath::reserve_blocks(Exchange& exchange, int resident_blocks) {
  if (slices_ == 0) return {};
  Result<std::unique_ptr<BlockShare>> taken =
      BlockShare::take(own_process_name(*runtime_), device_,
                       blocks_of_kernels(paths_, rank_, slices_), resident_blocks);
  const Result<bool> agreed = agree(exchange, taken ? Result<>() : taken.error(), why_no_kernels_);
  if (!agreed) return agreed.error();
  if (agreed.value()) {
    blocks_ = std::move(taken).value();
  } else {
    slices_ = 0;
  }
  return {};
}

// The annexes begin behind the workspaces.
Result<> DevicePath::prepare_kernels(std::size_t packet_bytes) {
  if (slices_ == 0) return {};
  std::vector<std::byte*> annexes;
  for (int rank = 0; rank < size_; ++rank) annexes.push_back(workspace(rank) + workspace_bytes_);
  kernels_.emplace(*runtime_, KernelOrder::Place{.stream = stream_,
                                                 .rank = rank_,
                                                 .most_slices = slices_,
                                                 .packet_bytes = packet_bytes,
                                                 .stop = flags_->stop(),
                                                 .annexes = std::move(annexes)});
  return kernels_->prepare();
}

Result<> DevicePath::open_workspaces(const std::vector<Offer>& offers) {
  if (rank_ != 0) {
    Result<std::shared_ptr<DeviceFlags>> opened =
        DeviceFlags::open(*runtime_, size_, offers[0].flags);
    if (!opened) return opened.error();
    flags_ = std::move(opened).value();
  }
  return open(offers, std::vector<MemoryParts>(offers.size()), workspace_share_);
}

Result<> DevicePath::prepare_own(std::size_t bytes, std::size_t packet_bytes) {
  const Result<DeviceStream> stream = runtime_->create_stream(device_);
  if (!stream) return stream.error();
  stream_ = stream.value();
  const Result<DeviceEvent> event = runtime_->create_event(device_, false);
  if (!event) return event.error();
  last = event.value();
  const std::size_t annex = slices_ > 0 ? KernelOrder::annex_bytes(size_, packet_bytes) : 0;
  const Result<void*> memory = runtime_->allocate(Allocation::device, device_, bytes + annex);
  if (!memory) return memory.error();
  own_workspace_ = memory.value();
  workspace_bytes_ = bytes;
  cache_.emplace(*runtime_, device_, own_process_name(*runtime_), PeerCache::Bounds{});
  if (rank_ != 0) return {};
  Result<std::shared_ptr<DeviceFlags>> made = DeviceFlags::make(*runtime_, size_);
  if (!made) return made.error();
  flags_ = std::move(made).value();
  return {};
}

// A handle, or descriptors, are needed where some rank is another process, which is known when
// offers are read.
Result<DevicePath::Offer> DevicePath::offer(const void* memory, MemoryParts& parts) const {
  const Result<MemoryInfo> info = runtime_->describe(memory);
  if (!info) return info.error();
  if (info.value().kind != MemoryKind::device || info.value().device != device_) {
    return Error(ErrorCode::invalid_argument, concat("it is no memory of device ", device_,
                                                     ", to which this rank is connected"));
  }
  Offer made{.memory = {.owner = own_process_name(*runtime_),
                        .base = reinterpret_cast<std::uintptr_t>(info.value().base),
                        .size = info.value().size,
                        .id = info.value().id,
                        .handle = {}},
             .device = device_,
             .flags = {},
             .no_way = {}};
  const Result<MemoryHandle> handle = runtime_->export_memory(memory);
  if (handle) {
    made.memory.handle = handle.value();
  } else if (Result<MemoryParts> exported = runtime_->export_parts(memory); exported) {
    parts = std::move(exported).value();
    made.memory.base = reinterpret_cast<std::uintptr_t>(parts.base);
    made.memory.size = parts.size;
    made.memory.id = parts.id;
    made.memory.has_parts = true;
  } else {
    made.no_way = finding_of(info.value().has_descriptor ? exported.error() : handle.error());
  }
  if (flags_ && rank_ == 0) made.flags = flags_->origin(flags_);
  return made;
}

Result<> DevicePath::open(const std::vector<Offer>& offers, const std::vector<MemoryParts>& parts,
                          Share& share) {
  const ProcessName own = own_process_name(*runtime_);
  for (const Offer& each : offers) {
    const bool is_same_place = each.memory.owner == own && each.device == device_;
    const char* const no_way = each.no_way.data();
    if (each.memory.owner != own && *no_way != '\0') {
      return Error(ErrorCode::unsupported,
                   concat("other processes cannot reach the memory of rank ", share.places.size(),
                          ": ", no_way));
    }
    if (!is_same_place && each.memory.owner == own && each.memory.handle == MemoryHandle()) {
      return Error(ErrorCode::unsupported, concat("memory without a handle, that of rank ",
                                                  share.places.size(), ", and another device"));
    }
    if (!is_same_place && each.memory.owner == own) {
      const Result<> reached = runtime_->reach_device(device_, static_cast<int>(each.device));
      if (!reached) return reached;
    }
    const Result<void*> place = cache_->acquire(each.memory, &parts[share.places.size()]);
    if (!place)
      return place.error().with_prefix(concat("memory of rank ", share.places.size(), ": "));
    share.memories.push_back(each.memory);
    share.places.push_back(static_cast<std::byte*>(place.value()));
  }
  return {};
}

// What another share has, too, stays open.
void DevicePath::close(Share& share) {
  const std::vector<PeerMemory> memories = std::exchange(share, {}).memories;
  for (const PeerMemory& memory : memories) {
    cache_->release(memory);
    const bool is_used = std::any_of(shares_.begin(), shares_.end(), [&](const Share& other) {
      return std::any_of(other.memories.begin(), other.memories.end(), [&](const PeerMemory& its) {
        return its.owner == memory.owner && its.id == memory.id;
      });
    });
    if (!is_used) cache_->withdraw(memory.owner, memory.id);
  }
}

// Each rank writes a word for each other one into its own memory, which those read, and one into
// theirs.
Result<> DevicePath::write_probe() {
  std::vector<std::uint32_t> words;
  for (int peer = 0; peer < size_; ++peer) words.push_back(probe_word(rank_, peer));
  words.resize(static_cast<std::size_t>(3 * size_));
  const Result<> done =
      runtime_->copy(stream_, own_workspace_, words.data(), words.size() * sizeof(words[0]));
  return done ? runtime_->synchronize(stream_) : done;
}

Result<> DevicePath::start_probe() {
  std::vector<DeviceCopy> copies;
  const auto word = [&](int of, int index) {
    return workspace(of) + static_cast<std::size_t>(index) * sizeof(std::uint32_t);
  };
  for (int peer = 0; peer < size_; ++peer) {
    copies.push_back({word(rank_, size_ + peer), word(peer, rank_), sizeof(std::uint32_t)});
    copies.push_back({word(peer, 2 * size_ + rank_), word(rank_, peer), sizeof(std::uint32_t)});
  }
  Result<> done = runtime_->copy_all(stream_, copies, flags_->stop());
  for (int peer = 0; done && peer < size_; ++peer) {
    done = runtime_->write_value(stream_, flags_->told(peer, rank_), 1);
  }
  for (int peer = 0; done && peer < size_; ++peer) {
    done = runtime_->wait_value(stream_, flags_->told(rank_, peer), 1);
  }
  return done;
}

Result<> DevicePath::await_probe() {
  Result<bool> done = false;
  look_until(steady_clock::now() + patience_of_probe, [&] {
    done = runtime_->is_done(stream_);
    return !done || done.value();
  });
  if (!done) return done.error();
  if (done.value()) {
    steps = 1;
    return {};
  }
  for (int peer = 0; peer < size_; ++peer) {
    if (DeviceFlags::read(flags_->told(rank_, peer)) == 1) continue;
    return Error(ErrorCode::unsupported, concat("nothing came from the device of rank ", peer));
  }
  return Error(ErrorCode::unsupported, "the device does not see what its peers have written");
}

Result<> DevicePath::read_probe() {
  std::vector<std::uint32_t> words(static_cast<std::size_t>(3 * size_));
  Result<> done =
      runtime_->copy(stream_, words.data(), own_workspace_, words.size() * sizeof(words[0]));
  if (done) done = runtime_->synchronize(stream_);
  if (!done) return done;
  for (int peer = 0; peer < size_; ++peer) {
    const auto read = words[static_cast<std::size_t>(size_ + peer)];
    const auto written = words[static_cast<std::size_t>(2 * size_ + peer)];
    if (read == probe_word(peer, rank_) && written == probe_word(peer, rank_)) continue;
    return Error(ErrorCode::unsupported,
                 concat("what came from rank ", peer, " is not what it sent"));
  }
  return {};
}

void DevicePath::require(const Result<>& result) const {
  if (result) return;
  const Error& error = result.error();
  throw Error(error.code(), rank_, concat("the device of rank ", rank_, ": ", error.text()));
}

// Over and over: what streams still write takes the place of what ends the waits of others.
void DevicePath::stop_stream() {
  if (stream_.native == nullptr) return;
  look_until(steady_clock::time_point::max(), [&] {
    const Result<bool> done = runtime_->is_done(stream_);
    if (!done || done.value()) return true;
    stop();
    return false;
  });
}

void DevicePath::stop() {
  DeviceFlags::write(flags_->stop(), 1);
  for (int to = 0; to < size_; ++to) {
    for (int from = 0; from < size_; ++from) {
      DeviceFlags::write(flags_->told(to, from), static_cast<std::uint32_t>(steps) + (1u << 30));
    }
  }
}

// What other processes have open must not be freed before they close it. Those that have ended
// never say so.
void DevicePath::await_closing(const std::vector<PeerMemory>& opened) {
  DeviceFlags::write(flags_->closed(rank_), 1);
  const ProcessName own = own_process_name(*runtime_);
  const auto deadline = steady_clock::now() + patience_of_closing;
  for (int peer = 0; peer < static_cast<int>(opened.size()); ++peer) {
    if (opened[static_cast<std::size_t>(peer)].owner == own) continue;
    look_until(deadline, [&] { return DeviceFlags::read(flags_->closed(peer)) != 0; });
  }
}

DevicePath::~DevicePath() {
  await_end(*runtime_, last);
  if (flags_) stop_stream();  // nothing is left in it, unless a probe has failed
  const std::vector<PeerMemory> opened = workspace_share_.memories;
  if (cache_) {
    for (Share& share : shares_) close(share);
    close(workspace_share_);
  }
  if (flags_) await_closing(opened);
  kernels_.reset();
  if (last.native != nullptr) static_cast<void>(runtime_->destroy_event(last).ok());
  if (stream_.native != nullptr) static_cast<void>(runtime_->destroy_stream(stream_).ok());
  if (own_workspace_ != nullptr) {
    static_cast<void>(runtime_->deallocate(Allocation::device, own_workspace_).ok());
  }
}

Result<bool> DevicePath::share(Exchange& exchange, const void* memory, std::string& why_not) {
  MemoryParts own;
  Result<Offer> offered = offer(memory, own);
  Result<> fine = offered ? Result<>() : offered.error();
  const Offer mine = offered ? offered.value() : Offer();
  const auto offers = gather(exchange, std::span<const Offer>(&mine, 1));
  if (!offers) return offers.error();
  Result<bool> agreed = agree(exchange, fine, why_not);
  if (!agreed || !agreed.value()) return agreed;
  Share made{.base = reinterpret_cast<std::byte*>(mine.memory.base),
             .size = mine.memory.size,
             .memories = {},
             .places = {}};
  std::vector<PeerMemory> memories;
  for (const Offer& each : offers.value()) memories.push_back(each.memory);
  std::vector<MemoryParts> parts;
  agreed = pass_parts(
      exchange, memories, own,
      [&](const Result<>& result) { return agree(exchange, result, why_not); }, parts);
  own = {};
  if (!agreed || !agreed.value()) return agreed;
  fine = open(offers.value(), parts, made);
  parts.clear();
  agreed = agree(exchange, fine, why_not);
  if (agreed && agreed.value()) {
    shares_.push_back(std::move(made));
    return true;
  }
  close(made);
  // Nobody goes on, and frees it, before all have closed it.
  std::string nothing;
  const Result<bool> closed = agree(exchange, {}, nothing);
  return agreed && !closed ? closed.error() : agreed;
}

Result<> DevicePath::unshare(Exchange& exchange, const void* memory) {
  const std::int64_t number = find_shared(memory, 1).number;
  const auto all = gather(exchange, std::span<const std::int64_t>(&number, 1));
  if (!all) return all.error();
  for (const std::int64_t each : all.value()) {
    if (each >= 0 && each == number) continue;
    return Error(ErrorCode::invalid_argument,
                 "unshare: not all ranks give memory that they have shared in one call");
  }
  close(shares_[static_cast<std::size_t>(number)]);
  std::string nothing;
  const Result<bool> closed = agree(exchange, {}, nothing);
  return closed ? Result<>() : closed.error();
}

DevicePath::Shared DevicePath::find_shared(const void* begin, std::size_t bytes) const {
  const auto* const first = static_cast<const std::byte*>(begin);
  for (std::size_t i = shares_.size(); i-- > 0;) {
    const Share& share = shares_[i];
    if (share.places.empty() || first < share.base || first + bytes > share.base + share.size) {
      continue;
    }
    return {static_cast<std::int64_t>(i), static_cast<std::uint64_t>(first - share.base)};
  }
  return {};
}

bool DevicePath::is_shared(Shared at) const {
  return at.number >= 0 && at.number < static_cast<std::int64_t>(shares_.size()) &&
         !shares_[static_cast<std::size_t>(at.number)].places.empty();
}

std::byte* DevicePath::shared_at(int rank, Shared at) const {
  const Share& share = shares_[static_cast<std::size_t>(at.number)];
  return share.places[static_cast<std::size_t>(rank)] + at.offset;
}

const StreamProgram& DevicePath::program(const Plan& plan, const Amount& amount, bool in_place) {
  const Key key{plan_hash(plan, 0), plan.collective, plan.root, amount.dtype,
                amount.op,          amount.count,    in_place};
  const auto known = programs_.find(key);
  if (known != programs_.end()) return known->second;
  if (programs_.size() >= most_programs) programs_.clear();
  Result<StreamProgram> made = make_stream_program(plan, amount, rank_, in_place);
  if (!made) throw made.error();
  return programs_.emplace(key, std::move(made).value()).first->second;
}

}  // namespace rondo
