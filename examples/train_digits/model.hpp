#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data.hpp"

/// One fully connected layer: output = input * weights + bias.
struct Layer {
  Layer(int input_count, int output_count);

  int inputs;
  int outputs;
  /// The weights, a row of `outputs` for each input, and then the biases: one buffer, so that the
  /// gradient of a layer is one message.
  std::vector<float> parameters;
  std::vector<float> gradient;  ///< summed over images, not averaged
  std::vector<float> velocity;  ///< of gradient descent with momentum

  std::span<const float> row(int input) const {
    return std::span(parameters).subspan(static_cast<std::size_t>(input) * outputs, outputs);
  }
  std::span<const float> bias() const { return row(inputs); }
};

/// What a pass over images found, as sums, so that the ranks' scores can be added.
struct Score {
  double loss = 0;  ///< cross entropy
  double correct = 0;
  double images = 0;

  Score& operator+=(const Score& other) {
    loss += other.loss;
    correct += other.correct;
    images += other.images;
    return *this;
  }
};

/// A multi-layer perceptron with two hidden layers of rectified linear units.
class Model {
 public:
  explicit Model(int hidden);

  std::vector<Layer>& layers() { return layers_; }

  /// Random weights, scaled for rectified linear units (He et al. 2015).
  void initialize(unsigned seed);

  Score evaluate(const Images& images, int first, int last) const;

  /// Sets the gradients to the sums over images[indices]. Calls `gradient_ready` for each layer,
  /// the last one first, as soon as its gradient is complete.
  Score learn(const Images& images, std::span<const int> indices,
              const std::function<void(Layer&)>& gradient_ready);

  void save(const std::string& path) const;
  static Model load(const std::string& path);

 private:
  std::vector<Layer> layers_;
};

/// One step of gradient descent. `scale` turns the layer's gradient into the average.
void descend(Layer& layer, float learning_rate, float scale);
