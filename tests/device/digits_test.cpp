// What the kernels of the example train_digits_gpu compute, carried out on the host, against the
// processor's way to the same gradients.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "examples/train_digits/elements.hpp"
#include "examples/train_digits/model.hpp"

namespace {

Images random_images(int count) {
  std::mt19937 random(7);
  Images images;
  for (int i = 0; i < count * image_pixels; ++i) {
    images.pixels.push_back(static_cast<float>(random() % 17) / 16);
  }
  for (int i = 0; i < count; ++i) images.labels.push_back(static_cast<int>(random() % classes));
  return images;
}

LayerShape shape_of(const Layer& layer) {
  return {layer.inputs, layer.outputs};
}

struct Rows {
  int width;
  std::vector<float> values;
  float* row(int image) { return values.data() + image * width; }
};

// In the order of the kernels, for all images.
Score learn(Model& model, const Images& images) {
  std::vector<Layer>& layers = model.layers();
  std::vector<Rows> rows = {{image_pixels, images.pixels}};
  for (std::size_t l = 0; l < layers.size(); ++l) {
    Rows outputs{layers[l].outputs, {}};
    for (int i = 0; i < images.count(); ++i) {
      for (int o = 0; o < outputs.width; ++o) {
        outputs.values.push_back(output_of(shape_of(layers[l]), layers[l].parameters.data(),
                                           rows[l].row(i), o, l + 1 < layers.size()));
      }
    }
    rows.push_back(outputs);
  }
  Score score;
  for (int i = 0; i < images.count(); ++i) {
    const ImageScore found = score_logits(rows.back().row(i), images.labels[std::size_t(i)]);
    score += {found.loss, found.correct ? 1.0 : 0.0, 1};
  }
  for (std::size_t l = layers.size(); l-- > 0;) {
    const LayerShape shape = shape_of(layers[l]);
    for (int k = 0; k <= shape.inputs; ++k) {
      for (int o = 0; o < shape.outputs; ++o) {
        layers[l].gradient[std::size_t(k * shape.outputs + o)] = gradient_of(
            shape, rows[l].values.data(), rows[l + 1].values.data(), images.count(), k, o);
      }
    }
    for (int i = 0; l > 0 && i < images.count(); ++i) {
      for (int k = 0; k < shape.inputs; ++k) {
        float& input = rows[l].row(i)[k];
        input = gradient_by_input(shape, layers[l].parameters.data(), rows[l + 1].row(i), input, k);
      }
    }
  }
  return score;
}

TEST(DigitsOnDevices, HaveTheGradientsOfTheProcessor) {
  const Images images = random_images(9);
  Model model(24);
  model.initialize(3);
  std::vector<int> all(std::size_t(images.count()));
  std::iota(all.begin(), all.end(), 0);
  const Score expected = model.learn(images, all, [](Layer&) {});
  const std::vector<Layer> right = model.layers();
  for (Layer& layer : model.layers()) std::ranges::fill(layer.gradient, -1.0f);
  const Score found = learn(model, images);

  EXPECT_EQ(found.images, expected.images);
  EXPECT_EQ(found.correct, expected.correct);
  EXPECT_NEAR(found.loss, expected.loss, 1e-4);
  for (std::size_t l = 0; l < right.size(); ++l) {
    const std::vector<float>& gradient = model.layers()[l].gradient;
    float largest = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      ASSERT_NEAR(gradient[i], right[l].gradient[i], 1e-4) << "layer " << l << " element " << i;
      largest = std::max(largest, std::abs(gradient[i]));
    }
    EXPECT_GT(largest, 0.1f) << l;
  }
}

TEST(DigitsOnDevices, HaveNoGradientWithoutImages) {
  Model model(8);
  model.initialize(3);
  const Score found = learn(model, Images());
  EXPECT_EQ(found.images, 0);
  for (const Layer& layer : model.layers()) {
    for (const float gradient : layer.gradient) ASSERT_EQ(gradient, 0);
  }
}

}  // namespace
