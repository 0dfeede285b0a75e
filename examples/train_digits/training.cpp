#include "training.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>
#include <stdexcept>

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

// Rank 0 draws the weights, and the others take them over.
void share_initial_model(rondo::Communicator& comm, const TrainOptions& options, Model& model) {
  if (comm.rank() == 0) model.initialize(options.seed);
  for (Layer& layer : model.layers()) comm.broadcast(layer.parameters, 0);
}

// One pass over the images, in an order that depends on seed and epoch and is alike on all ranks.
Score run_epoch(rondo::Communicator& comm, const TrainOptions& options, int images, int number,
                Learner& learner) {
  std::vector<int> order(static_cast<std::size_t>(images));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(),
               std::mt19937(options.seed * 7919 + static_cast<unsigned>(number)));
  for (int first = 0; first < images; first += options.batch) {
    const int count = std::min(options.batch, images - first);
    learner.step(std::span(order).subspan(first, count), shard_of(count, comm.rank(), comm.size()));
  }
  return add_over_ranks(comm, learner.finish());
}

Score evaluate(rondo::Communicator& comm, const Model& model, const Images& images) {
  const Shard mine = shard_of(images.count(), comm.rank(), comm.size());
  return add_over_ranks(comm, model.evaluate(images, mine.first, mine.last));
}

void train(rondo::Communicator& comm, const TrainOptions& options, const Digits& digits,
           const MakeLearner& make_learner) {
  Model model(options.hidden);
  share_initial_model(comm, options, model);
  const std::unique_ptr<Learner> learner = make_learner(comm, options, digits.train, model);

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
    const Score learned = run_epoch(comm, options, digits.train.count(), number, *learner);
    const double epoch_s = comm.allreduce_value(seconds_since(epoch_start), rondo::Op::max);
    const double waited_s = learner->waited_s().value_or(0);
    const double waited = comm.allreduce_value(waited_s / epoch_s, rondo::Op::avg);
    const Score held_out = evaluate(comm, model, digits.held_out);

    const double loss = learned.loss / learned.images;
    const double accuracy = held_out.correct / held_out.images;
    if (comm.rank() == 0) {
      std::printf("epoch %3d  loss %.4f  held-out accuracy %5.2f %%  %7.0f images/s", number, loss,
                  100 * accuracy, learned.images / epoch_s);
      if (learner->waited_s()) std::printf("  waiting for communication %4.1f %%", 100 * waited);
      std::printf("\n");
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

int run_training(int argc, char** argv, const MakeLearner& make_learner) {
  try {
    const TrainOptions options = parse_options(argc, argv);
    if (options.help) {
      std::fputs(usage, stdout);
      return 0;
    }
    const Digits digits = load_digits(options.data);
    rondo::Communicator comm = rondo::Communicator::from_env();
    if (options.evaluate.empty()) {
      train(comm, options, digits, make_learner);
    } else {
      score_saved(comm, options, digits);
    }
  } catch (const std::exception& error) {  // a rondo::Error, too
    std::fprintf(stderr, "train_digits: %s\n", error.what());
    return 1;
  }
  return 0;
}
