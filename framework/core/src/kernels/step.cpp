// Work of a training step besides the network: the point of the path, the error and its gradient,
// the sums of the loss, the optimizer. Each is one pass in float32 on a CPU; elsewhere it is
// LibTorch's own operations.
//
// No static state: host and plugins each have a copy.

#include "backward.h"
#include "destination.h"
#include "rows.h"
#include "shim.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adamw.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

using at::Tensor;

namespace {

bool plain_float(const Tensor& t) {
  return !traced() && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous();
}

bool recorded(const Tensor& t) { return t.requires_grad() && at::GradMode::is_enabled(); }

// A number for each row, [rows], or one for all rows.
struct PerRow {
  const float* many = nullptr;
  float one = 0.0f;

  // False if `t` has another shape, device or precision, or requires gradients.
  bool read(const Tensor& t, int64_t rows) {
    if (!t.device().is_cpu() || recorded(t)) return false;
    // A [1] in another precision would change the precision of the result.
    if (t.numel() == 1 && (t.dim() == 0 || t.scalar_type() == at::kFloat)) {
      one = t.item<float>();
      return true;
    }
    many = plain_float(t) && t.numel() == rows ? t.const_data_ptr<float>() : nullptr;
    return many;
  }
  float at(int64_t i) const { return many ? many[i] : one; }
};

// Reshapes [rows] or [] to [rows, 1, …], to multiply rows of `like`.
Tensor beside(const Tensor& t, const Tensor& like) {
  std::vector<int64_t> shape(like.dim(), 1);
  if (t.dim() == 1 && like.dim() > 0) shape[0] = t.size(0);
  return t.reshape(shape);
}

Tensor blended(const Tensor& a, const Tensor& x, const Tensor& b, const Tensor& y) {
  PerRow of_x, of_y;
  const bool fast = x.dim() > 0 && plain_float(x) && plain_float(y) && x.sizes() == y.sizes() && !recorded(x) &&
      !recorded(y) && of_x.read(a, x.size(0)) && of_y.read(b, x.size(0)) && x.numel() > 0;
  if (!fast) return beside(a, x) * x + beside(b, y) * y;
  const Tensor result = at::empty_like(x);
  const int64_t rows = x.size(0), n = x.numel() / rows;
  const float *px = x.const_data_ptr<float>(), *py = y.const_data_ptr<float>();
  float* to = result.data_ptr<float>();
  for (int64_t i = 0; i < rows; ++i)
    rows_kernels().blend(to + i * n, of_x.at(i), px + i * n, of_y.at(i), py + i * n, n);
  return result;
}

Tensor plain_error(const Tensor& output, const Tensor& target, const Tensor& weight, bool mean) {
  Tensor squares = (output - target).square().flatten(1);
  squares = mean ? squares.mean(1) : squares.sum(1);
  return weight.defined() ? (squares * weight).mean() : squares.mean();
}

// Mean over rows of weight·|output − target|², where the entries of a row are averaged or summed;
// differentiable in the output.
struct Error : torch::autograd::Node {
  torch::autograd::SavedVariable output, target, weight;
  // Gradient with respect to the output, for a gradient 1 of the loss.
  Tensor slope;
  bool mean;

  static Tensor forward(const Tensor& output, const Tensor& target, const Tensor& weight, bool mean) {
    const int64_t rows = output.size(0), n = output.numel() / rows;
    PerRow weights;
    weights.one = 1.0f;
    if (weight.defined()) weights.read(weight, rows);
    const auto options = output.options().requires_grad(false);
    const Tensor slope = at::empty(output.sizes(), options);
    float* to = slope.data_ptr<float>();
    const float *from = output.const_data_ptr<float>(), *aim = target.const_data_ptr<float>();
    const double share = 1.0 / (mean ? static_cast<double>(rows * n) : static_cast<double>(rows));
    double all = 0.0;
    for (int64_t i = 0; i < rows; ++i) {
      const float w = weights.at(i) * static_cast<float>(share);
      all += static_cast<double>(w) * rows_kernels().error(to + i * n, from + i * n, aim + i * n, 2.0f * w, n);
    }
    Tensor loss = at::empty({}, options);
    *loss.data_ptr<float>() = static_cast<float>(all);
    if (!recorded(output)) return loss;
    const std::shared_ptr<Error> node(new Error(), torch::autograd::deleteNode);
    node->output = {output, false};
    node->target = {target, false};
    node->weight = {weight, false};
    node->slope = slope;
    node->mean = mean;
    node->set_next_edges(torch::autograd::collect_next_edges(output));
    torch::autograd::set_history(loss, node);
    return loss;
  }

  std::string name() const override { return "Error"; }

  void release_variables() override {
    for (auto* t : {&output, &target, &weight}) t->reset_data();
    slope.reset();
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    TORCH_CHECK(slope.defined(), "the gradient of an error was taken already, and what it needs is gone");
    const Tensor& g = gradients[0];
    if (!g.defined()) return {Tensor()};
    if (at::GradMode::is_enabled()) {
      const Tensor of = output.unpack(), again = plain_error(of, target.unpack(), weight.unpack(), mean);
      return {torch::autograd::grad({again}, {of}, {g}, true, true)[0]};
    }
    return {g.item<float>() == 1.0f ? slope : slope * g};
  }
};

Tensor error_of(const Tensor& output, const Tensor& target, const Tensor& weight, bool mean) {
  PerRow weights;
  const bool fast = output.dim() > 1 && output.numel() > 0 && plain_float(output) && plain_float(target) &&
      output.sizes() == target.sizes() && !recorded(target) &&
      (!weight.defined() || weights.read(weight, output.size(0)));
  return fast ? Error::forward(output, target, weight, mean) : plain_error(output, target, weight, mean);
}

Tensor or_undefined(const Tensor* t) { return t ? *t : Tensor(); }

// For larger angles float32 is less accurate than a thousandth.
constexpr float largest_angle = 8192.0f;

// Largest absolute value; NaN if an entry is NaN.
float largest(const Tensor& t) {
  const float* at = t.const_data_ptr<float>();
  float most = 0.0f;
  for (int64_t i = 0; i < t.numel(); ++i) {
    if (std::isnan(at[i])) return at[i];
    most = std::max(most, std::abs(at[i]));
  }
  return most;
}

Tensor sinusoids(const Tensor& time, const Tensor& frequencies) {
  const bool fast = plain_float(time) && plain_float(frequencies) && !recorded(time) && !recorded(frequencies) &&
      largest(time) * largest(frequencies) < largest_angle;
  if (!fast) {
    const Tensor angle = time.unsqueeze(-1) * frequencies;
    return at::cat({angle.sin(), angle.cos()}, -1);
  }
  const int64_t rows = time.size(0), n = frequencies.numel();
  const Tensor result = at::empty({rows, 2 * n}, time.options());
  for (int64_t i = 0; i < rows; ++i)
    rows_kernels().sinusoids(
        result.data_ptr<float>() + 2 * n * i, time.const_data_ptr<float>()[i], frequencies.const_data_ptr<float>(), n);
  return result;
}

// Sum of the squares of all entries, [] in float64. Blocks are summed in float32 and added in
// order, whatever the number of threads.
Tensor squares(const Tensor& t) {
  if (!plain_float(t)) {
    const Tensor all = t.reshape({-1});
    return all.dot(all).to(at::kDouble);
  }
  constexpr int64_t block = 4096;
  const int64_t n = t.numel(), blocks = (n + block - 1) / block;
  std::vector<double> sums(blocks);
  const float* from = t.const_data_ptr<float>();
  at::parallel_for(0, blocks, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[i] = rows_kernels().squares(from + i * block, std::min(block, n - i * block));
  });
  double all = 0.0;
  for (double sum : sums) all += sum;
  return at::full({}, all, t.options().dtype(at::kDouble));
}

}  // namespace

// Sum of the squares of all entries, [] in float64.
extern "C" Tensor* triflow_squares(const Tensor* t, char** error) {
  return guarded(error, [&] {
    at::NoGradGuard no_grad;
    return squares(*t);
  });
}

// Sines of time [rows] · frequencies [n], then the cosines: [rows, 2n].
extern "C" Tensor* triflow_sinusoids(const Tensor* time, const Tensor* frequencies, char** error) {
  return guarded(error, [&] { return sinusoids(*time, *frequencies); });
}

// a·x + b·y, with a and b [rows] or [].
extern "C" Tensor* triflow_blend(const Tensor* a, const Tensor* x, const Tensor* b, const Tensor* y, char** error) {
  return guarded(error, [&] { return blended(*a, *x, *b, *y); });
}

// Mean weighted squared error; `weight` is [rows], or null for 1.
extern "C" Tensor* triflow_error(
    const Tensor* output, const Tensor* target, const Tensor* weight, int mean, char** error) {
  return guarded(error, [&] { return error_of(*output, *target, or_undefined(weight), mean != 0); });
}

// Gradient of `loss` with respect to `count` variables, concatenated; 0 for those it does not
// depend on. `arrived`, or null, is called with the result and the number of a variable whose
// gradient is complete, once for each; what it returns is not 0 if the computation is to end.
extern "C" Tensor* triflow_gradient(
    const Tensor* loss, const Tensor* const* variables, int count,
    int (*arrived)(void* context, Tensor* result, int variable), void* context, char** error) {
  return guarded(error, [&] {
    std::vector<Tensor> learned;
    std::vector<int> numbers;
    Destination to(variables, count);
    Tensor flat = to.flat();
    const auto put = [&](int i, const Tensor& gradient) {
      to.put(i, gradient);
      TORCH_CHECK(!arrived || arrived(context, &flat, i) == 0, "who waits for the gradient has failed");
    };
    at::NoGradGuard no_grad;
    for (int i = 0; i < count; ++i) {
      if (!variables[i]->requires_grad()) {
        put(i, Tensor());
        continue;
      }
      learned.push_back(*variables[i]);
      numbers.push_back(i);
    }
    gradients(*loss, learned, [&](size_t i, const Tensor& gradient) { put(numbers[i], gradient); });
    return flat;
  });
}

// sums[i] += weight·terms[i], NaN for a null term, and sums[count] += weight; `sums` is [count + 1]
// in float64. Returns `sums`.
extern "C" Tensor* triflow_accumulate(
    const Tensor* sums, const Tensor* const* terms, int count, double weight, char** error) {
  return guarded(error, [&] {
    at::NoGradGuard no_grad;
    const double missing = std::numeric_limits<double>::quiet_NaN();
    if (sums->device().is_cpu()) {
      double* to = sums->data_ptr<double>();
      for (int i = 0; i < count; ++i) to[i] += weight * (terms[i] ? terms[i]->item<double>() : missing);
      to[count] += weight;
      return *sums;
    }
    std::vector<Tensor> all;
    const auto options = sums->options();
    for (int i = 0; i < count; ++i)
      all.push_back(terms[i] ? terms[i]->to(at::kDouble).reshape({}) : at::full({}, missing, options));
    all.push_back(at::ones({}, options));
    return sums->add_(at::stack(all), weight);
  });
}

// One step of Adam in place; `step`, counted from 1, and `rate` are []. Returns `parameters`.
extern "C" Tensor* triflow_adam(
    const Tensor* parameters, const Tensor* gradient, const Tensor* mean, const Tensor* square, const Tensor* step,
    const Tensor* rate, double beta1, double beta2, double eps, double decay, char** error) {
  return guarded(error, [&] {
    const std::vector<Tensor> p{*parameters}, g{*gradient}, m{*mean}, v{*square}, none;
    // LibTorch needs both in float32; on a CPU it reads the rate in any precision.
    const std::vector<Tensor> steps{step->to(at::kFloat)};
    const Tensor by = rate->is_cpu() ? *rate : rate->to(at::kFloat);
    at::_fused_adamw_(p, g, m, v, none, steps, by, beta1, beta2, decay, eps, false, false);
    return *parameters;
  });
}

extern "C" void triflow_keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

extern "C" void triflow_free(char* message) { std::free(message); }
