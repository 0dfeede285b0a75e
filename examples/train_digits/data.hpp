#pragma once

#include <span>
#include <string>
#include <vector>

constexpr int image_pixels = 64;
constexpr int classes = 10;

/// Images of handwritten digits with their classes.
struct Images {
  std::vector<float> pixels;  ///< image_pixels values of 0..1 an image
  std::vector<int> labels;    ///< 0..9

  int count() const { return static_cast<int>(labels.size()); }
  std::span<const float> image(int index) const {
    return std::span(pixels).subspan(static_cast<std::size_t>(index) * image_pixels, image_pixels);
  }
};

struct Digits {
  Images train;
  Images held_out;  ///< every fifth image; never trained on
};

/// Throws std::runtime_error that names the file and the line.
Digits load_digits(const std::string& path);

/// The part [first, last) of `count` things that belongs to `rank`; the parts cover all things
/// once, and differ by one at most.
struct Shard {
  int first;
  int last;
};
constexpr Shard shard_of(int count, int rank, int ranks) {
  const auto cut = [&](int part) { return static_cast<int>(1LL * count * part / ranks); };
  return {cut(rank), cut(rank + 1)};
}
