#include "api/state.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <numeric>
#include <thread>

#include "api/arguments.hpp"
#include "api/device/measure.hpp"
#include "api/device/route.hpp"
#include "api/find_costs.hpp"
#include "api/measure_links.hpp"
#include "api/persistent_state.hpp"
#include "api/refuse.hpp"
#include "api/world_topology.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"
#include "execute/device/stream_clock.hpp"
#include "plan/default_costs.hpp"
#include "plan/device_plan.hpp"
#include "plan/uneven.hpp"
#include "transport/inproc.hpp"

namespace rondo {

namespace {

// The blocks of the vector, where all ranks give the same.
const Blocks& blocks_of_all(const ErasedCall& call) {
  return call.collective == Collective::allgather ? call.receive_blocks : call.send_blocks;
}

bool all_know_counts(const ErasedCall& call) {
  return call.uneven && all_know_lengths(call.collective);
}

// Elements of the vector, as far as all ranks know them.
std::size_t elements_of(const ErasedCall& call, int size) {
  if (all_know_counts(call)) {
    const Counts counts = blocks_of_all(call).counts;
    return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
  }
  if (call.uneven) return 0;
  return call.count * (has_blocks(call.collective) ? static_cast<std::size_t>(size) : 1);
}

// The lengths of all blocks of one side. A rank that isn't told the others' needs its own only.
std::vector<std::size_t> lengths(const Blocks& blocks, std::size_t own, int rank, int size) {
  if (!blocks.counts.empty()) return {blocks.counts.begin(), blocks.counts.end()};
  std::vector<std::size_t> counts(static_cast<std::size_t>(size), 0);
  counts[static_cast<std::size_t>(rank)] = own;
  return counts;
}

std::shared_ptr<const UnevenBlocks> uneven_blocks(const ErasedCall& call, const Shape& shape,
                                                  int rank, int size) {
  // What ranks other than the root say of blocks has no meaning.
  const bool is_told = !is_rooted(call.collective) || rank == call.root;
  const Blocks sent = is_told ? call.send_blocks : Blocks{};
  const Blocks received = is_told ? call.receive_blocks : Blocks{};
  const Blocks& given = gives_own_block(call.collective) ? received : sent;
  const Blocks& got = call.collective == Collective::alltoall ? received : given;
  const auto layout = [&](const Blocks& blocks) {
    return Layout::of_blocks(shape, lengths(blocks, call.count, rank, size));
  };
  const auto copied = [](Counts counts) {
    return std::vector<std::size_t>(counts.begin(), counts.end());
  };
  return std::make_shared<UnevenBlocks>(UnevenBlocks{
      layout(given), layout(got), copied(sent.displacements), copied(received.displacements),
      all_know_counts(call) && !blocks_of_all(call).displacements.empty()});
}

// All that ranks must agree on beyond the call itself.
std::uint64_t agreed_hash(std::uint64_t plan, const ErasedCall& call) {
  if (!all_know_counts(call)) return plan;
  std::vector<std::uint64_t> parts = {plan};
  const Blocks& blocks = blocks_of_all(call);
  parts.insert(parts.end(), blocks.counts.begin(), blocks.counts.end());
  parts.push_back(blocks.displacements.empty() ? 0 : 1);
  return fnv1a(std::as_bytes(std::span(parts)));
}

}  // namespace

const CostTable& Communicator::State::costs() {
  if (!costs_ && size() == 1) costs_ = settings.costs.value_or(CostTable{});
  if (!costs_) {
    // The deadline is for ranks that are late; here others wait for those who measure, too.
    Exchange among(engine, plans, settings.timeout + longest_measurement);
    Result<CostTable> found = find_costs(among, engine, *topology, settings.costs, context);
    if (!found) throw found.error();
    costs_ = std::move(found).value();
  }
  return *costs_;
}

CostTable Communicator::State::costs_between_threads(const Settings& settings, bool may_spin) {
  if (settings.costs) return *settings.costs;
  const auto topology = std::make_shared<const Topology>(local_topology(2));
  std::array<CostTable, 2> found;
  const auto find = [&](std::unique_ptr<Transport> transport) {
    const auto rank = static_cast<std::size_t>(transport->rank());
    try {
      State state(std::move(transport), settings, may_spin, world_context);
      state.topology = topology;
      found[rank] = state.costs();
    } catch (const std::exception&) {
      found[rank] = {};  // the planner has constants of its own
    }
  };
  std::vector<std::unique_ptr<Transport>> pair = make_inproc(2);
  std::thread other(find, std::move(pair[1]));
  find(std::move(pair[0]));
  other.join();
  return found[0];
}

Planner& Communicator::State::planner() {
  if (!planner_) {
    const CostTable costs =
        costs_or_default(costs_.value_or(CostTable{}), engine.transport().name());
    Result<Planner> made = Planner::make(*topology, costs, settings.wishes);
    if (!made) throw made.error();
    planner_.emplace(std::move(made).value());
  }
  return *planner_;
}

std::string Communicator::State::explain(Question question) {
  const std::string name = costs_name(*topology, engine.transport().name(), engine.may_spin());
  question.about += concat(" among ", size(), " ranks over ", engine.transport().name());
  question.costs = origin_of(costs_.value_or(CostTable{}), settings.costs_file, name);
  Result<std::string> text = rondo::explain(planner(), question);
  if (!text) throw text.error();
  const bool has_way = device_planner_ && has_device_plan(question.collective) && !question.uneven;
  if (!has_way) return std::move(text).value();
  question.about += ", from device to device";
  question.costs.clear();
  const Result<std::string> other = rondo::explain(*device_planner_, question);
  if (!other) throw other.error();
  return concat(text.value(), "\n", other.value(),
                "\nBetween their devices, in the words of rondo ", "topo:\n",
                to_text(device_path_->paths()));
}

void Communicator::State::tell_notes() {
  if (!planner().has_notes()) return;
  // Whoever asked for it should know; one rank speaks for all.
  for (const std::string& note : planner().take_notes()) {
    if (rank() == 0) std::clog << concat("rondo: ", note, "\n");
  }
}

const Operation& Communicator::State::prepare(const ErasedCall& call) {
  if (call.uneven) {
    check_arguments(call, rank(), size());
    return uneven_ = choose_and_prepare(call);
  }
  auto& [operation, buffers] = prepared_.find(call);
  const bool is_known = operation.program != nullptr;
  if (!is_known || !buffers.fit(call.send, call.receive)) {
    buffers = check_arguments(call, rank(), size());
  }
  if (!is_known) operation = choose_and_prepare(call);
  operation.in = static_cast<const std::byte*>(call.send);
  operation.out = static_cast<std::byte*>(call.receive);
  operation.timeout = settings.timeout;
  return operation;
}

Operation Communicator::State::choose_and_prepare(const ErasedCall& call) {
  const std::size_t bytes = elements_of(call, size()) * size_of(call.dtype);
  if (call.uneven) {
    const Result<Choice> choice = choose_uneven(planner(), call.collective, bytes);
    if (!choice) throw choice.error();
    tell_notes();
    const Choice& chosen = choice.value();
    return make_operation(call, chosen.plan, chosen.tile_bytes, chosen.hash);
  }
  const Result<const Choice*> choice = planner().choose(call.collective, bytes);
  if (!choice) throw choice.error();
  tell_notes();
  const Choice& chosen = *choice.value();
  Operation operation = make_operation(call, chosen.plan, chosen.tile_bytes, chosen.hash);
  set_route(operation, call);
  return operation;
}

// Ranks that are connected say first what they have, and so do not meet others.
void Communicator::State::set_route(Operation& operation, const ErasedCall& call) const {
  if (!host_route_ || !DeviceRoute::serves(call)) return;
  operation.route = host_route_;
  operation.call.plan_hash = splitmix(operation.call.plan_hash);
}

Operation Communicator::State::prepare(const ErasedCall& call, const Plan& plan,
                                       std::size_t tile_bytes) {
  check_arguments(call, rank(), size());
  if (call.uneven && !is_supported_uneven(plan.algorithm, call.collective)) {
    throw Error(ErrorCode::unsupported,
                concat("there is no ", name(plan.algorithm), " ", name(call.collective), "v"));
  }
  if (call.uneven && !all_know_counts(call) && tile_bytes > 0) {
    throw Error(ErrorCode::invalid_argument,
                concat(name(call.collective), "v has no tiles: not all ranks know the lengths"));
  }
  return make_operation(call, plan, tile_bytes, plan_hash(plan, tile_bytes));
}

Operation Communicator::State::make_operation(const ErasedCall& call, Plan plan,
                                              std::size_t tile_bytes, std::uint64_t hash) {
  if (is_rooted(call.collective)) plan.root = call.root;
  Result<std::shared_ptr<const PreparedProgram>> program = plans.get(plan);
  if (!program) throw program.error();
  Operation operation;
  operation.call = {call.collective,
                    call.dtype,
                    call.op,
                    call.root,
                    call.uneven ? elements_of(call, size()) : call.count,
                    agreed_hash(hash, call),
                    call.uneven ? Form::uneven : Form::even};
  Amount amount{call.count, call.dtype, call.op, tile_bytes};
  if (call.uneven) {
    amount.uneven = uneven_blocks(call, program.value()->program.shape, rank(), size());
  }
  operation.set_program(std::move(program).value(), std::move(amount));
  operation.in = static_cast<const std::byte*>(call.send);
  operation.out = static_cast<std::byte*>(call.receive);
  operation.timeout = settings.timeout;
  return operation;
}

std::shared_ptr<PendingOperation> Communicator::State::start(const ErasedCall& call, void* stream) {
  const BuffersInUse used = check_arguments(call, rank(), size());
  const Result<DeviceRuntime*> opened = devices();
  if (!opened) throw opened.error();
  const DeviceStream here{stream, device_of(*devices_, call, used)};
  const int device = here.device;
  const bool is_captured = CapturedCalls::is_captured(*devices_, here, call.collective);
  if (is_captured && !captured_calls_) {
    captured_calls_ = std::make_unique<CapturedCalls>(engine, *devices_);
  }
  if (device_path_ && DeviceRoute::serves(call)) {
    Operation operation = prepare(call);
    operation.route =
        std::make_shared<DeviceRoute>(*device_path_, call, used, plan_of(call), device);
    if (!is_captured) return DeviceRoute::start(*device_path_, engine, std::move(operation), here);
    return captured_calls_->capture(here, std::move(operation),
                                    captured_calls_->reserve(device, 0));
  }
  std::unique_ptr<DeviceStaging>& staging = stagings_[device];
  if (!staging) staging = std::make_unique<DeviceStaging>(*devices_, device);
  const auto prepared = [this](const ErasedCall& staged) { return prepare(staged); };
  if (is_captured) return staging->capture(*captured_calls_, call, used, stream, prepared);
  return staging->start(engine, call, used, stream, prepared);
}

// From device to device.
DeviceRoute::Chosen Communicator::State::plan_of(const ErasedCall& call) {
  const std::size_t bytes = elements_of(call, size()) * size_of(call.dtype);
  const Result<const Choice*> choice = device_planner_->choose(call.collective, bytes);
  if (!choice) throw choice.error();
  DeviceRoute::Chosen made{choice.value()->plan, is_planned(choice.value()->cause)};
  if (is_rooted(call.collective)) made.plan.root = call.root;
  return made;
}

Result<DeviceRuntime*> Communicator::State::devices() {
  if (devices_ != nullptr) return devices_;
  const Result<DeviceRuntime*> opened = open_device_runtime(process_environment);
  if (opened) devices_ = opened.value();
  return opened;
}

bool Communicator::State::connect_devices(int device) {
  if (device_path_) refuse("the devices of this communicator are connected already");
  const Result<DeviceRuntime*> opened = devices();
  std::optional<Error> trouble;
  if (!opened) trouble = opened.error();
  const std::vector<Rank>& ranks = topology->ranks;
  const bool is_one_host = std::all_of(ranks.begin(), ranks.end(), [&](const Rank& rank) {
    return rank.host == ranks.front().host;
  });
  if (!is_one_host) trouble.emplace(ErrorCode::unsupported, "the ranks are on several hosts");
  if (size() > most_device_ranks) {
    trouble.emplace(ErrorCode::unsupported, concat("more than ", most_device_ranks, " ranks"));
  }
  const auto host = static_cast<std::size_t>(ranks.front().host);
  const Machine& machine =
      topology->machines[static_cast<std::size_t>(topology->hosts[host].machine)];
  Exchange among = exchange();
  std::string why_not;
  Result<std::unique_ptr<DevicePath>> made =
      DevicePath::make(among, devices_, device, trouble, settings.devices, machine, why_not);
  if (!made) throw made.error();
  device_path_ = std::move(made).value();
  if (device_path_) {
    const Result<bool> planned = plan_devices(machine, why_not);
    if (!planned) throw planned.error();
    if (!planned.value()) device_path_.reset();
  }
  if (!device_path_) {
    if (rank() == 0) {
      std::clog << concat("rondo: device memory goes by way of the host's: ", why_not, "\n");
    }
    return false;
  }
  if (const std::string& why = device_path_->why_no_kernels(); !why.empty() && rank() == 0) {
    std::clog << concat("rondo: between devices streams wait for each other, and no kernels: ", why,
                        "\n");
  }
  host_route_ = std::make_shared<DeviceRoute>(*device_path_);
  prepared_ = {};
  return true;
}

// What the paths between the devices cost becomes known, and with it which schedules to take.
Result<bool> Communicator::State::plan_devices(const Machine& machine, std::string& why_not) {
  const Result<std::vector<DeviceInfo>> all = devices_->devices();
  if (!all) throw all.error();
  const DeviceInfo& device = all.value()[static_cast<std::size_t>(device_path_->device())];
  const std::string name = settings.costs ? "" : device_costs_name(machine, device.name);
  CostTable table = costs();
  Exchange among(engine, plans, settings.timeout + patience_with_devices);
  Result<bool> found = find_device_costs(among, *device_path_, name, table, why_not);
  if (!found || !found.value()) return found;
  const DevicePaths& paths = device_path_->paths();
  Result<DeviceModel> model = make_device_model(paths.devices(), paths.by_rows(), table);
  if (!model) return model.error();
  costs_ = std::move(table);
  device_planner_.emplace(make_device_planner(std::move(model).value(), settings.wishes));
  return true;
}

bool Communicator::State::share(const void* memory) {
  if (!device_path_) return false;
  Exchange among = exchange();
  std::string why_not;
  const Result<bool> shared = device_path_->share(among, memory, why_not);
  if (!shared) throw shared.error();
  if (!shared.value() && rank() == 0) {
    std::clog << concat("rondo: device memory is not shared: ", why_not, "\n");
  }
  return shared.value();
}

void Communicator::State::unshare(const void* memory) {
  if (!device_path_) return;
  Exchange among = exchange();
  const Result<> done = device_path_->unshare(among, memory);
  if (!done) throw done.error();
}

Persistent Communicator::State::persistent(Operation operation) const {
  auto pending = std::make_shared<PendingOperation>(std::move(operation));
  return Persistent(
      std::make_unique<Persistent::State>(Persistent::State{engine_while_here_, pending}));
}

Operation Communicator::State::prepare(const std::vector<Message>& messages) {
  check_arguments(messages, rank(), size());
  Operation operation;
  operation.call.count = messages.size();
  operation.call.form = Form::exchange;
  operation.messages = messages;
  operation.timeout = settings.timeout;
  return operation;
}

std::unique_ptr<Transport> transport_of_messages(Transport& transport, std::uint64_t context) {
  constexpr std::uint64_t mark = 0x6d65737361676573u;
  std::vector<int> everybody(static_cast<std::size_t>(transport.size()));
  std::iota(everybody.begin(), everybody.end(), 0);
  Result<std::unique_ptr<Transport>> made =
      transport.split(everybody, splitmix(splitmix(context) ^ mark));
  if (!made) throw made.error();
  return std::move(made).value();
}

bool has_core_per_rank(int local_ranks) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return false;
  return has_core_per_rank(local_ranks, CPU_COUNT(&mask),
                           static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
}

bool has_core_per_rank(int local_ranks, int own, int all) {
  return own >= local_ranks || (own == 1 && all >= local_ranks);
}

}  // namespace rondo
