#include "model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <random>
#include <stdexcept>

#include "elements.hpp"

namespace {

constexpr const char* file_mark = "train_digits-model";

// The activations of some images: a row for each image.
struct Rows {
  Rows(int count, int row_width)
      : width(row_width), values(static_cast<std::size_t>(count) * row_width) {}
  std::span<float> row(int index) {
    return std::span(values).subspan(static_cast<std::size_t>(index) * width, width);
  }
  std::span<const float> row(int index) const {
    return std::span(values).subspan(static_cast<std::size_t>(index) * width, width);
  }
  int width;
  std::vector<float> values;
};

// Several sums side by side: the compiler may not reorder one sum, but it can vectorise these.
float dot(std::span<const float> left, std::span<const float> right) {
  std::array<float, 16> sums = {};
  std::size_t i = 0;
  for (; i + sums.size() <= left.size(); i += sums.size()) {
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += left[i + k] * right[i + k];
  }
  float total = 0;
  for (const float sum : sums) total += sum;
  for (; i < left.size(); ++i) total += left[i] * right[i];
  return total;
}

void add_scaled(std::span<float> sum, std::span<const float> values, float scale) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += scale * values[i];
}

void forward(const Layer& layer, std::span<const float> input, std::span<float> output) {
  std::ranges::copy(layer.bias(), output.begin());
  for (int i = 0; i < layer.inputs; ++i) {
    if (input[i] != 0) add_scaled(output, layer.row(i), input[i]);
  }
}

void add_score(Score& score, const ImageScore& of_image) {
  score += {.loss = of_image.loss, .correct = of_image.correct ? 1.0 : 0.0, .images = 1};
}

void rectify(std::span<float> values) {
  for (float& value : values) value = std::max(value, 0.0f);
}

// `delta` is the gradient of the loss by the layer's outputs. The layer's gradient is added up, and
// `input`, which the layer had seen, is replaced by the gradient by the inputs.
void backward(Layer& layer, std::span<float> input, std::span<const float> delta) {
  const auto gradient_row = [&](int row) {
    return std::span(layer.gradient)
        .subspan(static_cast<std::size_t>(row) * layer.outputs, layer.outputs);
  };
  add_scaled(gradient_row(layer.inputs), delta, 1);
  for (int i = 0; i < layer.inputs; ++i) {
    if (input[i] == 0) continue;  // a rectified unit at zero neither passes values nor gradients
    add_scaled(gradient_row(i), delta, input[i]);
    input[i] = dot(layer.row(i), delta);
  }
}

}  // namespace

Layer::Layer(int input_count, int output_count)
    : inputs(input_count),
      outputs(output_count),
      parameters(static_cast<std::size_t>(inputs + 1) * outputs),
      gradient(parameters.size()),
      velocity(parameters.size()) {}

Model::Model(int hidden)
    : layers_{Layer(image_pixels, hidden), Layer(hidden, hidden), Layer(hidden, classes)} {}

void Model::initialize(unsigned seed) {
  std::mt19937 random(seed);
  for (Layer& layer : layers_) {
    std::normal_distribution<float> weight(0, std::sqrt(2.0f / static_cast<float>(layer.inputs)));
    const auto bias = layer.parameters.end() - layer.outputs;
    std::generate(layer.parameters.begin(), bias, [&] { return weight(random); });
    std::fill(bias, layer.parameters.end(), 0.0f);
  }
}

Score Model::evaluate(const Images& images, int first, int last) const {
  Score score;
  for (int image = first; image < last; ++image) {
    const std::span<const float> pixels = images.image(image);
    std::vector<float> input(pixels.begin(), pixels.end());
    for (const Layer& layer : layers_) {
      std::vector<float> output(layer.outputs);
      forward(layer, input, output);
      if (&layer != &layers_.back()) rectify(output);
      input = std::move(output);
    }
    add_score(score, score_logits(input.data(), images.labels[image]));
  }
  return score;
}

Score Model::learn(const Images& images, std::span<const int> indices,
                   const std::function<void(Layer&)>& gradient_ready) {
  const int count = static_cast<int>(indices.size());
  std::vector<Rows> activations = {Rows(count, image_pixels)};
  for (int i = 0; i < count; ++i) {
    std::ranges::copy(images.image(indices[i]), activations[0].row(i).begin());
  }
  for (const Layer& layer : layers_) {
    Rows outputs(count, layer.outputs);
    for (int i = 0; i < count; ++i) {
      forward(layer, activations.back().row(i), outputs.row(i));
      if (&layer != &layers_.back()) rectify(outputs.row(i));
    }
    activations.push_back(std::move(outputs));
  }

  Score score;
  for (int i = 0; i < count; ++i) {
    add_score(score, score_logits(activations.back().row(i).data(), images.labels[indices[i]]));
  }
  for (std::size_t l = layers_.size(); l-- > 0;) {
    Layer& layer = layers_[l];
    std::ranges::fill(layer.gradient, 0.0f);
    for (int i = 0; i < count; ++i) {
      backward(layer, activations[l].row(i), activations[l + 1].row(i));
    }
    gradient_ready(layer);
  }
  return score;
}

void descend(Layer& layer, float learning_rate, float scale) {
  for (std::size_t i = 0; i < layer.parameters.size(); ++i) {
    descend(layer.parameters[i], layer.velocity[i], layer.gradient[i], learning_rate, scale);
  }
}

// A line of text with the width of the hidden layers, then the parameters of all layers as float32.
void Model::save(const std::string& path) const {
  std::ofstream file(path, std::ios::binary);
  file << file_mark << " " << layers_[0].outputs << "\n";
  for (const Layer& layer : layers_) {
    file.write(reinterpret_cast<const char*>(layer.parameters.data()),
               static_cast<std::streamsize>(layer.parameters.size() * sizeof(float)));
  }
  file.close();
  if (!file) throw std::runtime_error("cannot write the model to " + path);
}

Model Model::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read the model " + path);
  std::string mark;
  int hidden = 0;
  if (!(file >> mark >> hidden) || mark != file_mark || hidden < 1 || file.get() != '\n') {
    throw std::runtime_error(path + " is not a model that this program has saved");
  }
  Model model(hidden);
  for (Layer& layer : model.layers_) {
    file.read(reinterpret_cast<char*>(layer.parameters.data()),
              static_cast<std::streamsize>(layer.parameters.size() * sizeof(float)));
  }
  if (!file) throw std::runtime_error(path + " is incomplete");
  return model;
}
