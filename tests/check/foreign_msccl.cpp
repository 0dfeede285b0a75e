#include <algorithm>
#include <deque>
#include <set>
#include <tuple>

#include "foreign.hpp"

namespace rondo::testing {

namespace {

using Value = std::multiset<std::pair<int, int>>;  // rank and chunk of each contribution
using Chunks = std::vector<Value>;

struct Threadblock {
  int gpu = 0;
  const Element* element = nullptr;
  std::size_t next = 0;
};

class Interpreter {
 public:
  explicit Interpreter(const Element& algo) : algo_(algo) {}

  std::string run() {
    for (const Element& gpu : algo_.children) {
      if (std::string error = load(gpu); !error.empty()) return error;
    }
    for (bool moved = true; moved;) {
      moved = false;
      for (Threadblock& block : blocks_) {
        while (block.next < block.element->children.size() && step(block)) moved = true;
      }
      if (!error_.empty()) return error_;
    }
    for (const Threadblock& block : blocks_) {
      if (block.next < block.element->children.size()) return "deadlock";
    }
    return check_results();
  }

 private:
  std::string collective() const { return algo_.attributes.at("coll"); }
  int gpus() const { return algo_.number("ngpus"); }
  // The chunk of the whole vector that chunk 0 of the gpu's buffer is.
  int first_chunk(int gpu, const std::string& buffer) const {
    const int block = algo_.number("nchunksperloop") / gpus();
    const bool own = (buffer == "i" && collective() == "allgather") ||
                     (buffer == "o" && collective() == "reduce_scatter");
    return own ? gpu * block : 0;
  }

  std::string load(const Element& gpu) {
    const int id = gpu.number("id");
    std::set<std::tuple<std::string, int, int>> used;  // side, peer, channel
    for (const char* buffer : {"i", "o", "s"}) {
      Chunks& chunks = memory_[{id, buffer}];
      chunks.resize(static_cast<std::size_t>(gpu.number(std::string(buffer) + "_chunks")));
      if (*buffer != 'i') continue;
      for (std::size_t i = 0; i < chunks.size(); ++i) {
        chunks[i] = {{id, first_chunk(id, "i") + static_cast<int>(i)}};
      }
    }
    for (const Element& block : gpu.children) {
      for (const char* side : {"send", "recv"}) {
        const int peer = block.number(side);
        if (peer == id || peer >= gpus()) return "wrong peer";
        if (peer >= 0 && !used.emplace(side, peer, block.number("chan")).second) {
          return "two threadblocks have one peer on one channel";
        }
      }
      if (block.number("id") != static_cast<int>(block_of_[id].size())) return "threadblock ids";
      block_of_[id].push_back(blocks_.size());
      blocks_.push_back({id, &block});
    }
    return {};
  }

  Value* chunk(int gpu, const Element& step, const std::string& side, int i) {
    Chunks& chunks = memory_[{gpu, step.attributes.at(side + "buf")}];
    const auto at = static_cast<std::size_t>(step.number(side + "off") + i);
    if (at >= chunks.size()) {
      error_ = "a step leaves its buffer";
      static Value nowhere;
      return &nowhere;
    }
    return &chunks[at];
  }

  bool step(Threadblock& block) {
    const Element& step = block.element->children[block.next];
    if (step.number("s") != static_cast<int>(block.next)) error_ = "steps out of order";
    if (const int id = step.number("depid"); id >= 0) {
      const Threadblock& other = blocks_[block_of_[block.gpu].at(static_cast<std::size_t>(id))];
      const auto needed = static_cast<std::size_t>(step.number("deps"));
      if (other.element->children.at(needed).number("hasdep") != 1) error_ = "no hasdep";
      if (other.next <= needed) return false;
    }
    const std::string type = step.attributes.at("type");
    const int count = step.number("cnt");
    const int channel = block.element->number("chan");
    if (type == "s") {
      std::deque<Chunks>& wire = wires_[{block.gpu, block.element->number("send"), channel}];
      if (!wire.empty()) return false;  // one slot: the sender waits for the receiver
      wire.emplace_back();
      for (int i = 0; i < count; ++i) wire.back().push_back(*chunk(block.gpu, step, "src", i));
    } else if (type == "r" || type == "rrc") {
      std::deque<Chunks>& wire = wires_[{block.element->number("recv"), block.gpu, channel}];
      if (wire.empty()) return false;
      if (static_cast<int>(wire.front().size()) != count) error_ = "counts differ";
      for (int i = 0; i < count && error_.empty(); ++i) {
        Value sum = wire.front()[static_cast<std::size_t>(i)];
        if (type == "rrc") sum.merge(Value(*chunk(block.gpu, step, "src", i)));
        *chunk(block.gpu, step, "dst", i) = sum;
      }
      wire.pop_front();
    } else if (type == "cpy" || type == "re") {
      for (int i = 0; i < count; ++i) {
        Value value = *chunk(block.gpu, step, "src", i);
        if (type == "re") value.merge(Value(*chunk(block.gpu, step, "dst", i)));
        *chunk(block.gpu, step, "dst", i) = value;
      }
    } else if (type != "nop") {
      error_ = "unknown type " + type;
    }
    ++block.next;
    return error_.empty();
  }

  std::string check_results() {
    const bool moves =
        collective() == "alltoall" || collective() == "allgather" || collective() == "broadcast";
    for (int gpu = 0; gpu < gpus(); ++gpu) {
      const Chunks& out = memory_[{gpu, "o"}];
      for (std::size_t i = 0; i < out.size(); ++i) {
        int chunk = first_chunk(gpu, "o") + static_cast<int>(i);
        if (out[i].empty()) return "nothing on gpu " + std::to_string(gpu);
        const int block = std::max(algo_.number("nchunksperloop") / gpus(), 1);
        const int source = collective() == "broadcast" ? out[i].begin()->first : chunk / block;
        Value expected;
        if (collective() == "alltoall") chunk = gpu * block + chunk % block;
        for (int rank = 0; rank < gpus(); ++rank) {
          if (!moves || rank == source) expected.emplace(rank, chunk);
        }
        if (out[i] != expected) return "wrong result on gpu " + std::to_string(gpu);
      }
    }
    return {};
  }

  const Element& algo_;
  std::map<std::pair<int, std::string>, Chunks> memory_;
  std::vector<Threadblock> blocks_;
  std::map<int, std::vector<std::size_t>> block_of_;  // per gpu, by id
  std::map<std::tuple<int, int, int>, std::deque<Chunks>> wires_;
  std::string error_;
};

}  // namespace

std::string wrong_in_msccl(const Element& algo) {
  return Interpreter(algo).run();
}

}  // namespace rondo::testing
