// What concerns the group as a whole: messages, its parts and its end.

#include <pybind11/gil.h>

#include <algorithm>
#include <set>

#include "bind/torch/backend.hpp"

namespace rondo_torch {

namespace {

// How long the end of a group waits for what is under way.
constexpr std::chrono::seconds patience_at_end(5);

// What rank 0 has to say after its time is over takes a while.
constexpr std::chrono::seconds until_verdict(5);

}  // namespace

// The profiler keeps it, longer than anybody here lives.
const char* RondoBackend::title(const char* call) const {
  static std::mutex mutex;
  static std::set<std::string> titles;
  const std::lock_guard lock(mutex);
  return titles.insert(member_.shown_as + ":" + call).first->c_str();
}

c10::intrusive_ptr<RondoWork> RondoBackend::message(c10d::OpType op, const char* title,
                                                    const Tensors& tensors, int peer) {
  TORCH_CHECK(tensors.size() == 1, title, ": requires a single tensor, got ", tensors.size());
  const c10::Device device = tensors[0].device();
  require_known_device(device, title);
  TORCH_CHECK(tensors[0].layout() == at::kStrided, title, ": takes dense tensors");
  TORCH_CHECK(peer < size_ && peer != rank_, title, ": invalid rank: ", peer, " for rank ", rank_,
              " in a group of ", size_);
  const std::string who =
      peer < 0 ? "" : ", waiting for rank " + std::to_string(peer) + member_.global_name(peer);
  RondoWork::What what = {rank_,   op, title,           tensors,
                          tensors, 0,  timeout_.load(), who + "; " + member_.text()};
  if (!device.is_cpu()) what.device = device;
  const auto work = c10::make_intrusive<RondoWork>(std::move(what));
  note(work);
  return work;
}

void RondoBackend::note(const c10::intrusive_ptr<RondoWork>& work) {
  const std::lock_guard lock(mutex_of_coalesced_);
  if (coalesced_) coalesced_->push_back(work);
}

void RondoBackend::startCoalescing() {
  const std::lock_guard lock(mutex_of_coalesced_);
  TORCH_CHECK(!coalesced_,
              "rondo startCoalescing: it has been called already; endCoalescing first");
  coalesced_.emplace();
}

RondoBackend::Work RondoBackend::endCoalescing() {
  std::vector<c10::intrusive_ptr<RondoWork>> parts;
  {
    const std::lock_guard lock(mutex_of_coalesced_);
    TORCH_CHECK(coalesced_, "rondo endCoalescing: without startCoalescing");
    parts = std::move(*coalesced_);
    coalesced_.reset();
  }
  Tensors outputs;
  for (const auto& part : parts) {
    const Tensors of_part = part->result();
    outputs.insert(outputs.end(), of_part.begin(), of_part.end());
  }
  RondoWork::What what = {rank_,
                          c10d::OpType::COALESCED,
                          title("coalesced"),
                          std::nullopt,
                          outputs,
                          0,
                          timeout_.load(),
                          ", waiting for coalesced calls; " + member_.text()};
  if (const auto there = on_device_.load()) what.device = there->device();
  const auto work = c10::make_intrusive<RondoWork>(std::move(what));
  RondoWork::complete_after(work, parts);
  return work;
}

RondoBackend::Work RondoBackend::send(Tensors& tensors, int to, int tag) {
  TORCH_CHECK(to >= 0, "rondo:send: invalid rank: ", to);
  const auto work = message(c10d::OpType::SEND, title("send"), tensors, to);
  messages_->send(tensors[0], to, tag, work);
  return work;
}

RondoBackend::Work RondoBackend::recv(Tensors& tensors, int from, int tag) {
  TORCH_CHECK(from >= 0, "rondo:recv: invalid rank: ", from);
  const auto work = message(c10d::OpType::RECV, title("recv"), tensors, from);
  messages_->receive(tensors[0], from, tag, timeout_.load(), work);
  return work;
}

RondoBackend::Work RondoBackend::recvAnysource(Tensors& tensors, int tag) {
  const auto work = message(c10d::OpType::RECVANYSOURCE, title("recvAnySource"), tensors, -1);
  messages_->receive(tensors[0], -1, tag, timeout_.load(), work);
  return work;
}

// Through the store, so that it works whatever the ranks are stuck in. Rank 0 says who is missing.
void RondoBackend::monitoredBarrier(const c10d::BarrierOptions& options, bool wait_for_all) {
  const Timeout patience = options.timeout < Timeout(0) ? timeout_.load() : options.timeout;
  TORCH_CHECK(patience > Timeout(0) || rank_ != 0, member_.text(),
              ": Rank 0 timed out in monitoredBarrier after 0 ms");
  const std::string prefix = "rondo/monitored/" + std::to_string(monitored_++) + "/";
  const auto left = [end = std::chrono::steady_clock::now() + patience] {
    return std::max(Timeout(1),
                    std::chrono::duration_cast<Timeout>(end - std::chrono::steady_clock::now()));
  };
  if (rank_ != 0) {
    store_->set(prefix + std::to_string(rank_), "here");
    std::string verdict;
    try {
      store_->wait({prefix + "verdict"}, left() + until_verdict);
      verdict = store_->get_to_str(prefix + "verdict");
    } catch (const std::exception& error) {
      verdict = std::string("rank 0 said nothing: ") + text_of(error);
    }
    // In gloo's words, which programs look for.
    TORCH_CHECK(verdict == "all", member_.text(), ": Rank ", rank_,
                " successfully reached monitoredBarrier, but received errors while waiting for "
                "send/recv from rank 0: ",
                verdict);
    return;
  }
  std::string missing;
  for (int rank = 1; rank < size_ && (missing.empty() || wait_for_all); ++rank) {
    try {
      store_->wait({prefix + std::to_string(rank)}, left());
    } catch (const std::exception&) {
      missing += (missing.empty() ? "" : ", ") + std::to_string(rank) + member_.global_name(rank);
    }
  }
  const std::string verdict = missing.empty() ? "all"
                              : wait_for_all
                                  ? "Ranks " + missing + " failed to pass monitoredBarrier in " +
                                        std::to_string(patience.count()) + " ms"
                                  : "Rank " + missing + " failed to pass monitoredBarrier in " +
                                        std::to_string(patience.count()) + " ms";
  store_->set(prefix + "verdict", verdict);
  TORCH_CHECK(missing.empty(), member_.text(), ": ", verdict);
}

c10::intrusive_ptr<c10d::Backend::Options> RondoBackend::getBackendOptions() {
  auto options = c10::make_intrusive<Options>("rondo", timeout_.load());
  options->group_name = member_.group;
  options->global_ranks_in_group = member_.global_ranks;
  return options;
}

c10::intrusive_ptr<c10d::Backend> RondoBackend::split(const c10::intrusive_ptr<c10d::Store>& store,
                                                      const std::vector<int>& ranks,
                                                      const c10::intrusive_ptr<Options>& options) {
  const auto mine = std::find(ranks.begin(), ranks.end(), rank_);
  if (mine == ranks.end()) return nullptr;
  Member member = {static_cast<int>(mine - ranks.begin()), static_cast<int>(ranks.size()),
                   options->group_name, options->global_ranks_in_group, member_.shown_as};
  return c10::make_intrusive<RondoBackend>(store, std::move(member), options->timeout);
}

c10d::ErrorType RondoBackend::getError() {
  switch (rondo_comm_status(comm_.get())) {
    case RONDO_OK:
      return c10d::ErrorType::SUCCESS;
    case RONDO_TIMEOUT:
      return c10d::ErrorType::TIMEOUT;
    case RONDO_PEER_LOST:
    case RONDO_PEER_LEFT:
      return c10d::ErrorType::REMOTE_ERROR;
    default:
      return c10d::ErrorType::COMM_ERROR;
  }
}

void RondoBackend::abort() {
  abort_for("the process group was aborted by " + member_.text());
}

void RondoBackend::abort_for(const std::string& reason) {
  rondo_comm_abort(comm_.get(), reason.c_str());
  if (const auto there = on_device_.load()) there->abort(reason);
  messages_->abort(reason);
}

std::shared_ptr<OnDevice> RondoBackend::on_device(c10::Device device) {
  const std::lock_guard lock(mutex_of_device_);
  std::shared_ptr<OnDevice> there = on_device_.load();
  if (!there) {
    there = std::make_shared<OnDevice>(comm_.get(), member_, device, timeout_.load());
    on_device_.store(there);
  }
  TORCH_CHECK(there->device() == device, member_.text(), ": a tensor on ", device,
              ", and this group uses ", there->device(), "; a rank has one device in a group");
  return there;
}

// Python may drop the last reference, and what is under way may need Python to end.
RondoBackend::~RondoBackend() {
  std::optional<pybind11::gil_scoped_release> without_gil;
  if (PyGILState_Check() != 0) without_gil.emplace();
  shutdown();
  queue_.reset();
  messages_.reset();
  on_device_.store(nullptr);
  comm_.reset();
}

void RondoBackend::shutdown() {
  const auto there = on_device_.load();
  const bool is_idle = queue_->wait_until_idle(patience_at_end) &&
                       messages_->wait_until_sent(patience_at_end) &&
                       (!there || there->wait_until_idle(patience_at_end));
  if (is_idle) return;
  abort_for("the process group was destroyed with work under way by " + member_.text());
  queue_->wait_until_idle(patience_at_end);
}

}  // namespace rondo_torch
