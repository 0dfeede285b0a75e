#pragma once

// What the example does wherever a rank computes: the data, the order of the images, the epochs and
// what is printed of them.

#include <rondo/rondo.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "data.hpp"
#include "model.hpp"
#include "options.hpp"

/// Learns on one rank. All ranks make the same calls.
class Learner {
 public:
  virtual ~Learner() = default;

  /// Learns from this rank's share of a batch of all ranks, and from the others' gradients of it.
  virtual void step(std::span<const int> batch, Shard mine) = 0;
  /// When all steps are done and the model has what they learned: what they found on this rank.
  virtual Score finish() = 0;
  /// Of the steps before the last finish(): how long this rank stood still for communication.
  virtual std::optional<double> waited_s() const { return std::nullopt; }
};

/// Begins with the parameters of the model, which all ranks have alike.
using MakeLearner = std::function<std::unique_ptr<Learner>(
    rondo::Communicator& comm, const TrainOptions& options, const Images& images, Model& model)>;

/// The main function of the program. Returns its exit code.
int run_training(int argc, char** argv, const MakeLearner& make_learner);
