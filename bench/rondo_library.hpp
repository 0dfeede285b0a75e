#pragma once

// rondo as a library that is measured.

#include <string>
#include <vector>

#include "base/text.hpp"
#include "bench/library.hpp"

namespace rondo::bench {

class Rondo : public Library {
 public:
  explicit Rondo(Communicator& communicator) : communicator_(communicator) {}

  int rank() const override { return communicator_.rank(); }
  int size() const override { return communicator_.size(); }
  std::string name() const override {
    return concat("rondo ", RONDO_VERSION, " over ", communicator_.transport());
  }
  void run(const ErasedCall& call) override { communicator_.run(call); }
  void exchange(const std::vector<Message>& messages) override { communicator_.exchange(messages); }

 private:
  Communicator& communicator_;
};

}  // namespace rondo::bench
