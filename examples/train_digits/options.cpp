#include "options.hpp"

#include <charconv>
#include <filesystem>
#include <stdexcept>
#include <string_view>

const char* const usage =
    "usage: train_digits [options]        alone, or on N ranks: rondo run -n N train_digits …\n"
    "\n"
    "Trains a neural network on handwritten digits, every rank on its share of each batch.\n"
    "train_digits_gpu, which is built where nvcc is found, does so on GPUs.\n"
    "\n"
    "  --epochs N          passes over the training images (20)\n"
    "  --batch N           images a step, of all ranks together (128)\n"
    "  --hidden N          width of the two hidden layers (256)\n"
    "  --learning-rate X   (0.1)\n"
    "  --seed N            of the initial weights and of the order of images (1)\n"
    "  --data FILE         the images (those installed with this program)\n"
    "  --save FILE         write the trained model\n"
    "  --evaluate FILE     score a saved model on the held-out images, and don't train\n"
    "  --losses FILE       write epoch, loss and accuracy, one line an epoch\n"
    "  --help              print this text\n";

namespace {

template <class T>
T parse_number(std::string_view option, std::string_view text, T lowest, T highest) {
  T value = {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= lowest) ||
      !(value <= highest)) {
    throw std::runtime_error(std::string(option) + " " + std::string(text) +
                             ": expected a number from " + std::to_string(lowest) + " to " +
                             std::to_string(highest));
  }
  return value;
}

// Where `meson install` puts the images, seen from the program; else where they lie in the sources.
std::string installed_data() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto installed = program.parent_path() / ".." / "share" / "rondo" / "digits.csv";
  return std::filesystem::exists(installed, error) ? installed.lexically_normal().string()
                                                   : DIGITS_CSV;
}

}  // namespace

TrainOptions parse_options(int argc, char** argv) {
  TrainOptions options;
  options.data = installed_data();
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--help" || option == "-h") {
      options.help = true;
      return options;
    }
    const auto value = [&]() -> std::string_view {
      if (++i == argc) throw std::runtime_error(std::string(option) + " needs a value");
      return argv[i];
    };
    if (option == "--epochs") {
      options.epochs = parse_number(option, value(), 1, 100000);
    } else if (option == "--batch") {
      options.batch = parse_number(option, value(), 1, 100000);
    } else if (option == "--hidden") {
      options.hidden = parse_number(option, value(), 1, 16384);
    } else if (option == "--learning-rate") {
      options.learning_rate = parse_number(option, value(), 1e-6f, 10.0f);
    } else if (option == "--seed") {
      options.seed = parse_number(option, value(), 0u, ~0u);
    } else if (option == "--data") {
      options.data = value();
    } else if (option == "--save") {
      options.save = value();
    } else if (option == "--evaluate") {
      options.evaluate = value();
    } else if (option == "--losses") {
      options.losses = value();
    } else {
      throw std::runtime_error("unknown option " + std::string(option) + "; see --help");
    }
  }
  return options;
}
