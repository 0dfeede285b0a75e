#pragma once

// What a Communicator owns.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "api/call_cache.hpp"
#include "api/device/captured_calls.hpp"
#include "api/device/path.hpp"
#include "api/device/route.hpp"
#include "api/device/staging.hpp"
#include "api/exchange.hpp"
#include "execute/engine.hpp"
#include "plan/cache.hpp"
#include "plan/explain.hpp"
#include "plan/planner.hpp"
#include "rondo/communicator.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// Options with nothing left open.
struct Settings {
  std::chrono::milliseconds timeout{30'000};
  Wishes wishes;
  DeviceWishes devices = {};
  std::shared_ptr<const Topology> topology;  ///< of the whole world, from a file; null: look
  std::optional<CostTable> costs;            ///< from a file; nothing: measure
  std::string costs_file = {};               ///< its name
  std::function<void()> progress = {};       ///< while a call waits

  /// Of a world of `ranks`; 0: of any number. Throws Error: invalid_argument naming the option, or
  /// io naming its file.
  static Settings from(const Options& options, int ranks = 0);
};

/// A second transport among the ranks of the first one, since exchanges have no number that all
/// ranks know. Each rank makes its own, also where it never sends anything: the others learn from
/// it when this rank leaves.
std::unique_ptr<Transport> transport_of_messages(Transport& transport, std::uint64_t context);

struct RONDO_LOCAL Communicator::State {
  State(std::unique_ptr<Transport> transport, const Settings& chosen, bool may_spin,
        std::uint64_t context_id)
      : settings(chosen),
        context(context_id),
        plans(transport->rank()),
        engine(std::move(transport), may_spin),
        messenger(transport_of_messages(engine.transport(), context), may_spin) {
    for (Engine* each : {&engine, &messenger}) each->set_progress(settings.progress);
    engine.join_fate(messenger);
    messenger.join_fate(engine);
  }

  ~State() {
    if (captured_calls_) captured_calls_->detach();
    engine.finish();
    messenger.finish();
    *engine_while_here_ = nullptr;
  }

  int rank() const { return engine.transport().rank(); }
  int size() const { return engine.transport().size(); }
  /// Turns a call of the user into an operation, which is valid until the next one. Throws
  /// Error{invalid_argument, unsupported}.
  const Operation& prepare(const ErasedCall& call);
  Operation prepare(const std::vector<Message>& messages);
  /// Of device memory. Throws Error, also unsupported and resource.
  std::shared_ptr<PendingOperation> start(const ErasedCall& call, void* stream);

  /// Collective, and blocks: see cuda.hpp. Throws Error.
  bool connect_devices(int device);
  bool share(const void* memory);
  void unshare(const void* memory);

  /// The same with a plan of the caller's choice, for the call's collective and root.
  Operation prepare(const ErasedCall& call, const Plan& plan, std::size_t tile_bytes);
  /// May live longer than this.
  Persistent persistent(Operation operation) const;

  /// Made when first needed: topology and costs are known by then. Throws Error.
  Planner& planner();

  /// Adds who is asked and where the costs come from. Throws Error.
  std::string explain(Question question);

  /// For what the ranks have to tell each other before anything can be planned.
  Exchange exchange() { return Exchange(engine, plans, settings.timeout); }

  /// What links cost, alike on all ranks. The first call is collective and blocks, for about 200 ms
  /// where nothing is cached: all ranks make it before the same call of the user. What waits in the
  /// queue is carried out before. Throws Error, those of find_costs().
  const CostTable& costs();
  /// Null until costs() was called; alike on all ranks at the same call of the user.
  const CostTable* known_costs() const { return costs_ ? &*costs_ : nullptr; }
  /// A part of a communicator need not measure what the whole one has.
  void inherit(const State& parent) { costs_ = parent.costs_; }
  /// What links between threads of this process cost. Found out by two threads, as costs() does by
  /// ranks; none where that fails.
  static CostTable costs_between_threads(const Settings& settings, bool may_spin);
  /// Alike on all ranks, before the first call.
  void set_costs(const CostTable& costs) { costs_ = costs; }

  Settings settings;
  std::shared_ptr<const Topology> topology;  ///< of these ranks; set as soon as it is known
  std::uint64_t context;                     ///< unique among the communicators of this world
  std::uint64_t splits = 0;                  ///< splits so far, alike on all ranks
  PlanCache plans;
  Engine engine;
  Engine messenger;  ///< carries out exchanges, which not all ranks take part in

 private:
  Operation choose_and_prepare(const ErasedCall& call);
  void set_route(Operation& operation, const ErasedCall& call) const;
  Result<DeviceRuntime*> devices();
  DeviceRoute::Chosen plan_of(const ErasedCall& call);
  Result<bool> plan_devices(const Machine& machine, std::string& why_not);
  Operation make_operation(const ErasedCall& call, Plan plan, std::size_t tile_bytes,
                           std::uint64_t hash);
  void tell_notes();

  std::optional<CostTable> costs_;
  std::optional<Planner> planner_;
  std::optional<Planner> device_planner_;  // once devices are connected
  const std::shared_ptr<Engine*> engine_while_here_ = std::make_shared<Engine*>(&engine);
  CallCache prepared_;
  Operation uneven_;                                        // the last one
  DeviceRuntime* devices_ = nullptr;                        // once a call has asked for it
  std::map<int, std::unique_ptr<DeviceStaging>> stagings_;  // of each device that was met
  std::unique_ptr<CapturedCalls> captured_calls_;           // once there is one
  std::unique_ptr<DevicePath> device_path_;                 // once devices are connected
  std::shared_ptr<Route> host_route_;                       // of calls without device memory, then
};

/// Whether `local_ranks` ranks of this host have a core each. The affinity mask tells, unless the
/// launcher bound this rank to one core of its own.
bool has_core_per_rank(int local_ranks);
/// The same for a rank that may run on `own` of the host's `all` PUs.
bool has_core_per_rank(int local_ranks, int own, int all);

}  // namespace rondo
