#include "transport/shm/shared_memory.hpp"

#include <new>

#include "base/text.hpp"

namespace rondo::process {

namespace {

constexpr std::size_t box_bytes = sizeof(Outbox) + sizeof(Inbox);
constexpr std::size_t ring_granule = 1024;

bool lies_in(std::uint64_t offset, std::uint64_t bytes, std::uint64_t whole) {
  return offset >= sizeof(SegmentHead) && offset % Segment::alignment == 0 && bytes <= whole &&
         offset <= whole - bytes;
}

}  // namespace

Result<OwnBoxes> SharedMemory::allocate() {
  if (!unused_.empty()) {
    const OwnBoxes boxes = unused_.back();
    unused_.pop_back();
    return OwnBoxes{new (boxes.outbox) Outbox{}, new (boxes.inbox) Inbox{}, boxes.ring_bytes};
  }
  const std::size_t bytes = budget_.take(peers_, box_bytes + Mailbox::least_ring_bytes,
                                         box_bytes + Mailbox::most_ring_bytes);
  taken_ += bytes;
  if (!segment_) {
    // All of the budget fits, and what channels may need when it is used up: links come one by one,
    // and untouched pages cost nothing.
    constexpr std::size_t most_channels = 16;
    Result<std::unique_ptr<Segment>> made =
        Segment::make(budget_.whole() + budget_.whole() / 8 +
                      peers_ * most_channels * (box_bytes + Mailbox::least_ring_bytes));
    if (!made) return made.error();
    segment_ = std::move(made).value();
    publisher_.attach(*segment_, peers_);
  }
  const std::size_t ring_bytes = (bytes - box_bytes) / ring_granule * ring_granule;
  const std::size_t outbox = segment_->allocate(sizeof(Outbox) + ring_bytes);
  const std::size_t inbox = segment_->allocate(sizeof(Inbox));
  if (outbox == 0 || inbox == 0) {
    return Error(ErrorCode::resource, "the shared memory segment is full");
  }
  // Whoever touches a page first has it near.
  populate(segment_->at(outbox), sizeof(Outbox) + ring_bytes, true);
  return OwnBoxes{new (segment_->at(outbox)) Outbox{}, new (segment_->at(inbox)) Inbox{},
                  ring_bytes};
}

Offer SharedMemory::offer(const OwnBoxes& boxes) const {
  const auto offset_of = [&](const void* box) {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(box) - segment_->at(0));
  };
  Offer offer;
  offer.segment = segment_->head().id;
  offer.segment_bytes = segment_->bytes();
  offer.outbox = offset_of(boxes.outbox);
  offer.inbox = offset_of(boxes.inbox);
  offer.ring_bytes = boxes.ring_bytes;
  return offer;
}

Result<PeerBoxes> SharedMemory::adopt(const Offer& offer, Descriptor segment, Descriptor bell) {
  if (!segment || !bell) {
    return Error(ErrorCode::unsupported,
                 "its memory did not come with its offer; is no descriptor left (ulimit -n)?");
  }
  const bool makes_sense =
      offer.ring_bytes >= Mailbox::least_ring_bytes / 2 && offer.ring_bytes % ring_granule == 0 &&
      offer.ring_bytes <= offer.segment_bytes &&
      lies_in(offer.outbox, sizeof(Outbox) + offer.ring_bytes, offer.segment_bytes) &&
      lies_in(offer.inbox, sizeof(Inbox), offer.segment_bytes);
  if (!makes_sense) return Error(ErrorCode::unsupported, "its offer of memory makes no sense");
  std::weak_ptr<const Neighbour>& known = neighbours_[offer.segment];
  std::shared_ptr<const Neighbour> neighbour = known.lock();
  if (!neighbour) {
    Result<std::shared_ptr<const Mapping>> memory =
        map_segment(segment, offer.segment, offer.segment_bytes);
    if (!memory) return memory.error();
    neighbour = std::make_shared<Neighbour>(Neighbour{std::move(memory).value(), std::move(bell)});
    known = neighbour;
  }
  if (neighbour->memory->bytes() != offer.segment_bytes) {
    return Error(ErrorCode::unsupported, "its offers of memory contradict each other");
  }
  const std::byte* const data = neighbour->memory->data();
  // After its owner has.
  populate(data + offer.outbox, sizeof(Outbox) + offer.ring_bytes, false);
  PeerBoxes boxes;
  boxes.outbox = reinterpret_cast<const Outbox*>(data + offer.outbox);
  boxes.inbox = reinterpret_cast<const Inbox*>(data + offer.inbox);
  boxes.head = reinterpret_cast<const SegmentHead*>(data);
  boxes.ring_bytes = offer.ring_bytes;
  boxes.segment_bytes = offer.segment_bytes;
  boxes.bell = neighbour->bell.fd();
  boxes.memory = neighbour;
  return boxes;
}

}  // namespace rondo::process
