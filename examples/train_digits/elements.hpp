#pragma once

// What is computed for one element, on the host and in kernels. A layer's parameters are a row of
// `outputs` weights for each input, and then the biases; images are rows.

#include <cmath>
#include <cstddef>

#include "data.hpp"

#ifdef __CUDACC__
#define ON_HOST_AND_DEVICE __host__ __device__
#else
#define ON_HOST_AND_DEVICE
#endif

struct LayerShape {
  int inputs;
  int outputs;
};

/// Output `o` of the layer, for one image.
ON_HOST_AND_DEVICE inline float output_of(LayerShape layer, const float* parameters,
                                          const float* input, int o, bool is_rectified) {
  const float* weights = parameters + o;
  float sum = weights[static_cast<std::size_t>(layer.inputs) * layer.outputs];
  for (int k = 0; k < layer.inputs; ++k) {
    sum += input[k] * weights[static_cast<std::size_t>(k) * layer.outputs];
  }
  return is_rectified && sum < 0 ? 0 : sum;
}

struct ImageScore {
  float loss;  ///< cross entropy
  bool correct;
};

/// Turns the logits of an image into the gradient of its cross entropy.
ON_HOST_AND_DEVICE inline ImageScore score_logits(float* logits, int label) {
  int best = 0;
  for (int c = 1; c < classes; ++c) best = logits[c] > logits[best] ? c : best;
  const float highest = logits[best];
  float sum = 0;
  for (int c = 0; c < classes; ++c) sum += logits[c] = std::exp(logits[c] - highest);
  for (int c = 0; c < classes; ++c) logits[c] /= sum;
  const float likelihood = logits[label] > 1e-30f ? logits[label] : 1e-30f;
  logits[label] -= 1;
  return {-std::log(likelihood), best == label};
}

/// The gradient by the weight from input `k`, or for `k` = inputs by the bias, to output `o`: the
/// sum over images. `deltas` are the gradients of the loss by the outputs.
ON_HOST_AND_DEVICE inline float gradient_of(LayerShape layer, const float* inputs,
                                            const float* deltas, int images, int k, int o) {
  float sum = 0;
  for (int i = 0; i < images; ++i) {
    const float delta = deltas[static_cast<std::size_t>(i) * layer.outputs + o];
    sum +=
        k < layer.inputs ? inputs[static_cast<std::size_t>(i) * layer.inputs + k] * delta : delta;
  }
  return sum;
}

/// The gradient of an image's loss by input `k`, which is `value`, of a layer behind another one. A
/// rectified unit at zero passes none.
ON_HOST_AND_DEVICE inline float gradient_by_input(LayerShape layer, const float* parameters,
                                                  const float* delta, float value, int k) {
  if (value == 0) return 0;
  const float* weights = parameters + static_cast<std::size_t>(k) * layer.outputs;
  float sum = 0;
  for (int o = 0; o < layer.outputs; ++o) sum += weights[o] * delta[o];
  return sum;
}

/// One step of gradient descent with momentum.
ON_HOST_AND_DEVICE inline void descend(float& parameter, float& velocity, float gradient,
                                       float learning_rate, float scale) {
  constexpr float momentum = 0.9f;
  velocity = momentum * velocity + scale * gradient;
  parameter -= learning_rate * velocity;
}
