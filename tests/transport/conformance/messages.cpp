// Checks of what a transport does with messages while nothing goes wrong.

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>

#include "transport/conformance/session.hpp"

namespace rondo::conformance {

namespace {

constexpr std::array<std::size_t, 10> sizes = {1, 0, 7, 64, 1000, 4096, 65537, 0, 3, 1048579};

Failures delivers_every_message_once(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 3, [](Rank& self) {
    const std::vector<Link> links = links_to_all(self);
    self.begin(links);
    for (const std::size_t size : sizes) {
      for (const Link link : links) {
        self.send(link, size);
        self.recv(link, size);
      }
    }
    self.complete_all();
    // A transfer that is completed a second time is touched again about now.
    self.reach(1);
    for (const Link link : links) self.await(link.peer, 1);
    self.idle(std::chrono::milliseconds(20));
  });
}

Failures keeps_the_order_on_a_link(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    for (std::size_t i = 0; i < 200; ++i) {
      self.send(link, 40);
      self.recv(link, 40);
    }
    self.complete_all();
  });
}

// Messages wait on channel 0 while channel 1 and 255 are used, which must not wait for them.
Failures keeps_channels_apart(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const int peer = 1 - self.rank();
    const Link blocked{peer, 0};
    self.begin({blocked, {peer, 1}, {peer, 255}});
    Message& waiting = self.send(blocked, 300000);
    for (const int channel : {255, 1}) {
      const Link link{peer, static_cast<std::uint8_t>(channel)};
      Message& sent = self.send(link, 100000);
      self.complete(self.recv(link, 100000));
      self.complete(sent);
    }
    self.reach(1);
    self.await(peer, 1);
    self.complete(self.recv(blocked, 300000));
    self.complete(waiting);
  });
}

Failures completes_messages_without_bytes(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    for (int i = 0; i < 10; ++i) {
      self.send(link, 0);
      self.recv(link, 0);
    }
    self.send(link, 0);
    Message& borrowed = self.borrow(link, 0);
    self.complete(borrowed);
    self.release(borrowed);
    self.complete_all();
  });
}

// Whoever comes first waits.
Failures waits_for_the_other_side(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const int peer = 1 - self.rank();
    const Link link{peer, 0};
    self.begin({link});
    if (self.rank() == 0) {
      Message& early = self.recv(link, 5000);
      self.idle(std::chrono::milliseconds(50));
      self.require(!self.done(early), "a recv was done before its message was sent");
      self.reach(1);
      self.complete(early);
      self.await(peer, 2);
      self.complete(self.recv(link, 5000));
    } else {
      self.await(peer, 1);
      self.complete(self.send(link, 5000));
      Message& early = self.send(link, 5000);
      self.idle(std::chrono::milliseconds(50));
      self.reach(2);
      self.complete(early);
    }
  });
}

Failures moves_large_messages_both_ways(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    self.send(link, self.options().large_bytes + 1);
    self.recv(link, self.options().large_bytes + 1);
    self.complete_all();
  });
}

std::size_t available_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::size_t kilobytes = 0;
  while (file >> key >> kilobytes) {
    if (key == "MemAvailable:") return kilobytes * 1024;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// Address space whose untouched pages are zero and cost nothing.
class SparseMemory {
 public:
  explicit SparseMemory(std::size_t size)
      : size_(size),
        data_(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  ~SparseMemory() {
    if (mapped()) munmap(data_, size_);
  }
  bool mapped() const { return data_ != MAP_FAILED; }
  std::byte* data() const { return static_cast<std::byte*>(data_); }

 private:
  std::size_t size_;
  void* data_;
};

// Sizes kept in 32 bits overflow here.
Failures moves_more_than_2_gib(const Factory& factory, const Options& options) {
  constexpr std::size_t gib = std::size_t{1} << 30;
  if (!options.huge || available_memory_bytes() < 8 * gib) return {};
  constexpr std::size_t size = 2 * gib + 12345;
  constexpr std::array<std::size_t, 4> marks = {0, gib + 1, 2 * gib + 1, size - 1};
  const SparseMemory memory(size);
  if (!memory.mapped()) return {};
  std::array<Transfer, 2> transfers;
  for (const std::size_t mark : marks) memory.data()[mark] = static_cast<std::byte>(mark % 251 + 1);
  return on_ranks(factory, options, 2, [&](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    Transfer& transfer = transfers[static_cast<std::size_t>(self.rank())];
    transfer.link = link;
    transfer.size = size;
    if (self.rank() == 0) {
      transfer.data = memory.data();
      self.transport().post(transfer);
      self.await_done(transfer, "a send of more than 2 GiB");
    } else {
      transfer.kind = Transfer::Kind::recv;
      transfer.borrow = true;
      self.transport().post(transfer);
      std::size_t passed = 0;
      const auto take = [&](std::size_t offset, std::span<const std::byte> bytes) {
        self.require(offset == passed, "a part begins at ", offset, " instead of ", passed);
        passed += bytes.size();
        for (const std::size_t mark : marks) {
          for (const std::size_t place : {mark, mark - std::min<std::size_t>(mark, 1)}) {
            if (place < offset || place - offset >= bytes.size()) continue;
            self.require(bytes[place - offset] == memory.data()[place], "byte ", place,
                         " is wrong");
          }
        }
      };
      self.await_borrow(transfer, "a recv of more than 2 GiB", take);
      self.require(passed == size, "only ", passed, " bytes came");
    }
  });
}

// What is borrowed stays as it is until it is released, even if the sender's send is done before
// (on transports that copy) and it writes its memory again.
Failures lends_bytes_until_release(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const int peer = 1 - self.rank();
    const std::vector<Link> links = {{peer, 0}, {peer, 1}};
    self.begin(links);
    if (self.rank() == 0) {
      std::array<Message*, 2> sent = {&self.send(links[0], 70000), &self.send(links[1], 500)};
      self.await(peer, 1);
      for (Message* message : sent) {
        if (self.done(*message)) self.complete(*message);
      }
      self.reach(1);
      self.complete_all();
    } else {
      Message& first = self.borrow(links[0], 70000);
      Message& second = self.borrow(links[1], 500);
      self.complete(first);
      self.complete(second);
      self.reach(1);
      self.await(peer, 1);
      self.require_bytes(first);
      self.require_bytes(second);
      self.release(second);
      self.require_bytes(first);
      self.release(first);
    }
  });
}

Failures lends_message_after_message(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    for (std::size_t i = 0; i < 100; ++i) {
      const std::size_t size = i * 997 % 30000;
      Message& sent = self.send(link, size);
      Message& borrowed = self.borrow(link, size);
      self.complete(borrowed);
      self.release(borrowed);
      self.complete(sent);
    }
  });
}

// Whether a transport has room for a message is its own affair, from message to message.
Failures takes_messages_made_in_its_memory(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    constexpr std::array<std::size_t, 6> lengths = {0, 8, 3000, 65536, 100, 20000};
    self.begin({link});
    // Nobody receives at first, so that room runs out.
    for (std::size_t i = 0; i < 60; ++i) {
      const std::size_t size = lengths[i % lengths.size()];
      if (i % 4 == 3 || !self.make(link, size)) self.send(link, size);
    }
    self.reach(1);
    self.await(link.peer, 1);
    for (std::size_t i = 0; i < 60; ++i) self.recv(link, lengths[i % lengths.size()]);
    self.complete_all();
    for (std::size_t i = 0; i < 200; ++i) {
      const std::size_t size = i * 997 % 70000 / 8 * 8;
      if (!self.make(link, size)) self.send(link, size);
      Message& borrowed = self.borrow(link, size);
      self.complete(borrowed);
      self.release(borrowed);
    }
    self.complete_all();
  });
}

// Everybody publishes to all others, in all sizes, made in the transport's memory or not; some
// readers borrow.
Failures publishes_to_several_readers(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 4, [](Rank& self) {
    constexpr std::array<std::size_t, 9> lengths = {0,     8,       104,     105,    3000,
                                                    65536, 100'000, 300'000, 700'000};
    const std::vector<Link> links = links_to_all(self);
    for (std::size_t i = 0; i < 36; ++i) {
      const std::size_t size = lengths[i % lengths.size()];
      self.begin(links);
      self.publish(links, size, i % 3 == 0);
      self.publish(links, 200 + i, false);
      for (const Link& link : links) {
        Message& first = self.recv_published(link, size, (i + self.rank()) % 4 == 0);
        self.recv_published(link, 200 + i, false);
        if (!first.transfer.borrow) continue;
        self.complete(first);
        self.release(first);
      }
      self.complete_all();
    }
  });
}

// One of them takes nothing at first, however much is published; the others get all of it.
Failures lets_no_reader_wait_for_another(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 4, [](Rank& self) {
    constexpr int publisher = 0;
    constexpr int slow = 3;
    constexpr std::size_t count = 30;
    const auto size_of = [](std::size_t i) { return 1000 + i * 9973 % 200'000; };
    self.begin(links_to_all(self));
    if (self.rank() == publisher) {
      const std::vector<Link> links = links_to_all(self);
      for (std::size_t i = 0; i < count; ++i) self.publish(links, size_of(i), i % 5 == 4);
      self.await(1, 1);
      self.await(2, 1);
      self.reach(1);
    } else {
      if (self.rank() == slow) self.await_asleep(publisher, 1);
      for (std::size_t i = 0; i < count; ++i) {
        self.recv_published({publisher, 0}, size_of(i), false);
      }
    }
    self.complete_all();
    self.reach(1);
    for (int rank = 0; rank < self.size(); ++rank) {
      if (rank != self.rank()) self.await(rank, 1);
    }
  });
}

// A transport may lend a large message part by part. Elements of 16 bytes stay whole.
Failures lends_large_messages(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 2, [](Rank& self) {
    const Link link{1 - self.rank(), 0};
    self.begin({link});
    const std::size_t size = self.options().large_bytes / 16 * 16;
    Message& sent = self.send(link, size);
    Message& borrowed = self.borrow(link, size);
    self.complete(borrowed);
    self.require(borrowed.transfer.offset % 16 == 0, "a part ends in an element");
    self.release(borrowed);
    self.complete(sent);
    // The link goes on as usual.
    self.send(link, 10);
    self.recv(link, 10);
    self.complete_all();
  });
}

// Nothing keeps ranks from being in different operations: rank 0 only sends.
Failures carries_out_operations_back_to_back(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 4, [](Rank& self) {
    for (int operation = 0; operation < 300; ++operation) {
      Call call = agreed_call;
      call.count = static_cast<std::uint64_t>(operation);
      const auto channel = static_cast<std::uint8_t>(operation % 3);
      const auto size = static_cast<std::size_t>(operation * 37 % 5000);
      std::vector<Link> links = links_to_all(self, channel);
      const Link before{self.rank() - 1, channel};
      const Link next{self.rank() + 1, channel};
      std::erase_if(links, [&](Link link) { return link != before && link != next; });
      self.begin(links, call);
      if (self.rank() > 0) self.recv(before, size);
      if (self.rank() + 1 < self.size()) self.send(next, size);
      self.complete_all();
    }
  });
}

Failures serves_many_ranks_at_once(const Factory& factory, const Options& options) {
  return on_ranks(factory, options, 8, [](Rank& self) {
    for (std::size_t operation = 0; operation < 10; ++operation) {
      std::vector<Link> links;
      for (int channel = 0; channel < 4; ++channel) {
        for (const Link link : links_to_all(self, channel)) links.push_back(link);
      }
      std::sort(links.begin(), links.end());
      self.begin(links);
      for (const Link link : links) {
        const auto low = static_cast<std::size_t>(std::min(self.rank(), link.peer));
        const auto high = static_cast<std::size_t>(std::max(self.rank(), link.peer));
        const std::size_t size = (operation * 4099 + low * 811 + high * 97) % 20000;
        self.send(link, size);
        self.recv(link, size);
      }
      self.complete_all();
    }
  });
}

}  // namespace

std::vector<Check> message_checks() {
  return {
      {"delivers_every_message_once", delivers_every_message_once},
      {"keeps_the_order_on_a_link", keeps_the_order_on_a_link},
      {"keeps_channels_apart", keeps_channels_apart},
      {"completes_messages_without_bytes", completes_messages_without_bytes},
      {"waits_for_the_other_side", waits_for_the_other_side},
      {"moves_large_messages_both_ways", moves_large_messages_both_ways},
      {"moves_more_than_2_gib", moves_more_than_2_gib},
      {"lends_bytes_until_release", lends_bytes_until_release},
      {"lends_message_after_message", lends_message_after_message},
      {"lends_large_messages", lends_large_messages},
      {"takes_messages_made_in_its_memory", takes_messages_made_in_its_memory},
      {"publishes_to_several_readers", publishes_to_several_readers},
      {"lets_no_reader_wait_for_another", lets_no_reader_wait_for_another},
      {"carries_out_operations_back_to_back", carries_out_operations_back_to_back},
      {"serves_many_ranks_at_once", serves_many_ranks_at_once},
  };
}

}  // namespace rondo::conformance
