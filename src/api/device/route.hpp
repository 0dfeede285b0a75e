#pragma once

// A collective among ranks that are connected (DevicePath). First they tell each other what each of
// them has: only where all have device memory it goes from device to device, else by messages.
//
//   * Buffers that all ranks share are used in place. Others are copied through the workspaces, as
//     much at a time as there is room for.
//   * The rank's own stream gets everything at once: copies, sums, waits for what peers write. It
//     begins when the streams of all users have come to the call.
//   * A rank is through when all are: nobody's buffers are used any more. Who waits for whom is
//     told by messages, so that a rank that dies is found and named as in every collective.
//   * Where it fails, the words that streams wait for are written, and what comes after them does
//     nothing.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "api/arguments.hpp"
#include "api/device/path.hpp"
#include "execute/engine.hpp"
#include "execute/posting.hpp"
#include "execute/route.hpp"
#include "rondo/erased_call.hpp"

namespace rondo {

class DeviceRoute final : public Route {
 public:
  /// Alike on all ranks.
  struct Chosen {
    Plan plan = {};
    bool is_free = true;  ///< nobody has asked for this plan
  };

  /// Of buffers in host memory, which are the operation's.
  explicit DeviceRoute(DevicePath& path);
  /// Of memory that `device` reaches. The plan is alike on all ranks.
  DeviceRoute(DevicePath& path, const ErasedCall& call, const BuffersInUse& used, Chosen chosen,
              int device);

  /// Whether a call goes such a way at all: alike on all ranks.
  static bool serves(const ErasedCall& call);
  /// Gives a call, whose route is such a one, to the user's stream. Throws Error.
  static std::shared_ptr<PendingOperation> start(DevicePath& path, Engine& engine,
                                                 Operation operation, DeviceStream stream);

  std::span<const Link> links(std::span<const Link> of_program) override;
  void start(const Operation& operation, Transport& transport) override;
  State advance() override;
  bool is_impatient() const override { return stage_ == Stage::streams; }
  Buffers buffers() override;
  void finish_messages() override;
  void add_waiting_for(std::vector<int>& peers) const override;
  void abandon() noexcept override;

 private:
  enum class Stage : std::uint8_t { telling, streams, parting, over };
  // What a rank has.
  struct Ticket {
    std::uint32_t has_device = 0;
    std::uint32_t is_in_place = 0;
    DevicePath::Shared in;
    DevicePath::Shared out;
  };
  Ticket own_ticket() const;
  void tell(Posting& posting, Message::Kind kind, void* (*at)(DeviceRoute&, int),
            std::size_t bytes);
  bool have_all_devices() const;
  void give_to_stream();
  bool go_by_packets();
  bool go_in_place();
  void go_by_workspaces();
  void carry_out(const StreamProgram& program, const BufferBases& bases, std::size_t count,
                 bool meets);
  void carry_out(const StreamStep& step, const BufferBases& bases);
  void meet();
  void copy_chunk(bool is_in, std::size_t first, std::size_t count);
  const StreamProgram& program(std::size_t count, bool in_place);
  std::size_t blocks() const;
  std::size_t blocks_of(bool is_in) const;
  void check_stream();
  std::vector<std::byte>& result_in_host();
  bool has_quiet_peers() const;

  DevicePath& path_;
  const bool is_of_device_ = false;  // of some device
  const bool is_connected_ = false;  // of the one that others reach
  const ErasedCall call_ = {};
  const BuffersInUse used_ = {};
  const Chosen chosen_ = {};
  const Operation* operation_ = nullptr;
  Transport* transport_ = nullptr;
  std::vector<Link> links_;
  std::vector<Ticket> tickets_;
  std::vector<std::byte> tokens_;
  Posting telling_;
  Posting arrivals_;
  Posting departures_;
  Stage stage_ = Stage::over;
  std::uint32_t turn_ = 0;
  bool is_given_ = false;  // to the stream
  unsigned looks_ = 0;
  std::size_t room_ = 0;  // of a chunk's `in` in the workspace, behind which its `out` begins
  std::vector<std::byte> in_host_;  // by messages
  std::vector<std::byte> out_host_;
};

}  // namespace rondo
