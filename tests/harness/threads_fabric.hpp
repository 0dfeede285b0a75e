#pragma once

// A fabric whose ranks are threads: packets go through one table. Large ones stay with their sender
// until they are taken, as networks do.

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include "rondo/fabric.hpp"

namespace rondo::testing {

class ThreadsFabric final : public Fabric {
 public:
  /// What the ranks of one world share.
  struct Table {
    using Stream = std::tuple<int, int, int>;  // from, to, number
    struct Message {
      std::vector<std::byte> bytes;
      std::shared_ptr<bool> is_taken;
    };
    std::mutex mutex;
    std::map<Stream, std::deque<Message>> messages;
  };
  /// What may be wrong with it.
  enum class Fault { none, refuses_threads, loses_its_way };

  ThreadsFabric(std::shared_ptr<Table> table, int rank, Fault fault = Fault::none)
      : table_(std::move(table)), rank_(rank), fault_(fault) {}

  std::string_view name() const override { return "threads"; }
  Result<> permits_caller() const override { return {}; }
  Result<> permits_every_thread() const override {
    if (fault_ != Fault::refuses_threads) return {};
    return Error(ErrorCode::unsupported, "only the main thread may use it");
  }
  int open_stream() override {
    const std::lock_guard lock(table_->mutex);
    return streams_++;
  }
  Packet* take() override { return new Slot(); }
  void give_back(Packet* packet) override { delete static_cast<Slot*>(packet); }

  Result<> send(Packet& packet, int to, int stream) override {
    if (fault_ == Fault::loses_its_way) return Error(ErrorCode::io, "the cable is unplugged");
    constexpr std::size_t most_eager = 4096;
    auto& slot = static_cast<Slot&>(packet);
    slot.is_taken = std::make_shared<bool>(slot.size <= most_eager);
    const std::lock_guard lock(table_->mutex);
    table_->messages[{rank_, to, stream}].push_back(
        {{slot.data, slot.data + slot.size}, slot.is_taken});
    return {};
  }
  Result<> receive(Packet& packet, int from, int stream) override {
    static_cast<Slot&>(packet).stream = {from, rank_, stream};
    return {};
  }
  // Who asks, asks in the order of the posting.
  Result<bool> is_done(Packet& packet) override {
    auto& slot = static_cast<Slot&>(packet);
    const std::lock_guard lock(table_->mutex);
    if (slot.is_taken) return *slot.is_taken;
    std::deque<Table::Message>& waiting = table_->messages[slot.stream];
    if (waiting.empty()) return false;
    slot.size = waiting.front().bytes.size();
    std::memcpy(slot.data, waiting.front().bytes.data(), slot.size);
    *waiting.front().is_taken = true;
    slot.is_taken = waiting.front().is_taken;
    waiting.pop_front();
    return true;
  }

 private:
  struct Slot : Packet {
    Slot() : memory(new (std::align_val_t(64)) std::byte[packet_bytes]) { data = memory.get(); }
    struct Free {
      void operator()(std::byte* bytes) const { operator delete[](bytes, std::align_val_t(64)); }
    };
    std::unique_ptr<std::byte[], Free> memory;
    std::shared_ptr<bool> is_taken;  // of a packet that came, true
    Table::Stream stream = {};
  };

  std::shared_ptr<Table> table_;
  int rank_;
  Fault fault_;
  int streams_ = 0;
};

}  // namespace rondo::testing
