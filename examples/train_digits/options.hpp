#pragma once

#include <string>

struct TrainOptions {
  int epochs = 20;
  int batch = 128;  ///< images of all ranks together
  int hidden = 256;
  float learning_rate = 0.1f;
  unsigned seed = 1;
  std::string data;
  std::string save;      ///< where to write the model; empty: nowhere
  std::string evaluate;  ///< a saved model to score instead of training; empty: train
  std::string losses;    ///< where to write a line an epoch for other programs; empty: nowhere
  bool help = false;
};

extern const char* const usage;

/// Throws std::runtime_error that names the option and what would be right.
TrainOptions parse_options(int argc, char** argv);
