// Data-parallel training: every rank has the whole model, learns from its share of each batch, and
// adds its gradient to the others' while the backward pass still goes on.

#include <rondo/rondo.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

#include "data.hpp"
#include "model.hpp"
#include "options.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Score add_over_ranks(rondo::Communicator& comm, const Score& mine) {
  double sums[] = {mine.loss, mine.correct, mine.images};
  comm.allreduce(sums);
  return {.loss = sums[0], .correct = sums[1], .images = sums[2]};
}

class Trainer {
 public:
  Trainer(rondo::Communicator& comm, const TrainOptions& options, Model& model)
      : comm_(comm), options_(options), model_(model) {}

  // Rank 0 draws the weights, and the others take them over.
  void share_initial_model() {
    if (comm_.rank() == 0) model_.initialize(options_.seed);
    for (Layer& layer : model_.layers()) comm_.broadcast(layer.parameters, 0);
  }

  // One pass over the images, in an order that depends on seed and epoch and is alike on all ranks.
  Score epoch(const Images& images, int number) {
    std::vector<int> order(images.labels.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(),
                 std::mt19937(options_.seed * 7919 + static_cast<unsigned>(number)));
    waited_s_ = 0;
    Score score;
    for (int first = 0; first < images.count(); first += options_.batch) {
      const int count = std::min(options_.batch, images.count() - first);
      const Score mine = step(images, std::span(order).subspan(first, count));
      score.loss += mine.loss;
      score.correct += mine.correct;
      score.images += mine.images;
    }
    return add_over_ranks(comm_, score);
  }

  // Of the last epoch: how long this rank stood still for communication.
  double waited_s() const { return waited_s_; }

 private:
  // One batch of all ranks. Gradients are sums, divided by the size of the whole batch only after
  // they have been added up: ranks may have shares of different size, and none at all.
  Score step(const Images& images, std::span<const int> batch) {
    const int count = static_cast<int>(batch.size());
    const Shard mine = shard_of(count, comm_.rank(), comm_.size());

    // The last layer's gradient is ready first. Its sum is under way while the layers before it
    // are still computing.
    std::vector<std::pair<Layer*, rondo::Work>> pending;
    const Score score = model_.learn(
        images, batch.subspan(mine.first, mine.last - mine.first),
        [&](Layer& layer) { pending.emplace_back(&layer, comm_.iallreduce(layer.gradient)); });

    for (auto& [layer, work] : pending) {
      const Clock::time_point start = Clock::now();
      work.wait();
      waited_s_ += seconds_since(start);
      descend(*layer, options_.learning_rate, 1.0f / static_cast<float>(count));
    }
    return score;
  }

  rondo::Communicator& comm_;
  const TrainOptions& options_;
  Model& model_;
  double waited_s_ = 0;
};

Score evaluate(rondo::Communicator& comm, const Model& model, const Images& images) {
  const Shard mine = shard_of(images.count(), comm.rank(), comm.size());
  return add_over_ranks(comm, model.evaluate(images, mine.first, mine.last));
}

void train(rondo::Communicator& comm, const TrainOptions& options, const Digits& digits) {
  Model model(options.hidden);
  Trainer trainer(comm, options, model);
  trainer.share_initial_model();

  std::ofstream losses;
  if (comm.rank() == 0) {
    std::printf("%d images, %d held out, %d ranks over %s, %d images a step\n",
                digits.train.count(), digits.held_out.count(), comm.size(),
                std::string(comm.transport()).c_str(), options.batch);
    if (!options.losses.empty()) {
      losses.open(options.losses);
      if (!losses) throw std::runtime_error("cannot write " + options.losses);
    }
  }
  const Clock::time_point start = Clock::now();
  for (int number = 1; number <= options.epochs; ++number) {
    const Clock::time_point epoch_start = Clock::now();
    const Score learned = trainer.epoch(digits.train, number);
    const double epoch_s = comm.allreduce_value(seconds_since(epoch_start), rondo::Op::max);
    const double waited = comm.allreduce_value(trainer.waited_s() / epoch_s, rondo::Op::avg);
    const Score held_out = evaluate(comm, model, digits.held_out);

    const double loss = learned.loss / learned.images;
    const double accuracy = held_out.correct / held_out.images;
    if (comm.rank() == 0) {
      std::printf(
          "epoch %3d  loss %.4f  held-out accuracy %5.2f %%  %7.0f images/s  "
          "waiting for communication %4.1f %%\n",
          number, loss, 100 * accuracy, learned.images / epoch_s, 100 * waited);
      std::fflush(stdout);
      if (losses.is_open()) losses << number << " " << loss << " " << accuracy << "\n";
    }
  }
  if (comm.rank() == 0) {
    std::printf("trained in %.1f s\n", seconds_since(start));
    if (losses.is_open() && !losses.flush()) {
      throw std::runtime_error("cannot write " + options.losses);
    }
    if (!options.save.empty()) {
      model.save(options.save);
      std::printf("saved the model to %s\n", options.save.c_str());
    }
  }
}

void score_saved(rondo::Communicator& comm, const TrainOptions& options, const Digits& digits) {
  const Model model = Model::load(options.evaluate);
  const Score score = evaluate(comm, model, digits.held_out);
  if (comm.rank() == 0) {
    std::printf("held-out accuracy %.2f %% of %.0f images, loss %.4f\n",
                100 * score.correct / score.images, score.images, score.loss / score.images);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const TrainOptions options = parse_options(argc, argv);
    if (options.help) {
      std::fputs(usage, stdout);
      return 0;
    }
    const Digits digits = load_digits(options.data);
    rondo::Communicator comm = rondo::Communicator::from_env();
    if (options.evaluate.empty()) {
      train(comm, options, digits);
    } else {
      score_saved(comm, options, digits);
    }
  } catch (const std::exception& error) {  // a rondo::Error, too
    std::fprintf(stderr, "train_digits: %s\n", error.what());
    return 1;
  }
  return 0;
}
