#include "bootstrap/plugin.hpp"

#include <dlfcn.h>

#include "base/text.hpp"
#include "base/words.hpp"
#include "bootstrap/environment.hpp"

namespace rondo {

namespace {

// Of the library or program that this code is in; with its last slash.
std::string own_folder() {
  static const char here = 0;
  Dl_info info = {};
  if (::dladdr(&here, &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string_view path = info.dli_fname;
  return std::string(path.substr(0, path.rfind('/') + 1));
}

// That a library which it needs is missing is told in the same words, but of that library.
bool is_missing(std::string_view place, std::string_view reason) {
  return reason.starts_with(concat(place, ": cannot open shared object file: No such file"));
}

Result<void*> load(const Lookup& lookup, const Plugin& plugin, int mode) {
  std::string folders;
  std::string broken;
  for (const std::string& place : plugin_places(lookup, plugin)) {
    if (void* const loaded = ::dlopen(place.c_str(), mode)) return loaded;
    const char* const said = ::dlerror();
    const std::string reason = said == nullptr ? place : said;
    if (!is_missing(place, reason)) {
      broken += concat(broken.empty() ? "" : "; ", reason);
    } else if (const auto end = place.rfind('/'); end != std::string::npos) {
      folders += concat(folders.empty() ? "" : ", ", place.substr(0, end));
    }
  }
  const std::string needs = concat(plugin.needed_by, " needs ", plugin.library, ", which ");
  if (!broken.empty()) {
    return Error(ErrorCode::unsupported, concat(needs, "is there, but cannot be loaded: ", broken));
  }
  return Error(ErrorCode::unsupported,
               concat(needs, "is built where ", plugin.made_of, " is found: it is not in ", folders,
                      "; RONDO_PLUGIN_PATH says where it is"));
}

}  // namespace

std::vector<std::string> plugin_places(const Lookup& lookup, const Plugin& plugin) {
  std::vector<std::string> places;
  if (const std::optional<std::string> folders = text_of(lookup, "RONDO_PLUGIN_PATH")) {
    for (const std::string_view folder : split(*folders, ':')) {
      if (!folder.empty()) places.push_back(concat(folder, "/", plugin.library));
    }
  }
  const std::string folder = own_folder();
  if (!folder.empty()) places.push_back(concat(folder, plugin.library));
  places.push_back(concat(RONDO_LIBRARY_FOLDER, "/", plugin.library));
  places.emplace_back(plugin.library);
  return places;
}

Result<void*> load_plugin(const Lookup& lookup, const Plugin& plugin, int mode, const char* entry) {
  const Result<void*> loaded = load(lookup, plugin, mode);
  if (!loaded) return loaded.error();
  void* const found = ::dlsym(loaded.value(), entry);
  if (found != nullptr) return found;
  return Error(
      ErrorCode::unsupported,
      concat("the ", plugin.library, " that was found is of another version: it has no ", entry));
}

}  // namespace rondo
