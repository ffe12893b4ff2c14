// Group norm, scale and shift of each channel, and swish, as one operation over images whose channels
// lie side by side (channels last). An image stays in the cache between the passes over it; mean and
// deviation of each group are kept for the backward pass.
//
// No static state: host and plugins each have a copy.

#include "backward.h"
#include "channels.h"
#include "shim.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

using at::Tensor;

namespace {

constexpr double eps = 1e-5;

// `x` [batch, channels, …], normalised by groups of channels, times `weight` plus `bias`
// [channels]; then scaled and shifted by `modulation` [batch, 2·channels], scales minus 1 before
// shifts, or undefined; then swish.
struct GroupNorm {
  Tensor x, weight, bias, modulation;
  int64_t groups;
  bool swish;

  int64_t batch() const { return x.size(0); }
  int64_t channels() const { return x.size(1); }
  int64_t pixels() const { return x.numel() / (batch() * channels()); }
  int64_t width() const { return channels() / groups; }  // channels of a group
};

Tensor plain_norm(const GroupNorm& of) {
  Tensor y = at::group_norm(of.x, of.groups, of.weight, of.bias, eps, false);
  if (of.modulation.defined()) {
    std::vector<int64_t> shape(of.x.dim(), 1);
    shape[0] = of.batch();
    shape[1] = 2 * of.channels();
    const std::vector<Tensor> both = of.modulation.reshape(shape).chunk(2, 1);
    y = y * (both[0] + 1.0) + both[1];
  }
  return of.swish ? at::silu(y) : y;
}

bool dense_floats(const Tensor& t, int64_t n) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.dim() == 1 && t.size(0) == n;
}

bool float_or_half(const Tensor& t) {
  return t.device().is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
}

bool has_fast_norm(const GroupNorm& of) {
  const Tensor &x = of.x, &m = of.modulation;
  if (traced() || !float_or_half(x) || x.dim() != 4) return false;
  if (!x.is_contiguous(at::MemoryFormat::ChannelsLast)) return false;
  if (x.numel() == 0 || of.groups < 1 || of.channels() % of.groups != 0) return false;
  if (!dense_floats(of.weight, of.channels()) || !dense_floats(of.bias, of.channels())) return false;
  return !m.defined() ||
      (float_or_half(m) && m.dim() == 2 && m.size(0) == of.batch() && m.size(1) == 2 * of.channels());
}

Tensor as_floats(const Tensor& t) { return t.defined() ? t.detach().to(at::kFloat).contiguous() : t; }

template <typename T>
const ChannelsOf<T>& kernels_of() {
  if constexpr (std::is_same_v<T, float>)
    return channels_kernels().full;
  else
    return channels_kernels().half;
}

// A group norm whose parts are read in place; entries are T.
template <typename T>
class Images {
  const GroupNorm& of;
  const Tensor modulation;
  const ChannelsOf<T>& kernels = kernels_of<T>();
  const int64_t n, width, pixels;
  // Pixels whose sums are in float before they are added in double.
  static constexpr int64_t block = 1024;

  // Numbers of the channels of one image.
  struct PerChannel {
    std::vector<float> mean, a, b, c, sums, products;
    explicit PerChannel(int64_t n) : mean(n), a(n), b(n), c(n), sums(n), products(n) {}
  };

  static const T* reading(const Tensor& t) { return static_cast<const T*>(t.const_data_ptr()); }
  T* image(const Tensor& t, int64_t i) const { return static_cast<T*>(t.data_ptr()) + i * n * pixels; }
  const T* image_of(const Tensor& t, int64_t i) const { return reading(t) + i * n * pixels; }

  float scale(int64_t i, int64_t c) const {
    return modulation.defined() ? 1.0f + modulation.const_data_ptr<float>()[2 * i * n + c] : 1.0f;
  }
  // Factor and summand of a channel after the norm.
  float factor(int64_t i, int64_t c) const { return scale(i, c) * of.weight.const_data_ptr<float>()[c]; }
  float summand(int64_t i, int64_t c) const {
    const float shift = modulation.defined() ? modulation.const_data_ptr<float>()[(2 * i + 1) * n + c] : 0.0f;
    return scale(i, c) * of.bias.const_data_ptr<float>()[c] + shift;
  }

  // Calls f(group, mean over the group of what `of_channel` is summed to) for each.
  template <typename F, typename G>
  void each_mean(const F& of_channel, const G& f) const {
    for (int64_t g = 0; g < of.groups; ++g) {
      double all = 0.0;
      for (int64_t c = g * width; c < (g + 1) * width; ++c) all += of_channel(c);
      f(g, all / static_cast<double>(width * pixels));
    }
  }

  void spread(std::vector<float>& to, int64_t g, float value) const {
    std::fill_n(to.begin() + g * width, width, value);
  }

  // Sets mean, and mean and inverse deviation of each group in `kept` [groups, 2]. The variance is
  // summed about the mean, in a second pass, so that it is not lost where the mean is large.
  void measure(const T* x, PerChannel& at, float* kept) const {
    std::vector<double> sums(n), squares(n);
    const auto pass = [&] {
      std::fill(sums.begin(), sums.end(), 0.0);
      std::fill(squares.begin(), squares.end(), 0.0);
      for (int64_t p = 0; p < pixels; p += block) {
        kernels.moments(
            at.sums.data(), at.products.data(), x + p * n, at.mean.data(), std::min(block, pixels - p), n);
        for (int64_t c = 0; c < n; ++c) {
          sums[c] += at.sums[c];
          squares[c] += at.products[c];
        }
      }
    };
    std::fill(at.mean.begin(), at.mean.end(), 0.0f);
    pass();
    each_mean([&](int64_t c) { return sums[c]; }, [&](int64_t g, double mean) {
      kept[2 * g] = static_cast<float>(mean);
      spread(at.mean, g, kept[2 * g]);
    });
    pass();
    each_mean([&](int64_t c) { return squares[c]; }, [&](int64_t g, double variance) {
      kept[2 * g + 1] = static_cast<float>(1.0 / std::sqrt(variance + eps));
    });
  }

  // Sets mean, a and b, with which the channels are a·x + b after norm and modulation.
  void prepare(int64_t i, PerChannel& at, const float* kept) const {
    for (int64_t c = 0; c < n; ++c) {
      const float* group = kept + 2 * (c / width);
      at.mean[c] = group[0];
      at.a[c] = factor(i, c) * group[1];
      at.b[c] = summand(i, c) - at.mean[c] * at.a[c];
    }
  }

  template <typename F>
  void each_image(const F& f) const {
    at::parallel_for(0, of.batch(), std::max<int64_t>(1, 16'384 / (n * pixels)), [&](int64_t from, int64_t to) {
      PerChannel at(n);
      for (int64_t i = from; i < to; ++i) f(i, at);
    });
  }

 public:
  explicit Images(const GroupNorm& of)
      : of(of), modulation(as_floats(of.modulation)), n(of.channels()), width(n / of.groups), pixels(of.pixels()) {}

  // The output; `kept` [batch, groups, 2] becomes the mean and the inverse deviation of each group.
  Tensor forward(float* kept) const {
    const auto act = of.swish ? kernels.swish : kernels.linear;
    const Tensor y = at::empty_like(of.x, of.x.options().requires_grad(false));
    each_image([&](int64_t i, PerChannel& at) {
      float* moments = kept + 2 * of.groups * i;
      measure(image_of(of.x, i), at, moments);
      prepare(i, at, moments);
      act(image(y, i), image_of(of.x, i), at.a.data(), at.b.data(), pixels, n);
    });
    return y;
  }

  // The gradient of x for that of the output, `g`; `sums` and `products` [batch, channels] become
  // the sums of the gradient before the activation, and of its products with the normalised x.
  Tensor backward(const Tensor& g, const float* kept, float* sums, float* products) const {
    const auto act = of.swish ? kernels.swish_slope : kernels.linear_slope;
    const Tensor result = at::empty_like(of.x, of.x.options().requires_grad(false));
    each_image([&](int64_t i, PerChannel& at) {
      const float* moments = kept + 2 * of.groups * i;
      const T* x = image_of(of.x, i);
      float *sum = sums + i * n, *product = products + i * n;
      prepare(i, at, moments);
      const std::unique_ptr<float[]> before(new float[n * pixels]);
      act(before.get(), sum, product, image_of(g, i), x, at.a.data(), at.b.data(), at.mean.data(), pixels, n);
      for (int64_t c = 0; c < n; ++c) product[c] *= moments[2 * (c / width) + 1];
      // What the gradient loses by the mean and by the variance of the group.
      each_mean([&](int64_t c) { return double(factor(i, c)) * sum[c]; }, [&](int64_t group, double mean) {
        spread(at.c, group, static_cast<float>(-mean * moments[2 * group + 1]));
      });
      each_mean([&](int64_t c) { return double(factor(i, c)) * product[c]; }, [&](int64_t group, double mean) {
        const double rstd = moments[2 * group + 1];
        spread(at.b, group, static_cast<float>(-mean * rstd * rstd));
      });
      kernels.combine(
          image(result, i), before.get(), x, at.a.data(), at.b.data(), at.mean.data(), at.c.data(), pixels, n);
    });
    return result;
  }
};

Tensor normed(const GroupNorm& of, float* kept) {
  return of.x.scalar_type() == at::kFloat ? Images<float>(of).forward(kept) : Images<uint16_t>(of).forward(kept);
}

Tensor moments_of(const GroupNorm& of) {
  return at::empty({of.batch(), of.groups, 2}, of.weight.options().requires_grad(false));
}

// The node of a group norm in autograd's graph.
struct Normalize : torch::autograd::Node {
  // x, weight, bias, modulation.
  std::vector<torch::autograd::SavedVariable> saved;
  Tensor kept;
  int64_t groups;
  bool swish;

  static Tensor forward(const GroupNorm& of) {
    const std::shared_ptr<Normalize> node(new Normalize(), torch::autograd::deleteNode);
    const std::vector<Tensor> all{of.x, of.weight, of.bias, of.modulation};
    for (const Tensor& t : all) node->saved.emplace_back(t, false);
    node->groups = of.groups;
    node->swish = of.swish;
    node->set_next_edges(torch::autograd::collect_next_edges(all));
    node->kept = moments_of(of);
    const Tensor result = [&] {
      at::AutoDispatchBelowAutograd below;
      return normed(of, node->kept.data_ptr<float>());
    }();
    torch::autograd::set_history(result, node);
    return result;
  }

  std::string name() const override { return "Normalize"; }

  void release_variables() override {
    for (auto& t : saved) t.reset_data();
    kept.reset();
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    TORCH_CHECK(kept.defined(), "the gradient of a group norm was taken already, and what it needs is gone");
    std::vector<Tensor> all;
    for (const auto& t : saved) all.push_back(t.unpack());
    const GroupNorm of{all[0], all[1], all[2], all[3], groups, swish};
    torch::autograd::variable_list result(all.size());
    if (!gradients[0].defined()) return result;
    if (at::GradMode::is_enabled()) return recorded_gradients(*this, plain_norm(of), all, gradients[0]);
    const Tensor g = gradients[0].to(of.x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t n = of.channels();
    // The gradients of summand and factor of each channel of each image.
    const Tensor both = at::empty({2, of.batch(), n}, of.weight.options().requires_grad(false));
    const Tensor summand = both[0], factor = both[1];
    float *sums = summand.data_ptr<float>(), *products = factor.data_ptr<float>();
    const float* moments = kept.const_data_ptr<float>();
    result[0] = of.x.scalar_type() == at::kFloat ? Images<float>(of).backward(g, moments, sums, products)
                                                 : Images<uint16_t>(of).backward(g, moments, sums, products);
    if (!of.modulation.defined()) {
      result[1] = factor.sum(0);
      result[2] = summand.sum(0);
      return result;
    }
    const Tensor scale = of.modulation.slice(1, 0, n).to(at::kFloat) + 1.0;
    result[1] = (factor * scale).sum(0);
    result[2] = (summand * scale).sum(0);
    result[3] = at::cat({factor * of.weight + summand * of.bias, summand}, 1).to(of.modulation.scalar_type());
    return result;
  }
};

}  // namespace

// Group norm of `x`; `modulation` may be null, `swish` is 0 or 1.
extern "C" Tensor* triflow_group_norm(
    const Tensor* x, int64_t groups, const Tensor* weight, const Tensor* bias, const Tensor* modulation, int swish,
    char** error) {
  return guarded(error, [&] {
    const GroupNorm of{*x, *weight, *bias, modulation ? *modulation : Tensor(), groups, swish != 0};
    if (!has_fast_norm(of)) return plain_norm(of);
    const auto learned = [](const Tensor& t) { return t.defined() && t.requires_grad(); };
    const bool recorded = at::GradMode::is_enabled() &&
        (learned(of.x) || learned(of.weight) || learned(of.bias) || learned(of.modulation));
    return recorded ? Normalize::forward(of) : normed(of, moments_of(of).data_ptr<float>());
  });
}
