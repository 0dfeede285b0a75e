#include "data.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace {

constexpr int held_out_every = 5;
constexpr int darkest = 16;

// The pixels and the class of one line; false when it is not such a line.
bool parse_line(const std::string& line, std::vector<int>& values) {
  values.clear();
  std::istringstream in(line);
  int value = 0;
  while (in >> value) {
    const bool is_class = values.size() == image_pixels;
    if (value < 0 || value > (is_class ? classes - 1 : darkest)) return false;
    values.push_back(value);
    in.ignore(1, ',');
  }
  return in.eof() && values.size() == image_pixels + 1;
}

}  // namespace

Digits load_digits(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path + "; name the data with --data");
  Digits digits;
  std::string line;
  std::vector<int> values;
  for (int number = 0; std::getline(file, line); ++number) {
    if (!parse_line(line, values)) {
      throw std::runtime_error(path + ":" + std::to_string(number + 1) +
                               ": not 64 pixels of 0..16 and a class of 0..9");
    }
    Images& images = number % held_out_every == 0 ? digits.held_out : digits.train;
    for (int pixel = 0; pixel < image_pixels; ++pixel) {
      images.pixels.push_back(static_cast<float>(values[pixel]) / darkest);
    }
    images.labels.push_back(values.back());
  }
  if (digits.train.count() == 0) throw std::runtime_error(path + " has no images to train on");
  return digits;
}
