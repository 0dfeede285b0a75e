#include "rondo/communicator.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "api/refuse.hpp"
#include "api/state.hpp"
#include "api/world_topology.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "plan/explain.hpp"
#include "plan/uneven.hpp"
#include "transport/inproc.hpp"

namespace rondo {

namespace {

// Children of one communicator, and of different ones, get different contexts.
std::uint64_t child_context(std::uint64_t parent, std::uint64_t split, int color) {
  return splitmix(splitmix(splitmix(parent) + split) + static_cast<std::uint64_t>(color));
}

// The same of communicators whose members the caller lists and whose numbers it gives.
std::uint64_t subgroup_context(std::uint64_t parent, std::span<const int> members,
                               std::uint64_t number) {
  return splitmix(fnv1a(std::as_bytes(members), splitmix(~parent)) + splitmix(number));
}

}  // namespace

Communicator::Communicator(std::unique_ptr<State> state) : state_(std::move(state)) {}
Communicator::Communicator() = default;
Communicator::Communicator(Communicator&&) noexcept = default;

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    drop();
    state_ = std::move(other.state_);
  }
  return *this;
}

Communicator::~Communicator() {
  drop();
}

void Communicator::drop() noexcept {
  if (state_ && !state_->engine.is_own_process()) (void)state_.release();
  state_.reset();
}

std::vector<Communicator> Communicator::local(int ranks, const Options& options) {
  if (ranks < 1) refuse(concat("Communicator::local needs at least 1 rank, not ", ranks));
  const Settings settings = Settings::from(options, ranks);
  const auto topology = settings.topology ? settings.topology
                                          : std::make_shared<const Topology>(local_topology(ranks));
  std::vector<Communicator> world;
  for (std::unique_ptr<Transport>& transport : make_inproc(ranks)) {
    world.push_back(Communicator(std::make_unique<State>(std::move(transport), settings,
                                                         has_core_per_rank(ranks), world_context)));
    world.back().state_->topology = topology;
  }
  if (ranks > 1) {
    const CostTable costs = State::costs_between_threads(settings, has_core_per_rank(ranks));
    for (Communicator& member : world) member.state_->set_costs(costs);
  }
  return world;
}

int Communicator::rank() const noexcept {
  return state_ ? state_->rank() : -1;
}
int Communicator::size() const noexcept {
  return state_ ? state_->size() : 0;
}
std::string_view Communicator::transport() const noexcept {
  return state_ ? state_->engine.transport().name() : "none";
}

const Topology& Communicator::topology() const {
  return *state().topology;
}

const CostTable& Communicator::costs() {
  return state().costs();
}

Communicator::State& Communicator::state() const {
  if (!state_) refuse("this communicator is empty: moved away, or split() with a negative color");
  return *state_;
}

void Communicator::run(const ErasedCall& call) {
  const Result<> result = state().engine.run(state().prepare(call));
  if (!result) throw result.error();
}

// A plan of the caller's choice, as far as the call does not say it.
Plan Communicator::completed(Plan plan, const ErasedCall& call) const {
  if (plan.ranks != size()) {
    refuse(concat("a plan for ", plan.ranks, " ranks does not fit a communicator of ", size()));
  }
  plan.collective = call.collective;
  plan.root = is_rooted(call.collective) ? call.root : 0;
  return plan;
}

void Communicator::run(const ErasedCall& call, Plan plan, std::size_t tile_bytes) {
  State& own = state();
  const Plan complete = completed(std::move(plan), call);
  const Result<> result = own.engine.run(own.prepare(call, complete, tile_bytes));
  if (!result) throw result.error();
}

Persistent Communicator::init(const ErasedCall& call) {
  State& own = state();
  return own.persistent(own.prepare(call));
}

Persistent Communicator::init(const ErasedCall& call, Plan plan, std::size_t tile_bytes) {
  State& own = state();
  return own.persistent(own.prepare(call, completed(std::move(plan), call), tile_bytes));
}

Work Communicator::start(const ErasedCall& call) {
  return Work(state().engine.start(state().prepare(call)));
}

Work Communicator::start(const ErasedCall& call, CUstream_st* stream) {
  return Work(state().start(call, stream));
}

bool Communicator::connect_devices(int device) {
  return state().connect_devices(device);
}

bool Communicator::share_memory(const void* memory) {
  return state().share(memory);
}

void Communicator::unshare_memory(const void* memory) {
  state().unshare(memory);
}

void Communicator::exchange(const std::vector<Message>& messages) {
  const Result<> result = state().messenger.run(state().prepare(messages));
  if (!result) throw result.error();
}

Work Communicator::iexchange(const std::vector<Message>& messages) {
  return Work(state().messenger.start(state().prepare(messages)));
}

Communicator Communicator::split(int color, int key) {
  State& own = state();
  std::vector<std::array<std::int32_t, 2>> wishes(static_cast<std::size_t>(size()));
  const std::array<std::int32_t, 2> mine = {color, key};
  const Result<> told = own.exchange().allgather(std::as_bytes(std::span(mine)),
                                                 std::as_writable_bytes(std::span(wishes)));
  if (!told) throw told.error();
  const std::uint64_t context = child_context(own.context, ++own.splits, color);
  if (color < 0) return {};
  std::vector<int> members;
  for (int other = 0; other < size(); ++other) {
    if (wishes[static_cast<std::size_t>(other)][0] == color) members.push_back(other);
  }
  std::stable_sort(members.begin(), members.end(), [&](int a, int b) {
    return wishes[static_cast<std::size_t>(a)][1] < wishes[static_cast<std::size_t>(b)][1];
  });
  return part(members, context);
}

Communicator Communicator::subgroup(std::span<const int> members, std::uint64_t context) {
  const State& own = state();
  std::vector<bool> is_member(static_cast<std::size_t>(size()));
  for (const int member : members) {
    if (member < 0 || member >= size()) {
      refuse(concat("there is no rank ", member, " in a communicator of ", size(), " ranks"));
    }
    if (is_member[static_cast<std::size_t>(member)]) {
      refuse(concat("rank ", member, " cannot be two members of one communicator"));
    }
    is_member[static_cast<std::size_t>(member)] = true;
  }
  if (!is_member[static_cast<std::size_t>(rank())]) {
    refuse(concat("rank ", rank(), " is none of the members of the communicator that it makes"));
  }
  return part(members, subgroup_context(own.context, members, context));
}

// The ranks that belong to it call it alike; it takes no messages.
Communicator Communicator::part(std::span<const int> members, std::uint64_t context) {
  State& own = state();
  Result<std::unique_ptr<Transport>> transport =
      own.engine.exclusively([&](Transport& parent) { return parent.split(members, context); });
  if (!transport) throw transport.error();
  auto child = std::make_unique<State>(std::move(transport).value(), own.settings,
                                       own.engine.may_spin(), context);
  child->topology = std::make_shared<const Topology>(subset(*own.topology, members));
  child->inherit(own);
  return Communicator(std::move(child));
}

void Communicator::abort(const std::string& reason) {
  state().engine.abort(reason);
}

void Communicator::set_timeout(std::chrono::milliseconds timeout) {
  if (timeout.count() <= 0) refuse(concat("a timeout of ", timeout.count(), " ms is not positive"));
  state().settings.timeout = timeout;
}

std::optional<Error> Communicator::error() const {
  const std::optional<Error> failure = state().engine.failure();
  return failure ? failure : state().messenger.failure();
}

std::string Communicator::explain(Collective collective, std::size_t count, DType dtype) const {
  const std::size_t blocks = has_blocks(collective) ? static_cast<std::size_t>(size()) : 1;
  const std::size_t bytes = count * size_of(dtype) * blocks;
  Question question{collective, bytes, {}};
  question.about =
      collective == Collective::barrier
          ? std::string(name(collective))
          : concat(name(collective), " of ", count, " ", name(dtype), " (", bytes_text(bytes), ")");
  return state().explain(std::move(question));
}

std::string Communicator::explain(Collective collective, Counts counts, DType dtype) const {
  if (!has_blocks(collective)) {
    refuse(concat(name(collective), " has no blocks that could differ in length"));
  }
  const bool all_know = all_know_lengths(collective);
  if (counts.size() != static_cast<std::size_t>(all_know ? size() : 0)) {
    refuse(concat(name(collective), "v is chosen ", all_know ? "by" : "without",
                  " the lengths of all blocks: give ", all_know ? size() : 0, " counts, not ",
                  counts.size()));
  }
  const std::size_t bytes =
      std::accumulate(counts.begin(), counts.end(), std::size_t{0}) * size_of(dtype);
  std::string about = concat(name(collective), "v of ", name(dtype));
  if (all_know) about += concat(" (", bytes_text(bytes), " in all)");
  return state().explain({collective, bytes, std::move(about), true, {}});
}

erase::Caller Communicator::caller() const {
  (void)state();  // refuses an empty communicator
  return {rank(), size()};
}

}  // namespace rondo
