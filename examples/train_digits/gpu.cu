// The same training on GPUs: a step is work for two streams, and the host waits for none of it
// before the end of an epoch. One stream computes. In the other one, each layer's gradient is added
// to those of the other ranks as soon as it is complete.

#include <rondo/cuda.hpp>

#include <memory>
#include <span>
#include <vector>

#include "elements.hpp"
#include "gpu.cuh"
#include "training.hpp"

namespace {

__global__ void load_images(const float* pixels, const int* indices, int images, float* rows) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= images * image_pixels) return;
  rows[i] = pixels[indices[i / image_pixels] * image_pixels + i % image_pixels];
}

__global__ void forward(LayerShape layer, const float* parameters, const float* inputs, int images,
                        bool is_rectified, float* outputs) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= images * layer.outputs) return;
  const int image = i / layer.outputs;
  outputs[i] =
      output_of(layer, parameters, inputs + image * layer.inputs, i % layer.outputs, is_rectified);
}

__global__ void score(const int* labels, const int* indices, int images, float* logits,
                      Score* sums) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= images) return;
  const ImageScore found = score_logits(logits + i * classes, labels[indices[i]]);
  atomicAdd(&sums->loss, found.loss);
  atomicAdd(&sums->correct, found.correct ? 1 : 0);
  atomicAdd(&sums->images, 1);
}

__global__ void add_up_gradient(LayerShape layer, const float* inputs, const float* deltas,
                                int images, float* gradient) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (layer.inputs + 1) * layer.outputs) return;
  gradient[i] = gradient_of(layer, inputs, deltas, images, i / layer.outputs, i % layer.outputs);
}

// `inputs` are replaced by the gradients by them.
__global__ void backward(LayerShape layer, const float* parameters, const float* deltas, int images,
                         float* inputs) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= images * layer.inputs) return;
  const float* delta = deltas + i / layer.inputs * layer.outputs;
  inputs[i] = gradient_by_input(layer, parameters, delta, inputs[i], i % layer.inputs);
}

__global__ void descend_all(int count, const float* gradient, float learning_rate, float scale,
                            float* parameters, float* velocity) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) descend(parameters[i], velocity[i], gradient[i], learning_rate, scale);
}

/// A thread for each of `count` elements, of which there may be none.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), std::size_t count, cudaStream_t stream,
            const Arguments&... arguments) {
  constexpr unsigned threads = 128;
  if (count == 0) return;
  kernel<<<static_cast<unsigned>((count + threads - 1) / threads), threads, 0, stream>>>(
      arguments...);
  gpu::check("a kernel", cudaGetLastError());
}

struct GpuLayer {
  GpuLayer(const Layer& layer, int batch)
      : shape{layer.inputs, layer.outputs},
        parameters(layer.parameters),
        velocity(layer.velocity),
        gradient(layer.gradient),
        outputs(static_cast<std::size_t>(batch) * layer.outputs) {}

  LayerShape shape;
  gpu::Buffer<float> parameters;
  gpu::Buffer<float> velocity;
  gpu::Buffer<float> gradient;
  gpu::Buffer<float> outputs;  ///< of each image, and later the gradients by them
  gpu::Event complete;         ///< the gradient
};

class GpuLearner final : public Learner {
 public:
  GpuLearner(rondo::Communicator& comm, const TrainOptions& options, const Images& images,
             Model& model)
      : comm_(comm),
        options_(options),
        model_(model),
        pixels_(images.pixels),
        labels_(images.labels),
        indices_(static_cast<std::size_t>(options.batch)),
        rows_(static_cast<std::size_t>(options.batch) * image_pixels),
        sums_(std::vector<Score>(1)) {
    for (const Layer& layer : model.layers()) {
      layers_.push_back(std::make_unique<GpuLayer>(layer, options.batch));
    }
  }

  void step(std::span<const int> batch, Shard mine) override {
    const std::span<const int> own = batch.subspan(mine.first, mine.last - mine.first);
    const int images = static_cast<int>(own.size());
    indices_.set(own, compute_);
    launch(load_images, own.size() * image_pixels, compute_, pixels_.data(), indices_.data(),
           images, rows_.data());
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      GpuLayer& layer = *layers_[l];
      launch(forward, own.size() * layer.shape.outputs, compute_, layer.shape,
             layer.parameters.data(), inputs_of(l), images, l + 1 < layers_.size(),
             layer.outputs.data());
    }
    launch(score, own.size(), compute_, labels_.data(), indices_.data(), images,
           layers_.back()->outputs.data(), sums_.data());
    for (std::size_t l = layers_.size(); l-- > 0;) learn(l, images);

    // The backward pass was the last to read the parameters.
    computed_.record(compute_);
    computed_.hold(communicate_);
    const float scale = 1.0f / static_cast<float>(batch.size());
    for (const auto& layer : layers_) {
      const std::size_t count = layer->parameters.size();
      launch(descend_all, count, communicate_, static_cast<int>(count), layer->gradient.data(),
             options_.learning_rate, scale, layer->parameters.data(), layer->velocity.data());
    }
    descended_.record(communicate_);
    descended_.hold(compute_);
  }

  Score finish() override {
    for (rondo::Work& sum : sums_of_ranks_) sum.wait();  // throws its error
    sums_of_ranks_.clear();
    communicate_.synchronize();
    compute_.synchronize();
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      layers_[l]->parameters.get(model_.layers()[l].parameters, compute_);
    }
    std::vector<Score> found(1);
    sums_.get(found, compute_);
    sums_.set(std::vector<Score>(1), compute_);
    return found[0];
  }

 private:
  float* inputs_of(std::size_t layer) {
    return layer == 0 ? rows_.data() : layers_[layer - 1]->outputs.data();
  }

  // Gradients are sums, divided by the size of the whole batch only after they have been added up:
  // ranks may have shares of different size, and none at all.
  void learn(std::size_t l, int images) {
    GpuLayer& layer = *layers_[l];
    launch(add_up_gradient, layer.gradient.size(), compute_, layer.shape, inputs_of(l),
           layer.outputs.data(), images, layer.gradient.data());
    layer.complete.record(compute_);
    layer.complete.hold(communicate_);
    sums_of_ranks_.push_back(
        comm_.allreduce(rondo::DeviceSpan<float>(layer.gradient.data(), layer.gradient.size()),
                        rondo::Op::sum, communicate_.get()));
    if (l == 0) return;
    launch(backward, static_cast<std::size_t>(images) * layer.shape.inputs, compute_, layer.shape,
           layer.parameters.data(), layer.outputs.data(), images, inputs_of(l));
  }

  rondo::Communicator& comm_;
  const TrainOptions& options_;
  Model& model_;
  gpu::Buffer<float> pixels_;
  gpu::Buffer<int> labels_;
  gpu::Buffer<int> indices_;  ///< of the images of a step
  gpu::Buffer<float> rows_;   ///< their pixels
  gpu::Buffer<Score> sums_;
  std::vector<std::unique_ptr<GpuLayer>> layers_;
  gpu::Event computed_;
  gpu::Event descended_;
  gpu::Stream compute_;
  gpu::Stream communicate_;
  std::vector<rondo::Work> sums_of_ranks_;  // the first to end: they wait for the streams
};

}  // namespace

int main(int argc, char** argv) {
  if (gpu::is_missing("train_digits_gpu")) return gpu::cannot_run;
  return run_training(argc, argv, [](auto& comm, auto& options, auto& images, auto& model) {
    gpu::choose_device(comm.rank());
    return std::make_unique<GpuLearner>(comm, options, images, model);
  });
}
