#include "api/named_files.hpp"
#include "api/state.hpp"
#include "api/value_or_throw.hpp"
#include "api/world_topology.hpp"
#include "base/text.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/world.hpp"
#include "transport/inproc.hpp"
#include "transport/route/make.hpp"

namespace rondo {

namespace {

constexpr std::chrono::milliseconds default_join_timeout(60'000);

process::Medium medium_of(std::string_view transport) {
  if (transport == "shm") return process::Medium::shm;
  return transport == "tcp" ? process::Medium::tcp : process::Medium::automatic;
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
                "\ntile_bytes=", tile ? std::to_string(*tile) : "automatic", "\n");
}

std::unique_ptr<Transport> make_world(const Launch& launch, const Options& options,
                                      const Settings& settings) {
  if (launch.size == 1) return std::move(make_inproc(1).front());
  const auto patience = options.join_timeout.value_or(default_join_timeout);
  const std::string transport = options.transport.value_or("auto");
  const auto deadline = Transport::Clock::now() + patience;
  process::Membership membership =
      value_or_throw(form_world(launch, agreement(settings, transport), patience));
  membership.medium = medium_of(transport);
  return value_or_throw(process::make_transport(std::move(membership), deadline));
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

}  // namespace

Communicator Communicator::from_env(const Options& options) {
  const Launch launch = value_or_throw(read_launch(process_environment));
  const Options complete = value_or_throw(read_options(process_environment, options));
  Settings settings = certain_settings(options, complete, launch.size);
  if (const auto isa = value_or_throw(read_isa(process_environment))) use_isa(*isa);
  // A program that names a bad file must hear of it. A variable may be wrong on some host only, and
  // does not keep the world from its work.
  const FileTroubles troubles = read_files_of_environment(options, complete, launch.size, settings);
  auto state = std::make_unique<State>(make_world(launch, complete, settings), settings,
                                       has_core_per_rank(launch.local_size.value_or(launch.size)),
                                       world_context);
  value_or_throw(agree_on_files(state->exchange(), troubles, state->settings));
  const auto& described = state->settings.topology;
  state->topology = described ? described : world_topology(state->exchange());
  (void)state->costs();  // now that all ranks are here: the first call of the user cannot wait
  return Communicator(std::move(state));
}

}  // namespace rondo
