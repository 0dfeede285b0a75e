// Data-parallel training: every rank has the whole model, learns from its share of each batch, and
// adds its gradient to the others' while the backward pass still goes on.

#include <chrono>
#include <utility>
#include <vector>

#include "training.hpp"

namespace {

class HostLearner final : public Learner {
 public:
  HostLearner(rondo::Communicator& comm, const TrainOptions& options, const Images& images,
              Model& model)
      : comm_(comm), options_(options), images_(images), model_(model) {}

  // Gradients are sums, divided by the size of the whole batch only after they have been added up:
  // ranks may have shares of different size, and none at all.
  void step(std::span<const int> batch, Shard mine) override {
    // The last layer's gradient is ready first. Its sum is under way while the layers before it
    // are still computing.
    std::vector<std::pair<Layer*, rondo::Work>> pending;
    score_ += model_.learn(
        images_, batch.subspan(mine.first, mine.last - mine.first),
        [&](Layer& layer) { pending.emplace_back(&layer, comm_.iallreduce(layer.gradient)); });

    for (auto& [layer, work] : pending) {
      const auto start = std::chrono::steady_clock::now();
      work.wait();
      waiting_s_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      descend(*layer, options_.learning_rate, 1.0f / static_cast<float>(batch.size()));
    }
  }

  Score finish() override {
    waited_s_ = std::exchange(waiting_s_, 0);
    return std::exchange(score_, {});
  }

  std::optional<double> waited_s() const override { return waited_s_; }

 private:
  rondo::Communicator& comm_;
  const TrainOptions& options_;
  const Images& images_;
  Model& model_;
  Score score_;
  double waiting_s_ = 0;
  double waited_s_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return run_training(argc, argv, [](auto& comm, auto& options, auto& images, auto& model) {
    return std::make_unique<HostLearner>(comm, options, images, model);
  });
}
