#include "base/text.hpp"
#include "plan/draw_routes.hpp"

namespace rondo {

namespace {

std::string json(const Route& route) {
  const auto hop_json = [](const Hop& hop) {
    return concat("{\"from\":", hop.from, ",\"to\":", hop.to,
                  ",\"path\":", json_text(name(hop.path)), "}");
  };
  return concat("{\"first\":", route.first, ",\"hops\":", json_list(route.hops, hop_json), "}");
}

std::string json(const Visit& visit) {
  return concat("{\"host\":", visit.host, ",\"package\":",
                visit.package == unknown ? std::string("null") : concat(visit.package),
                ",\"ranks\":", json_list(visit.ranks, [](int rank) { return concat(rank); }), "}");
}

std::string json(const Crossing& crossing) {
  return concat("{\"what\":", json_text(crossing.what), ",\"times\":", crossing.times,
                ",\"fewest\":", crossing.fewest, "}");
}

}  // namespace

std::string routes_json(const RouteMap& map) {
  const auto item = [](const auto& value) { return json(value); };
  const auto path_json = [](const auto& entry) {
    return concat("{\"path\":", json_text(name(entry.first)), ",\"hops\":", entry.second,
                  ",\"meaning\":", json_text(meaning(entry.first)), "}");
  };
  return concat("{\"title\":", json_text(map.title), ",\"kind\":\"", map.is_ring ? "ring" : "trees",
                "\",\"ranks\":", map.ranks, ",\"hosts\":", map.hosts,
                ",\"visits\":", json_list(map.visits, item),
                ",\"routes\":", json_list(map.routes, item),
                ",\"crossings\":", json_list(map.crossings, item),
                ",\"paths\":", json_list(map.paths, path_json), "}\n");
}

}  // namespace rondo
