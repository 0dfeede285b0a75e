// What rondo run's tests start: joins the world that the environment describes and says so.

#include <cstdlib>
#include <iostream>

#include "bootstrap/world.hpp"

int main() {
  const rondo::Lookup lookup = [](std::string_view name) -> std::optional<std::string> {
    const char* const value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  const auto launch = rondo::read_launch(lookup);
  const auto options = rondo::read_options(lookup, {});
  if (!launch || !options) {
    std::cerr << (launch ? options.error() : launch.error()).text() << "\n";
    return 3;
  }
  const auto world = rondo::form_world(launch.value(), "", *options.value().join_timeout);
  if (!world) {
    std::cerr << world.error().text() << "\n";
    return 4;
  }
  std::cout << "rank " << world.value().rank << " of " << world.value().members.size() << " by "
            << launch.value().launcher << "\n";
  return 0;
}
