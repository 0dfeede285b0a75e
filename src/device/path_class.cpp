#include "device/path_class.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.hpp"

namespace rondo {

namespace {

// Drivers write the domain with four digits or eight, and letters large or small.
std::string plain_address(std::string_view pci) {
  std::string plain;
  for (const char c : pci.substr(std::min(pci.find_first_not_of('0'), pci.size()))) {
    plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return plain;
}

std::optional<Object> gpu_at(const Machine& machine, const DeviceSeat& seat) {
  const std::string address = plain_address(seat.pci.data());
  if (address.empty()) return std::nullopt;
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
    if (plain_address(machine.gpus[i].pci) != address) continue;
    return Object{ObjectKind::gpu, static_cast<int>(i)};
  }
  return std::nullopt;
}

PathClass between_devices(const Machine& machine, const DeviceSeat& a, const DeviceSeat& b) {
  const std::optional<Object> left = gpu_at(machine, a);
  const std::optional<Object> right = gpu_at(machine, b);
  return left && right ? path_class(machine, *left, *right) : PathClass::host;
}

}  // namespace

DeviceSeat DeviceSeat::of(ProcessName process, const DeviceInfo& device) {
  DeviceSeat seat{process, device.uuid};
  std::copy_n(device.pci.begin(), std::min(device.pci.size(), seat.pci.size() - 1),
              seat.pci.begin());
  return seat;
}

DevicePaths::DevicePaths(std::vector<DeviceSeat> seats, std::span<const DeviceLink> links,
                         const Machine& machine)
    : seats_(std::move(seats)), paths_(seats_.size() * seats_.size(), PathClass::self) {
  for (int rank = 0; rank < ranks(); ++rank) {
    for (int other = 0; other < rank; ++other) {
      PathClass path = PathClass::self;
      if (is_same_device(rank, other)) {
        if (!is_same_process(rank, other)) path = PathClass::same_gpu;
      } else if (links[place(rank, other)] == DeviceLink::nvlink ||
                 links[place(other, rank)] == DeviceLink::nvlink) {
        path = PathClass::nvlink;
      } else {
        path = between_devices(machine, seat(rank), seat(other));
      }
      paths_[place(rank, other)] = paths_[place(other, rank)] = path;
    }
  }
}

bool DevicePaths::is_same_process(int rank, int other) const {
  return seat(rank).process == seat(other).process;
}

bool DevicePaths::is_same_device(int rank, int other) const {
  return seat(rank).uuid == seat(other).uuid;
}

bool DevicePaths::share_one_device() const {
  return std::all_of(seats_.begin(), seats_.end(),
                     [&](const DeviceSeat& seat) { return seat.uuid == seats_[0].uuid; });
}

std::vector<int> DevicePaths::devices() const {
  std::vector<int> found;
  int next = 0;
  for (int rank = 0; rank < ranks(); ++rank) {
    int first = 0;
    while (!is_same_device(rank, first)) ++first;
    found.push_back(first == rank ? next++ : found[static_cast<std::size_t>(first)]);
  }
  return found;
}

std::string to_text(const DevicePaths& paths) {
  std::string text;
  for (int rank = 0; rank < paths.ranks(); ++rank) {
    text += concat("rank ", rank, ":");
    for (int other = 0; other < paths.ranks(); ++other) {
      text += concat(" ", name(paths.between(rank, other)));
    }
    text += "\n";
  }
  return text;
}

std::string to_json(const DevicePaths& paths) {
  std::vector<std::vector<PathClass>> rows;
  for (int rank = 0; rank < paths.ranks(); ++rank) {
    std::vector<PathClass>& row = rows.emplace_back();
    for (int other = 0; other < paths.ranks(); ++other) row.push_back(paths.between(rank, other));
  }
  return json_list(rows, [](const std::vector<PathClass>& row) {
    return json_list(row, [](PathClass path) { return json_text(name(path)); });
  });
}

}  // namespace rondo
