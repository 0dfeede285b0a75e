// How worlds of processes are formed, from the launcher's word or by the caller's own means.

#include <algorithm>
#include <functional>

#include "api/choose_far.hpp"
#include "api/named_files.hpp"
#include "api/state.hpp"
#include "api/value_or_throw.hpp"
#include "api/world_topology.hpp"
#include "base/text.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/mpi_bridge.hpp"
#include "bootstrap/out_of_band.hpp"
#include "bootstrap/pmix.hpp"
#include "bootstrap/world.hpp"
#include "transport/inproc.hpp"
#include "transport/route/make.hpp"

namespace rondo {

namespace {

constexpr std::chrono::milliseconds default_join_timeout(60'000);

process::Medium medium_of(std::string_view transport) {
  if (transport == "shm") return process::Medium::shm;
  if (transport == "tcp") return process::Medium::tcp;
  return transport == "auto" ? process::Medium::automatic : process::Medium::fabric;
}

// What all ranks must have alike but for files, in words that an error can quote.
std::string agreement(const Settings& settings, std::string_view transport) {
  const Wishes& wishes = settings.wishes;
  const auto& tile = wishes.tile_bytes;
  std::string algorithms(name(wishes.algorithm));
  for (int i = 0; i < collective_count; ++i) {
    const Algorithm algorithm = wishes.algorithms[static_cast<std::size_t>(i)];
    if (algorithm == Algorithm::automatic) continue;
    algorithms += concat(",", name(static_cast<Collective>(i)), ":", name(algorithm));
  }
  return concat("algorithm=", algorithms, "\ntransport=", transport,
                "\nradix=", wishes.radix ? std::to_string(*wishes.radix) : "automatic",
                "\ntile_bytes=", tile ? std::to_string(*tile) : "automatic",
                "\ndevice_order=", name(settings.devices.order),
                "\ndevice_packet_bytes=", settings.devices.packet_bytes, "\n");
}

std::shared_ptr<const Topology> world_topology(Exchange exchange) {
  const Topology own = own_topology();
  if (exchange.size() == 1) return std::make_shared<const Topology>(own);
  return std::make_shared<const Topology>(value_or_throw(share_topology(exchange, own)));
}

// The settings but for files that only the environment names.
Settings certain_settings(const Options& given, Options complete, int ranks) {
  for (const NamedFile& file : named_files()) complete.*file.path = given.*file.path;
  return Settings::from(complete, ranks);
}

// What a rank settles before it meets the others.
struct Preparation {
  Options options = {};  // with what the environment says
  Settings settings = {};
  FileTroubles troubles = {};
};

Preparation prepare(const Options& given, int ranks) {
  Preparation own;
  own.options = value_or_throw(read_options(process_environment, given));
  own.settings = certain_settings(given, own.options, ranks);
  if (const auto isa = value_or_throw(read_isa(process_environment))) use_isa(*isa);
  // A program that names a bad file must hear of it. A variable may be wrong on some host only, and
  // does not keep the world from its work.
  own.troubles = read_files_of_environment(given, own.options, ranks, own.settings);
  return own;
}

// How the ranks come to know each other. One that cannot take part brings the reason in place of
// what all have to agree on.
using Meet = std::function<Result<process::Membership>(const Result<std::string>& agreement,
                                                       std::chrono::milliseconds patience)>;

struct World {
  Preparation own;
  std::unique_ptr<Transport> transport = nullptr;
  std::uint64_t context = world_context;
  int local_ranks = 1;
};

// Ranks of this host: by the launcher's word, or by what they say of themselves.
int count_local(const Launch& launch, const std::vector<process::Member>& members) {
  if (launch.local_size) return *launch.local_size;
  const std::uint64_t here = members.at(static_cast<std::size_t>(launch.rank)).locality;
  if (here == 0) return launch.size;
  const auto is_here = [here](const process::Member& member) { return member.locality == here; };
  return static_cast<int>(std::count_if(members.begin(), members.end(), is_here));
}

// The medium that was asked for has to be there.
void require_fabric(const Options& options, const OutOfBand* outside) {
  const std::string transport = options.transport.value_or("auto");
  if (medium_of(transport) != process::Medium::fabric) return;
  if (outside != nullptr && outside->fabric && outside->fabric->name() == transport) return;
  throw Error(ErrorCode::unsupported,
              concat("transport ", transport, ": the means by which this world was joined have no ",
                     "such network; rondo::from_mpi() and Communicator::from_env() bring it"));
}

// `outside`: the caller's means, if it was they who brought the ranks together.
World form(const Launch& launch, const Options& given, const OutOfBand* outside, const Meet& meet) {
  const auto start = Transport::Clock::now();
  World world;
  Result<std::string> agreed = std::string();
  try {
    world.own = prepare(given, launch.size);
    require_fabric(world.own.options, outside);
    agreed = agreement(world.own.settings, world.own.options.transport.value_or("auto"));
  } catch (const Error& reason) {
    agreed = reason;
  }
  if (launch.size == 1) {
    value_or_throw(std::move(agreed));
    world.transport = std::move(make_inproc(1).front());
    world.local_ranks = launch.local_size.value_or(1);
    return world;
  }
  const auto patience = world.own.options.join_timeout.value_or(default_join_timeout);
  process::Membership membership = value_or_throw(meet(agreed, patience));
  membership.medium = medium_of(world.own.options.transport.value_or("auto"));
  membership.shared_bytes = world.own.options.shared_bytes;
  if (outside != nullptr) membership.fabric = outside->fabric;
  const bool may_choose = membership.medium == process::Medium::automatic && membership.fabric;
  const auto pair = may_choose ? far_pair(membership.members) : std::nullopt;
  world.local_ranks = count_local(launch, membership.members);
  // Without a place to meet it was the caller who waited for the others.
  const bool has_waited = !launch.rendezvous.empty();
  const auto deadline = (has_waited ? start : Transport::Clock::now()) + patience;
  world.transport = value_or_throw(process::make_transport(std::move(membership), deadline));
  if (!pair) return world;
  auto better = choose_far(*world.transport, *outside, *pair, has_core_per_rank(world.local_ranks));
  if (!better) return world;
  world.transport = std::move(better);
  world.context = remade_world_context;
  return world;
}

// What the ranks of a new world tell each other before its first call. A template, since nobody
// else may name Communicator::State.
template <class State>
std::unique_ptr<State> settle(World world) {
  auto state = std::make_unique<State>(std::move(world.transport), world.own.settings,
                                       has_core_per_rank(world.local_ranks), world.context);
  value_or_throw(agree_on_files(state->exchange(), world.own.troubles, state->settings));
  const auto& described = state->settings.topology;
  state->topology = described ? described : world_topology(state->exchange());
  (void)state->costs();  // now that all ranks are here: the first call of the user cannot wait
  return state;
}

}  // namespace

Communicator Communicator::from_env(const Options& options) {
  const Options wishes = value_or_throw(read_options(process_environment, options));
  if (wishes.transport == "mpi") {
    return join(value_or_throw(means_of_mpi(process_environment, *wishes.join_timeout)), options);
  }
  const Launch launch = value_or_throw(read_launch(process_environment));
  const Meet meet = [&](const Result<std::string>& agreed,
                        std::chrono::milliseconds patience) -> Result<process::Membership> {
    if (launch.rendezvous == pmix_rendezvous) {
      const Result<OutOfBand> means = means_of_pmix(launch, patience);
      return means ? form_world(launch, means.value(), agreed) : means.error();
    }
    if (!agreed) return agreed.error();
    return form_world(launch, agreed.value(), patience);
  };
  return Communicator(settle<State>(form(launch, options, nullptr, meet)));
}

Communicator Communicator::join(const OutOfBand& outside, const Options& options) {
  Launch launch;
  launch.rank = outside.rank;
  launch.size = outside.size;
  launch.listen = text_of(process_environment, "RONDO_LISTEN").value_or("");
  const Meet meet = [&](const Result<std::string>& agreed, std::chrono::milliseconds) {
    return form_world(launch, outside, agreed);
  };
  return Communicator(settle<State>(form(launch, options, &outside, meet)));
}

}  // namespace rondo
