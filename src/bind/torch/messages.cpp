#include "bind/torch/messages.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rondo_torch {

namespace {

// A rank that has announced nothing may come at any time; who waits for it has a deadline.
constexpr std::chrono::hours no_deadline(24 * 365);

}  // namespace

Messages::~Messages() {
  this->abort("the process group was destroyed");
  {
    const std::lock_guard lock(mutex_);
    waiting_->is_over = true;
  }
  waiting_->changed.notify_all();
  clock_.end();
  // Their jobs look at all channels, which are still there now.
  for (Channels* channels : {&outgoing_, &incoming_}) {
    for (const auto& [peer, channel] : *channels) channel->queue.end();
  }
}

Messages::Channel& Messages::channel(Channels& channels, int peer, const char* name) {
  auto& place = channels[peer];
  if (!place) place = std::make_unique<Channel>(peer, name + std::to_string(peer));
  return *place;
}

void Messages::open(Channel& channel, int from, int to) {
  if (channel.failure) std::rethrow_exception(channel.failure);
  if (channel.comm) return;
  const std::array<std::int32_t, 2> members = {from, to};
  rondo_comm* made = nullptr;
  require(rondo_comm_subgroup(world_, members.data(), 2, 0, &made), nullptr, member_);
  std::chrono::milliseconds shown{0};
  set_deadline(made, no_deadline, shown);
  const std::lock_guard lock(mutex_);
  channel.comm.reset(made);
  if (is_aborted_) rondo_comm_abort(made, abort_reason_.c_str());
}

void Messages::send(const at::Tensor& tensor, int to, int tag, Work work) {
  std::unique_lock lock(mutex_);
  Channel& out = channel(outgoing_, to, "rondo-to-");
  lock.unlock();
  const StreamPoint ready(tensor);
  out.queue.post([this, &out, tensor, ready, tag, work = std::move(work)] {
    work->carry_out([&] {
      open(out, member_.rank, out.peer);
      ready.wait();
      const Flat flat(tensor.cpu(), Flat::Holds::elements);
      const Elements from = elements(flat.tensor());
      const Header header = {tag, static_cast<std::uint64_t>(flat.tensor().nbytes())};
      require(rondo_send(out.comm.get(), &header, sizeof header, RONDO_U8, 1), out.comm.get(),
              member_);
      if (from.count == 0) return;
      require(rondo_send(out.comm.get(), from.data, header.bytes, RONDO_U8, 1), out.comm.get(),
              member_);
    });
  });
}

void Messages::receive(const at::Tensor& tensor, int from, int tag,
                       std::chrono::milliseconds patience, Work work) {
  std::vector<Channel*> sources;
  if (patience <= std::chrono::milliseconds(0) || patience > no_deadline) patience = no_deadline;
  const Wanted wanted = {tensor,         StreamPoint(tensor),
                         from,           tag,
                         patience,       std::chrono::steady_clock::now() + patience,
                         std::move(work)};
  bool is_watched = true;
  bool is_earlier = false;
  std::optional<Arrived> arrived;
  {
    const std::lock_guard lock(mutex_);
    for (int peer = 0; peer < member_.size; ++peer) {
      if (peer != member_.rank && (from < 0 || peer == from)) {
        sources.push_back(&channel(incoming_, peer, "rondo-from-"));
      }
    }
    arrived = take_unexpected(wanted);
    if (!arrived) {
      wanted_.push_back(wanted);
      is_watched = std::exchange(waiting_->is_watched, true);
      is_earlier = wanted.deadline < waiting_->next;
    }
  }
  if (arrived) {
    deliver(wanted, *arrived);
    return;
  }
  for (Channel* source : sources) {
    source->queue.post([this, source] { receive_wanted(*source); });
  }
  if (is_earlier) waiting_->changed.notify_all();
  if (!is_watched) clock_.post([waiting = waiting_] { watch(waiting); });
}

// wait() has a time of its own; this is for those who look at the future, or ask now and then.
void Messages::watch(const std::shared_ptr<Waiting>& waiting) {
  std::unique_lock lock(waiting->mutex);
  while (!waiting->is_over && !waiting->wanted.empty()) {
    const auto first = std::min_element(
        waiting->wanted.begin(), waiting->wanted.end(),
        [](const Wanted& one, const Wanted& other) { return one.deadline < other.deadline; });
    const auto deadline = first->deadline;
    if (std::chrono::steady_clock::now() < deadline) {
      waiting->next = deadline;
      waiting->changed.wait_until(lock, deadline);
      continue;
    }
    {
      const Wanted late = std::move(*first);
      waiting->wanted.erase(first);
      lock.unlock();
      late.work->fail(late.work->late(late.patience));
    }  // what it holds goes without the lock
    lock.lock();
  }
  waiting->is_watched = false;
}

// While somebody waits for a message of this rank, the next one is taken, whichever it is.
void Messages::receive_wanted(Channel& channel) {
  try {
    open(channel, channel.peer, member_.rank);
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (std::none_of(wanted_.begin(), wanted_.end(), [&](const Wanted& wanted) {
              return is_wanted_of(wanted, channel.peer);
            })) {
          return;
        }
      }
      receive_one(channel);
    }
  } catch (...) {
    fail_wanted(channel, std::current_exception());
  }
}

void Messages::receive_one(Channel& channel) {
  rondo_comm* comm = channel.comm.get();
  Header header{};
  require(rondo_recv(comm, &header, sizeof header, RONDO_U8, 0), comm, member_);
  const auto take = [&](void* to) {
    if (header.bytes == 0) return;
    require(rondo_recv(comm, to, header.bytes, RONDO_U8, 0), comm, member_);
  };
  std::optional<Wanted> wanted;
  {
    const std::lock_guard lock(mutex_);
    wanted = take_wanted(channel.peer, header.tag);
  }
  if (!wanted) {
    Arrived arrived = {channel.peer, header.tag, std::vector<std::uint8_t>(header.bytes)};
    take(arrived.bytes.data());
    std::unique_lock lock(mutex_);
    // Somebody may have asked for it meanwhile.
    wanted = take_wanted(channel.peer, header.tag);
    if (!wanted) {
      channel.unexpected.push_back(std::move(arrived));
      return;
    }
    lock.unlock();
    deliver(*wanted, arrived);
    return;
  }
  wanted->work->set_source(channel.peer);
  wanted->work->carry_out([&] { store(*wanted, header.bytes, channel.peer, take); });
  if (!wanted->work->isSuccess()) std::rethrow_exception(wanted->work->exception());
}

std::optional<Messages::Wanted> Messages::take_wanted(int peer, std::int64_t tag) {
  const auto found = std::find_if(wanted_.begin(), wanted_.end(), [&](const Wanted& wanted) {
    return is_wanted_of(wanted, peer) && wanted.tag == tag;
  });
  if (found == wanted_.end()) return std::nullopt;
  Wanted wanted = std::move(*found);
  wanted_.erase(found);
  return wanted;
}

std::optional<Messages::Arrived> Messages::take_unexpected(const Wanted& wanted) {
  for (auto& [peer, source] : incoming_) {
    if (!is_wanted_of(wanted, peer)) continue;
    auto& messages = source->unexpected;
    const auto found = std::find_if(messages.begin(), messages.end(), [&](const Arrived& arrived) {
      return arrived.tag == wanted.tag;
    });
    if (found == messages.end()) continue;
    Arrived arrived = std::move(*found);
    messages.erase(found);
    return arrived;
  }
  return std::nullopt;
}

void Messages::deliver(const Wanted& wanted, const Arrived& arrived) const {
  wanted.work->set_source(arrived.from);
  wanted.work->carry_out([&] {
    store(wanted, arrived.bytes.size(), arrived.from, [&](void* to) {
      if (!arrived.bytes.empty()) std::memcpy(to, arrived.bytes.data(), arrived.bytes.size());
    });
  });
}

// `take` writes the message's bytes.
void Messages::store(const Wanted& wanted, std::uint64_t bytes, int from,
                     const std::function<void(void*)>& take) const {
  const at::Tensor& tensor = wanted.tensor;
  TORCH_CHECK(tensor.nbytes() == bytes, member_.text(), ": rank ", from, member_.global_name(from),
              " sent ", bytes, " bytes, and the tensor to receive them has ", tensor.nbytes());
  const bool is_on_host = tensor.device().is_cpu();
  const Flat flat(
      is_on_host ? tensor : at::empty(tensor.sizes(), tensor.options().device(at::kCPU)),
      Flat::Holds::nothing_yet);
  take(elements(flat.tensor()).data);
  flat.store();
  if (is_on_host) return;
  wanted.free.wait();
  tensor.copy_(flat.tensor());
}

// Those who would take a message of any rank are told as well, since they may wait for this one;
// but not of a rank that has left in peace, as long as others are there.
void Messages::fail_wanted(Channel& channel, const std::exception_ptr& failure) {
  const bool has_left = channel.comm && rondo_comm_status(channel.comm.get()) == RONDO_PEER_LEFT;
  std::vector<Work> concerned;
  {
    const std::lock_guard lock(mutex_);
    channel.failure = failure;
    const bool has_others = std::any_of(incoming_.begin(), incoming_.end(),
                                        [](const auto& entry) { return !entry.second->failure; });
    for (auto wanted = wanted_.begin(); wanted != wanted_.end();) {
      const bool is_any = wanted->from < 0;
      if (is_wanted_of(*wanted, channel.peer) && !(is_any && has_left && has_others)) {
        concerned.push_back(wanted->work);
        wanted = wanted_.erase(wanted);
      } else {
        ++wanted;
      }
    }
  }
  for (const Work& work : concerned) work->fail(failure);
}

bool Messages::wait_until_sent(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  return std::all_of(outgoing_.begin(), outgoing_.end(), [&](const auto& entry) {
    const auto left = deadline - std::chrono::steady_clock::now();
    return entry.second->queue.wait_until_idle(
        std::chrono::duration_cast<std::chrono::milliseconds>(left));
  });
}

// Communicators without work are left alone: their peers may still read what was sent.
void Messages::abort(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  is_aborted_ = true;
  abort_reason_ = reason;
  for (const Channels* channels : {&outgoing_, &incoming_}) {
    for (const auto& [peer, channel] : *channels) {
      const bool is_idle = channel->queue.wait_until_idle(std::chrono::milliseconds(0));
      if (channel->comm && !is_idle) rondo_comm_abort(channel->comm.get(), reason.c_str());
    }
  }
}

}  // namespace rondo_torch
