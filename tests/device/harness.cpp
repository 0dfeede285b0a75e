#include "harness.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <span>

#include "base/text.hpp"
#include "bootstrap/device_library.hpp"
#include "bootstrap/environment.hpp"
#include "device/emulated/machine.hpp"
#include "transport/shm/passing.hpp"

extern char** environ;

namespace rondo::test {

namespace {

std::unique_ptr<Machine> machine;  // null with real devices
std::unique_ptr<DeviceRuntime> emulated;
DeviceRuntime* chosen = nullptr;

// Of a process, instead of its program's.
constexpr std::string_view peer_name = "rondo-device-peer";

void serve(Role* role, DeviceRuntime& runtime, Channel& channel) {
  try {
    role(runtime, channel);
  } catch (const std::exception& error) {
    std::cerr << "the peer failed: " << error.what() << std::endl;
  }
}

// Nothing where there are devices; else what is in the way.
std::string open_devices() {
  const Result<DeviceRuntime*> opened = open_device_runtime(process_environment);
  if (!opened) return opened.error().text();
  const auto devices = opened.value()->devices();
  if (!devices) return devices.error().text();
  if (devices.value().empty()) return "the driver says that there is no device";
  for (const DeviceInfo& device : devices.value()) {
    std::cout << device.name << ", " << device.pci << ", " << device.multiprocessors
              << " multiprocessors, " << (device.memory_bytes >> 20) << " MiB" << std::endl;
  }
  chosen = opened.value();
  return "";
}

}  // namespace

std::string choose_devices(std::string_view kind) {
  if (kind == "cuda") return open_devices();
  if (kind != "emulated") return concat("'", kind, "' is neither 'emulated' nor 'cuda'");
  machine = std::make_unique<Machine>();
  emulated = machine->process();
  chosen = emulated.get();
  return "";
}

void leave_devices() {
  emulated.reset();
}

bool was_peer(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[0]) != peer_name) return false;
  Channel channel(std::stoi(argv[3]));
  serve(roles().at(std::stoul(argv[2])), *chosen, channel);
  return true;
}

DeviceRuntime& runtime() {
  return *chosen;
}

void Channel::send_bytes(const void* bytes, std::size_t count) {
  const auto sent = ::send(socket_.fd(), bytes, count, MSG_NOSIGNAL);
  EXPECT_EQ(sent, static_cast<ssize_t>(count));
}

void Channel::receive_bytes(void* bytes, std::size_t count) {
  const auto got = ::recv(socket_.fd(), bytes, count, MSG_WAITALL);
  EXPECT_EQ(got, static_cast<ssize_t>(count)) << "the other process has ended";
}

void Channel::send_descriptor(int descriptor) {
  const std::byte byte{0};
  EXPECT_EQ(process::pass(socket_, std::span(&byte, 1), std::span(&descriptor, 1)), 0);
}

Descriptor Channel::receive_descriptor() {
  std::byte byte{0};
  Descriptor descriptor;
  EXPECT_EQ(process::take_passed(socket_, std::span(&byte, 1), std::span(&descriptor, 1)), 1);
  return descriptor;
}

Peer::Peer(Role* role) {
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) throw system_error("socketpair", errno);
  channel_ = std::make_unique<Channel>(sockets[0]);
  ::fcntl(sockets[0], F_SETFD, FD_CLOEXEC);
  if (machine) {
    thread_ = std::thread([role, socket = sockets[1], process = machine->process()] {
      Channel channel(socket);
      serve(role, *process, channel);
    });
    return;
  }
  const Descriptor theirs(sockets[1]);
  const std::vector<Role*> all = roles();
  const auto number = std::find(all.begin(), all.end(), role) - all.begin();
  std::string words[] = {std::string(peer_name), "cuda", concat(number), concat(theirs.fd())};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  const int failure =
      ::posix_spawn(&process_, "/proc/self/exe", nullptr, nullptr, arguments, environ);
  if (failure != 0) throw system_error("cannot start a peer", failure);
}

Peer::~Peer() {
  if (thread_.joinable()) thread_.join();
  int status = 0;
  if (process_ > 0) ::waitpid(process_, &status, 0);
  EXPECT_EQ(status, 0) << "the peer failed";
}

void Gate::open() {
  std::atomic_ref(*word_.as<std::uint32_t>()).store(1, std::memory_order_release);
}

}  // namespace rondo::test
