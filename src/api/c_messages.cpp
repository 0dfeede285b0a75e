// Messages between two ranks of rondo/rondo.h.

#include <vector>

#include "api/c_handles.hpp"

namespace {

using namespace rondo::c;
using rondo::Communicator;
using rondo::refuse;

rondo::Message to_message(const rondo_message& raw) {
  return {checked<rondo::Message::Kind>(raw.kind, 2, "rondo_message_kind"), raw.peer, raw.buffer,
          raw.count, checked<rondo::DType>(raw.dtype, rondo::dtype_count, "rondo_dtype")};
}

std::vector<rondo::Message> to_messages(const rondo_message* raw, std::size_t count) {
  if (raw == nullptr && count > 0) refuse("messages must not be a null pointer");
  std::vector<rondo::Message> messages;
  for (std::size_t i = 0; i < count; ++i) messages.push_back(to_message(raw[i]));
  return messages;
}

rondo_message send_message(const void* buffer, std::size_t count, rondo_dtype dtype,
                           std::int32_t to) {
  return {RONDO_SEND, to, const_cast<void*>(buffer), count, dtype};
}

}  // namespace

rondo_status rondo_exchange(rondo_comm* comm, const rondo_message* messages, std::size_t count) {
  if (comm == nullptr) return null_argument("comm");
  return guarded(*comm->last_error, [&] { comm->value.exchange(to_messages(messages, count)); });
}

rondo_status rondo_iexchange(rondo_comm* comm, const rondo_message* messages, std::size_t count,
                             rondo_work** work) {
  return started(comm, work, [&](Communicator& value) {
    return value.iexchange(to_messages(messages, count));
  });
}

rondo_status rondo_send(rondo_comm* comm, const void* buffer, std::size_t count, rondo_dtype dtype,
                        std::int32_t to) {
  const rondo_message message = send_message(buffer, count, dtype, to);
  return rondo_exchange(comm, &message, 1);
}

rondo_status rondo_recv(rondo_comm* comm, void* buffer, std::size_t count, rondo_dtype dtype,
                        std::int32_t from) {
  const rondo_message message = {RONDO_RECV, from, buffer, count, dtype};
  return rondo_exchange(comm, &message, 1);
}

rondo_status rondo_isend(rondo_comm* comm, const void* buffer, std::size_t count, rondo_dtype dtype,
                         std::int32_t to, rondo_work** work) {
  const rondo_message message = send_message(buffer, count, dtype, to);
  return rondo_iexchange(comm, &message, 1, work);
}

rondo_status rondo_irecv(rondo_comm* comm, void* buffer, std::size_t count, rondo_dtype dtype,
                         std::int32_t from, rondo_work** work) {
  const rondo_message message = {RONDO_RECV, from, buffer, count, dtype};
  return rondo_iexchange(comm, &message, 1, work);
}
