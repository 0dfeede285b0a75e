#include "execute/posting.hpp"

#include <algorithm>
#include <cstring>

#include "execute/sized_program.hpp"

namespace rondo {

namespace {

bool is_open(const Transfer& transfer) {
  return transfer.state.load(std::memory_order_acquire) != Transfer::State::done;
}

// The i-th message to oneself meets the i-th from oneself; they agree in size and don't overlap.
void pass_own(const std::vector<Message>& messages, int rank) {
  const auto is_own = [&](const Message& message, Message::Kind kind) {
    return message.peer == rank && message.kind == kind;
  };
  auto recv = messages.begin();
  for (const Message& send : messages) {
    if (!is_own(send, Message::Kind::send)) continue;
    recv = std::find_if(recv, messages.end(),
                        [&](const Message& m) { return is_own(m, Message::Kind::recv); });
    if (send.count > 0) std::memcpy(recv->data, send.data, send.count * size_of(send.dtype));
    ++recv;
  }
}

}  // namespace

std::vector<Link> Posting::links(const std::vector<Message>& messages, int rank) {
  std::vector<Link> links;
  for (const Message& message : messages) {
    if (message.peer != rank) links.push_back({message.peer, 0});
  }
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
  return links;
}

void Posting::start(const std::vector<Message>& messages, Transport& transport) {
  pass_own(messages, transport.rank());
  for (const Message& message : messages) {
    if (message.peer == transport.rank()) continue;
    Transfer& transfer = transfers_.emplace_back();
    transfer.kind =
        message.kind == Message::Kind::send ? Transfer::Kind::send : Transfer::Kind::recv;
    transfer.link = {message.peer, 0};
    transfer.data = static_cast<std::byte*>(message.data);
    transfer.size = message.count * size_of(message.dtype);
    transfer.dtype = message.dtype;
    transfer.past_cache = transfer.size >= least_streamed;
    transport.post(transfer);
  }
}

bool Posting::is_done() const {
  return std::none_of(transfers_.begin(), transfers_.end(), is_open);
}

void Posting::add_waiting_for(std::vector<int>& peers) const {
  for (const Transfer& transfer : transfers_) {
    if (is_open(transfer)) peers.push_back(transfer.link.peer);
  }
}

}  // namespace rondo
