// Softmax attention as one operation. Forward and backward pass take each head of each row of the
// batch on one core, by blocks of queries whose weights stay in the cache; no matrix of all weights
// is kept. LibTorch's own attention on a CPU is made for long sequences: at some 64 tokens its
// backward pass spends most of its time on setting up small products.
//
// No static state: host and plugins each have a copy.

#include "backward.h"
#include "rows.h"
#include "shim.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

using at::Tensor;

namespace {

// Queries, keys and values, [batch, tokens, heads, features] each; keys and values may have another
// number of tokens than the queries. `bias` is added to the scores: undefined, or [batch or 1, heads
// or 1, queries or 1, keys].
struct Attention {
  Tensor q, k, v, bias;

  // `of`: the three, or one tensor [batch, tokens, 3, heads, features] of all.
  static Attention of(at::ArrayRef<Tensor> of, const Tensor& bias) {
    if (of.size() == 3) return {of[0], of[1], of[2], bias};
    return {of[0].select(2, 0), of[0].select(2, 1), of[0].select(2, 2), bias};
  }

  int64_t batch() const { return q.size(0); }
  int64_t heads() const { return q.size(2); }
  int64_t queries() const { return q.size(1); }
  int64_t keys() const { return k.size(1); }
  int64_t features() const { return q.size(3); }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(features())); }
  // Queries at a time: their weights fit in the second-level cache.
  int64_t block() const { return std::min(queries(), std::clamp<int64_t>(32'768 / keys(), 16, 256)); }
};

// Products and a softmax, the latter in float32 also where products are in bfloat16.
Tensor elementary_attention(const Attention& a) {
  const Tensor q = a.q.transpose(1, 2), k = a.k.transpose(1, 2), v = a.v.transpose(1, 2);
  Tensor scores = at::matmul(q * a.scale(), k.transpose(2, 3));
  if (a.bias.defined()) scores = scores + a.bias;
  return at::matmul(at::softmax(scores, -1), v).transpose(1, 2);
}

// LibTorch's own operations.
Tensor plain_attention(const Attention& a) {
  // On a CPU its attention in bfloat16 is slower than its products.
  if (a.q.is_cpu() && at::autocast::is_autocast_enabled(at::kCPU)) return elementary_attention(a);
  const std::optional<Tensor> bias = a.bias.defined() ? std::optional<Tensor>(a.bias) : std::nullopt;
  return at::scaled_dot_product_attention(a.q.transpose(1, 2), a.k.transpose(1, 2), a.v.transpose(1, 2), bias)
      .transpose(1, 2);
}

bool has_fast_attention(const Attention& a) {
  if (traced() || at::autocast::is_autocast_enabled(at::kCPU)) return false;
  for (const Tensor* t : {&a.q, &a.k, &a.v})
    if (!t->device().is_cpu() || t->scalar_type() != at::kFloat || t->layout() != at::kStrided || t->dim() != 4 ||
        t->size(0) != a.batch() || t->size(2) != a.heads() || t->numel() == 0)
      return false;
  if (a.q.size(3) != a.k.size(3) || a.k.size(1) != a.v.size(1)) return false;
  return !a.bias.defined() ||
      (a.bias.device().is_cpu() && a.bias.scalar_type() == at::kFloat && a.bias.dim() == 4 &&
       !(a.bias.requires_grad() && at::GradMode::is_enabled()));
}

// Head `h` of row `b`: [tokens, features].
template <typename T>
struct Head {
  T* at;
  int64_t token, feature;

  static Head of(const Tensor& t, int64_t b, int64_t h) {
    T* const at = const_cast<T*>(t.const_data_ptr<float>());
    return {at + b * t.stride(0) + h * t.stride(2), t.stride(1), t.stride(3)};
  }
  Head from(int64_t i) const { return {at + i * token, token, feature}; }
  Strided rows() const { return {at, token, feature}; }
  Strided columns() const { return {at, feature, token}; }
};
using Read = Head<const float>;
using Write = Head<float>;

Strided turned(Strided m) { return {m.at, m.column, m.row}; }

// y[m,n] ← a[m,k]·b[k,n], or y + a·b; either the tokens or the features of y lie side by side.
void product_into(Write y, Strided a, Strided b, int64_t m, int64_t n, int64_t k, bool add) {
  if (y.feature == 1)
    rows_kernels().product(y.at, y.token, a, b, m, n, k, add);
  else
    rows_kernels().product(y.at, y.feature, turned(b), turned(a), n, m, k, add);
}

// One head of one row of the batch.
struct OneHead {
  const Attention& a;
  Read q, k, v;
  const float* bias;
  int64_t bias_row;

  OneHead(const Attention& a, const Tensor& bias, int64_t b, int64_t h)
      : a(a), q(Read::of(a.q, b, h)), k(Read::of(a.k, b, h)), v(Read::of(a.v, b, h)),
        bias(bias.defined() ? bias.const_data_ptr<float>() + b * bias.stride(0) + h * bias.stride(1) : nullptr),
        bias_row(bias.defined() ? bias.stride(2) : 0) {}

  // Attention weights of `rows` queries from `first` on, [rows, keys].
  void weights(float* p, int64_t first, int64_t rows) const {
    const int64_t n = a.keys();
    rows_kernels().product(p, n, q.from(first).rows(), k.columns(), rows, n, a.features(), false);
    rows_kernels().softmax(p, bias ? bias + first * bias_row : nullptr, bias_row, a.scale(), rows, n);
  }

  void forward(Write out, float* p) const {
    for (int64_t i = 0; i < a.queries(); i += a.block()) {
      const int64_t rows = std::min(a.block(), a.queries() - i);
      weights(p, i, rows);
      product_into(out.from(i), {p, a.keys(), 1}, v.rows(), rows, a.v.size(3), a.keys(), false);
    }
  }

  // Gradients, for that of the output, `g`.
  void backward(Read g, Write of_q, Write of_k, Write of_v, float* p, float* s) const {
    const int64_t n = a.keys(), values = a.v.size(3);
    for (int64_t i = 0; i < a.queries(); i += a.block()) {
      const int64_t rows = std::min(a.block(), a.queries() - i);
      const Read up = g.from(i);
      weights(p, i, rows);
      product_into(of_v, {p, 1, n}, up.rows(), n, values, rows, i > 0);
      rows_kernels().product(s, n, up.rows(), v.columns(), rows, n, values, false);
      rows_kernels().softmax_slope(s, p, a.scale(), rows, n);
      product_into(of_q.from(i), {s, n, 1}, k.rows(), rows, a.features(), n, false);
      product_into(of_k, {s, 1, n}, q.from(i).rows(), n, a.features(), rows, i > 0);
    }
  }
};

// Calls f(b, h, two blocks of weights) for each head of each row, on all threads.
template <typename F>
void each_head(const Attention& a, const F& f) {
  const int64_t size = a.block() * a.keys();
  at::parallel_for(0, a.batch() * a.heads(), 1, [&](int64_t begin, int64_t end) {
    const std::unique_ptr<float[]> weights(new float[2 * size]);
    for (int64_t i = begin; i < end; ++i) f(i / a.heads(), i % a.heads(), weights.get(), weights.get() + size);
  });
}

// The bias with the shape of the scores, its keys side by side.
Tensor expanded(const Attention& a) {
  if (!a.bias.defined()) return a.bias;
  const Tensor bias = a.bias.size(3) == a.keys() && a.bias.stride(3) == 1
      ? a.bias
      : a.bias.expand({a.bias.size(0), a.bias.size(1), a.bias.size(2), a.keys()}).contiguous();
  return bias.expand({a.batch(), a.heads(), a.queries(), a.keys()});
}

Tensor attention_of(const Attention& a) {
  const Tensor out =
      at::empty({a.batch(), a.queries(), a.heads(), a.v.size(3)}, a.q.options().requires_grad(false));
  const Tensor bias = expanded(a);
  each_head(a, [&](int64_t b, int64_t h, float* p, float*) {
    OneHead(a, bias, b, h).forward(Write::of(out, b, h), p);
  });
  return out;
}

// Memory for the gradient of `t`, laid out like it if tokens or features lie side by side there.
Tensor gradient_of(const Tensor& t) {
  const int64_t token = t.stride(1), feature = t.stride(t.dim() - 1);
  const auto options = t.options().requires_grad(false);
  return (token == 1 || feature == 1) && t.is_non_overlapping_and_dense()
      ? at::empty_strided(t.sizes(), t.strides(), options)
      : at::empty(t.sizes(), options);
}

// The node of an attention in autograd's graph.
struct Attend : torch::autograd::Node {
  // Queries, keys and values, or all in one; then the bias.
  std::vector<torch::autograd::SavedVariable> saved;
  bool released = false;

  static Tensor forward(const std::vector<Tensor>& of, const Tensor& bias) {
    const std::shared_ptr<Attend> node(new Attend(), torch::autograd::deleteNode);
    for (const Tensor& t : of) node->saved.emplace_back(t, false);
    node->saved.emplace_back(bias, false);
    node->set_next_edges(torch::autograd::collect_next_edges(of));
    const Tensor result = [&] {
      at::AutoDispatchBelowAutograd below;
      return attention_of(Attention::of(of, bias));
    }();
    torch::autograd::set_history(result, node);
    return result;
  }

  std::string name() const override { return "Attend"; }

  void release_variables() override {
    for (auto& t : saved) t.reset_data();
    released = true;
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    TORCH_CHECK(!released, "the gradient of an attention was taken already, and what it needs is gone");
    std::vector<Tensor> of;
    for (const auto& t : saved) of.push_back(t.unpack());
    const Tensor bias = of.back();
    of.pop_back();
    torch::autograd::variable_list result(of.size());
    if (!gradients[0].defined()) return result;
    if (at::GradMode::is_enabled())
      return recorded_gradients(*this, elementary_attention(Attention::of(of, bias)), of, gradients[0]);
    for (size_t i = 0; i < of.size(); ++i) result[i] = gradient_of(of[i]);
    const Attention a = Attention::of(of, bias), to = Attention::of(result, {});
    const Tensor wide = expanded(a), &g = gradients[0];
    each_head(a, [&](int64_t b, int64_t h, float* p, float* s) {
      OneHead(a, wide, b, h)
          .backward(Read::of(g, b, h), Write::of(to.q, b, h), Write::of(to.k, b, h), Write::of(to.v, b, h), p, s);
    });
    return result;
  }
};

}  // namespace

// Attention of `count` tensors: queries, keys and values [batch, tokens, heads, features], or one of
// all [batch, tokens, 3, heads, features]. Returns [batch, queries, heads, features of the values].
extern "C" Tensor* triflow_attention(const Tensor* const* tensors, int count, const Tensor* bias, char** error) {
  return guarded(error, [&] {
    std::vector<Tensor> of;
    for (int i = 0; i < count; ++i) of.push_back(*tensors[i]);
    const Tensor added = bias ? *bias : Tensor();
    const Attention a = Attention::of(of, added);
    if (!has_fast_attention(a)) return plain_attention(a);
    const int64_t scores = a.batch() * a.heads() * a.queries() * a.keys();
    RECORD_FUNCTION(
        "triflow::attention", std::vector<c10::IValue>({scores * (a.features() + a.v.size(3)), int64_t(1)}));
    const bool recorded = at::GradMode::is_enabled() &&
        std::any_of(of.begin(), of.end(), [](const Tensor& t) { return t.requires_grad(); });
    return recorded ? Attend::forward(of, added) : attention_of(a);
  });
}
