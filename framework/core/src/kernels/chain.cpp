// A chain of linear layers with an activation after each, as one operation: forward and backward
// pass once over blocks of rows that fit in the cache, and autograd records one node for any number
// of layers. Cases without a fast route use LibTorch's own operations, with the same result up to
// rounding.
//
// No static state: host and plugins each have a copy.

#include "backward.h"
#include "destination.h"
#include "rows.h"
#include "shim.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

using at::Tensor;

namespace {

enum Activation : int { SWISH = 0, GELU = 1, TANH = 2, SOFTPLUS = 3, RELU = 4, GELU_TANH = 5 };

struct Layer {
  Tensor weight;  // [outputs, inputs]
  Tensor bias;    // [outputs], or undefined
};

// Linear layers with an activation after each, over the concatenated inputs.
struct Net {
  std::vector<Tensor> inputs;  // [rows, …] each, concatenated as the first layer's input
  Tensor start;                // [rows, outputs of layer 0], added to its output; or undefined
  std::vector<Layer> layers;
  int activation;
  bool linear_end;

  int64_t rows() const { return inputs[0].size(0); }
  int64_t in(size_t i) const { return layers[i].weight.size(1); }
  int64_t out(size_t i) const { return layers[i].weight.size(0); }
  size_t count() const { return layers.size(); }
  // Number of layers followed by the activation.
  size_t activated() const { return count() - (linear_end ? 1 : 0); }
  int64_t widest() const {
    int64_t n = 0;
    for (size_t i = 0; i < count(); ++i) n = std::max({n, in(i), out(i)});
    return n;
  }
  int64_t largest() const {
    int64_t n = 0;
    for (const Layer& l : layers) n = std::max(n, l.weight.numel());
    return n;
  }
  int64_t parameters() const {
    int64_t all = 0;
    for (size_t i = 0; i < count(); ++i) all += (in(i) + 1) * out(i);
    return all;
  }
  int64_t outputs() const {
    int64_t all = 0;
    for (size_t i = 0; i < count(); ++i) all += out(i);
    return all;
  }
};

// ---- LibTorch's own operations ------------------------------------------------------------------

Tensor activated(const Tensor& x, int activation) {
  switch (activation) {
    case SWISH: return at::silu(x);
    case GELU: return at::gelu(x);
    case TANH: return at::tanh(x);
    case SOFTPLUS: return at::softplus(x);
    case GELU_TANH: return at::gelu(x, "tanh");
    default: return at::relu(x);
  }
}

Tensor plain(const Net& net) {
  Tensor h = net.inputs.size() == 1 ? net.inputs[0] : at::cat(net.inputs, 1);
  for (size_t i = 0; i < net.count(); ++i) {
    h = at::linear(h, net.layers[i].weight, net.layers[i].bias);
    if (i == 0 && net.start.defined()) h = h + net.start;
    if (i < net.activated()) h = activated(h, net.activation);
  }
  return h;
}

// ---- products -----------------------------------------------------------------------------------

// A row-major matrix: some rows and columns of a tensor.
template <typename T>
struct Matrix {
  T* at;
  int64_t ld;  // from row to row

  Matrix columns(int64_t from) const { return {at + from, ld}; }
  Matrix below(int64_t from) const { return {at + from * ld, ld}; }
};
using In = Matrix<const float>;
using Out = Matrix<float>;

In reading(const Tensor& t) { return {t.const_data_ptr<float>(), t.stride(0)}; }
In reading(const Out& m) { return {m.at, m.ld}; }

// y[m,n] = x[m,k] · w[n,k]ᵀ; added to y with `add`
void times_transposed(Out y, In x, In w, int64_t m, int64_t n, int64_t k, bool add) {
  rows_kernels().product(y.at, y.ld, {x.at, x.ld, 1}, {w.at, 1, w.ld}, m, n, k, add);
}

// y[m,k] = g[m,n] · w[n,k]
void times(Out y, In g, In w, int64_t m, int64_t n, int64_t k) {
  rows_kernels().product(y.at, y.ld, {g.at, g.ld, 1}, {w.at, w.ld, 1}, m, k, n, false);
}

// y[n,k] = g[m,n]ᵀ · x[m,k]
void transposed_times(Out y, In g, In x, int64_t m, int64_t n, int64_t k) {
  rows_kernels().product(y.at, y.ld, {g.at, 1, g.ld}, {x.at, x.ld, 1}, n, k, m, false);
}

// ---- fast routes and their division over threads ------------------------------------------------

bool dense_float(const Tensor& t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided && t.dim() == 2 &&
      t.stride(1) == 1 && t.stride(0) >= t.size(1);
}

// Small layers fit in a core's cache while rows pass through all of them, so rows are divided over
// cores; of large layers the outputs are divided, for all rows.
bool by_rows(const Net& net) { return net.largest() <= 131'072; }

// The kernel of an activation, or null.
Rows::Activation activation_of(int activation) {
  const Rows& kernels = rows_kernels();
  switch (activation) {
    case SWISH: return kernels.swish;
    case RELU: return kernels.relu;
    case GELU: return kernels.gelu;
    case GELU_TANH: return kernels.gelu_tanh;
    default: return nullptr;
  }
}

// True if the fast routes cover the case.
bool fast(const Net& net) {
  if (traced() || at::autocast::is_autocast_enabled(at::kCPU)) return false;
  if (!rows_kernels().large && !by_rows(net)) return false;
  if (!activation_of(net.activation) || net.rows() == 0) return false;
  int64_t width = 0;
  for (const Tensor& x : net.inputs) {
    if (!dense_float(x) || x.size(0) != net.rows() || x.size(1) == 0) return false;
    width += x.size(1);
  }
  for (const Layer& l : net.layers) {
    if (!dense_float(l.weight) || l.weight.size(1) != width) return false;
    width = l.weight.size(0);
    if (l.bias.defined() &&
        !(l.bias.device().is_cpu() && l.bias.scalar_type() == at::kFloat && l.bias.is_contiguous() &&
          l.bias.numel() == width))
      return false;
  }
  return !net.start.defined() ||
      (dense_float(net.start) && net.start.size(0) == net.rows() && net.start.size(1) == net.out(0));
}

int64_t threads() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

// 0 … n in equal parts; sizes are multiples of `unit`, except the last.
struct Parts {
  int64_t n, part;

  Parts(int64_t n, int64_t wanted, int64_t unit) : n(n), part((n + wanted - 1) / wanted) {
    part = std::max<int64_t>(1, (part + unit - 1) / unit) * unit;
  }
  int64_t count() const { return (n + part - 1) / part; }
  // Calls f(number, from, size) for each part. Each thread begins with its own part, whose rows may
  // still be in its cache, and takes further ones when it is done, since cores are rarely equally
  // fast.
  template <typename F>
  void each(const F& f) const {
    const int64_t workers = std::min(count(), threads());
    const auto one = [&](int64_t i) { f(i, i * part, std::min(part, n - i * part)); };
    if (count() == 1) return one(0);
    std::atomic<int64_t> next{workers};
    at::parallel_for(0, workers, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i);
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count();) one(i);
    });
  }
};

Parts shares_of_rows(const Net& net) {
  const bool little = net.rows() * net.parameters() < 400'000;
  return Parts(net.rows(), little ? 1 : std::min(threads(), std::max<int64_t>(1, net.rows() / 16)), 1);
}

// Columns of which a part has a multiple: a tile of the widest products.
constexpr int64_t unit = 32;

// Several parts for each thread, so that none waits long for the last; the output of a part fits in
// the second-level cache.
Parts shares_of_columns(int64_t n) { return Parts(n, 4 * threads(), unit); }

using Scratch = std::unique_ptr<float[]>;
Scratch scratch(int64_t n) { return Scratch(new float[n]); }

// Biases of all layers; zeros for a layer without.
class Biases {
  const Net& net;
  std::vector<float> zeros;

 public:
  explicit Biases(const Net& net) : net(net) {
    for (const Layer& l : net.layers)
      if (!l.bias.defined() && l.weight.size(0) > static_cast<int64_t>(zeros.size())) zeros.resize(l.weight.size(0));
  }
  const float* of(size_t i) const {
    const Tensor& bias = net.layers[i].bias;
    return bias.defined() ? bias.const_data_ptr<float>() : zeros.data();
  }
};

// ---- forward ------------------------------------------------------------------------------------

// A part of layer i: rows from `row`, outputs from `column`. The first layer reads the inputs, not
// `below`.
struct Piece {
  size_t i;
  int64_t row, rows, column, columns;
};

void pass(const Net& net, const Biases& biases, const Piece& p, In below, Out y, float* slope) {
  const In w = reading(net.layers[p.i].weight).below(p.column);
  y = y.columns(p.column);
  if (p.i > 0) {
    times_transposed(y, below, w, p.rows, p.columns, net.in(p.i), false);
  } else {
    bool add = net.start.defined();
    int64_t column = 0;
    if (net.start.defined()) {
      const In start = reading(net.start).below(p.row).columns(p.column);
      for (int64_t r = 0; r < p.rows; ++r)
        std::memcpy(y.below(r).at, start.below(r).at, p.columns * sizeof(float));
    }
    for (const Tensor& x : net.inputs) {
      times_transposed(y, reading(x).below(p.row), w.columns(column), p.rows, p.columns, x.size(1), add);
      add = true;
      column += x.size(1);
    }
  }
  const float* bias = biases.of(p.i) + p.column;
  if (p.i >= net.activated())
    rows_kernels().shift(y.at, bias, p.rows, p.columns, y.ld);
  else
    activation_of(net.activation)(y.at, slope ? slope + p.column : nullptr, bias, p.rows, p.columns, y.ld);
}

// Evaluation without gradients: only the input of the next layer is kept.
Tensor evaluate(const Net& net) {
  const size_t last = net.count() - 1;
  const int64_t widest = net.widest();
  const Tensor result = at::empty({net.rows(), net.out(last)}, net.inputs[0].options());
  const Out to{result.data_ptr<float>(), net.out(last)};
  const Biases biases(net);
  // Takes rows from `first` through all layers; `parts_of` divides the outputs of a layer.
  const auto block = [&](int64_t first, int64_t rows, float* one, float* two, const auto& parts_of) {
    In below{nullptr, 0};
    for (size_t i = 0; i <= last; ++i) {
      const Out y = i == last ? to.below(first) : Out{i % 2 == 0 ? one : two, net.out(i)};
      parts_of(net.out(i)).each([&](int64_t, int64_t column, int64_t columns) {
        pass(net, biases, {i, first, rows, column, columns}, below, y, nullptr);
      });
      below = reading(y);
    }
  };
  if (!by_rows(net)) {
    const int64_t most = std::min<int64_t>(net.rows(), 1024);
    const Scratch one = scratch(most * widest), two = scratch(most * widest);
    for (int64_t r = 0; r < net.rows(); r += most)
      block(r, std::min(most, net.rows() - r), one.get(), two.get(), shares_of_columns);
    return result;
  }
  // Two states of a block and the weights of a layer fit in the second-level cache.
  const int64_t most = std::clamp<int64_t>(65'536 / widest, 32, 512), shares = shares_of_rows(net).count();
  Parts(net.rows(), std::max(shares, (net.rows() + most - 1) / most), 1).each([&](int64_t, int64_t from, int64_t size) {
    const Scratch one = scratch(size * widest), two = scratch(size * widest);
    block(from, size, one.get(), two.get(), [](int64_t n) { return Parts(n, 1, 1); });
  });
  return result;
}

// ---- with gradients -----------------------------------------------------------------------------

// The node of a chain in autograd's graph.
struct Chain : torch::autograd::Node {
  // The inputs, then weight and bias of each layer in turn.
  std::vector<torch::autograd::SavedVariable> saved;
  // State and slope of each layer, from forward.
  Tensor kept;
  int64_t inputs;
  int activation;
  bool linear_end;

  static Net net_of(at::ArrayRef<Tensor> all, int64_t inputs, int activation, bool linear_end) {
    Net net{{all.begin(), all.begin() + inputs}, {}, {}, activation, linear_end};
    for (size_t i = inputs; i < all.size(); i += 2) net.layers.push_back({all[i], all[i + 1]});
    return net;
  }

  static Tensor forward(const Net& net, const std::vector<Tensor>& all) {
    const int64_t rows = net.rows();
    const size_t last = net.count() - 1;
    const auto options = net.inputs[0].options().requires_grad(false);
    const std::shared_ptr<Chain> node(new Chain(), torch::autograd::deleteNode);
    node->inputs = static_cast<int64_t>(net.inputs.size());
    node->activation = net.activation;
    node->linear_end = net.linear_end;
    node->kept = at::empty({2 * rows * net.outputs()}, options);
    node->saved.reserve(all.size());
    for (const Tensor& t : all) node->saved.emplace_back(t, false);
    node->set_next_edges(torch::autograd::collect_next_edges(all));
    const Tensor result = at::empty({rows, net.out(last)}, options);
    const Biases biases(net);
    // Takes rows from `first` through all layers.
    const auto block = [&](int64_t first, int64_t rows, const auto& parts_of) {
      In below{nullptr, 0};
      float* state = node->kept.data_ptr<float>();
      for (size_t i = 0; i <= last; ++i) {
        const int64_t n = net.out(i);
        float* slope = state + net.rows() * n;
        const Out y = Out{i == last ? result.data_ptr<float>() : state, n}.below(first);
        parts_of(n).each([&](int64_t, int64_t column, int64_t columns) {
          pass(net, biases, {i, first, rows, column, columns}, below, y, slope + first * n);
        });
        below = reading(y);
        state = slope + net.rows() * n;
      }
    };
    if (by_rows(net))
      shares_of_rows(net).each([&](int64_t, int64_t from, int64_t size) {
        block(from, size, [](int64_t n) { return Parts(n, 1, 1); });
      });
    else
      block(0, rows, shares_of_columns);
    torch::autograd::set_history(result, node);
    return result;
  }

  std::string name() const override { return "Chain"; }

  void release_variables() override {
    saved.clear();
    kept.reset();
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    TORCH_CHECK(kept.defined(), "the gradient of a chain of layers was taken already, and what it needs is gone");
    torch::autograd::variable_list all;
    all.reserve(saved.size());
    for (const auto& t : saved) all.push_back(t.unpack());
    const Net net = net_of(all, inputs, activation, linear_end);
    torch::autograd::variable_list result(all.size());
    if (!gradients[0].defined()) return result;
    if (at::GradMode::is_enabled()) return recorded_gradients(*this, plain(net), all, gradients[0]);
    const Tensor g = gradients[0].contiguous();
    const auto options = g.options().requires_grad(false);
    for (int64_t i = 0; i < inputs; ++i)
      if (task_should_compute_output(i)) result[i] = at::empty({net.rows(), all[i].size(1)}, options);
    if (by_rows(net))
      backward_by_rows(net, kept, g, result);
    else
      backward_by_columns(net, g, result);
    return result;
  }

  // Offset of layer i's state in `kept`; its slope follows it.
  static int64_t place_of(const Net& net, size_t i) {
    int64_t before = 0;
    for (size_t j = 0; j < i; ++j) before += 2 * net.rows() * net.out(j);
    return before;
  }

  // Gradient of the weights for outputs from `column`, rows from `row` and `size` inputs from
  // `from`; g begins at column and row.
  static void weights(
      const Net& net, const float* kept, const Piece& p, In g, float* to, int64_t from, int64_t size) {
    const Out y = Out{to, net.in(p.i)}.below(p.column);
    if (p.i > 0) {
      const In x{kept + place_of(net, p.i - 1) + p.row * net.in(p.i), net.in(p.i)};
      return transposed_times(y.columns(from), g, x.columns(from), p.rows, p.columns, size);
    }
    int64_t column = 0;
    for (const Tensor& x : net.inputs) {
      const int64_t begin = std::max(from - column, int64_t{0}), end = std::min(from + size - column, x.size(1));
      if (begin < end)
        transposed_times(
            y.columns(column + begin), g, reading(x).below(p.row).columns(begin), p.rows, p.columns, end - begin);
      column += x.size(1);
    }
  }

  // Fills the gradients of the inputs that `result` holds, and sets those of weights and biases
  // after them.
  static void backward_by_rows(
      const Net& net, const Tensor& saved, const Tensor& g, torch::autograd::variable_list& result) {
    const Parts shares = shares_of_rows(net);
    const int64_t all = net.parameters(), widest = net.widest();
    const float* kept = saved.const_data_ptr<float>();
    const Tensor partial = at::empty({shares.count() * all}, g.options().requires_grad(false));
    shares.each([&](int64_t share, int64_t r, int64_t rows) {
      const Scratch one = scratch(rows * widest), two = scratch(rows * widest);
      float* place = partial.data_ptr<float>() + (share + 1) * all;
      In h = reading(g).below(r);
      float* next = one.get();
      for (size_t i = net.count(); i-- > 0;) {
        const int64_t n = net.out(i);
        place -= n;
        if (i < net.activated()) {
          const float* slope = kept + place_of(net, i) + (net.rows() + r) * n;
          rows_kernels().scale(next, place, h.at, slope, rows, n, n);
          h = {next, n};
          next = next == one.get() ? two.get() : one.get();
        } else {
          rows_kernels().sum(place, h.at, rows, n, n);
        }
        place -= n * net.in(i);
        weights(net, kept, {i, r, rows, 0, n}, h, place, 0, net.in(i));
        const In w = reading(net.layers[i].weight);
        if (i > 0) {
          times({next, net.in(i)}, h, w, rows, n, net.in(i));
          h = {next, net.in(i)};
          next = next == one.get() ? two.get() : one.get();
        } else {
          int64_t column = 0;
          for (size_t j = 0; j < net.inputs.size(); ++j) {
            const int64_t width = net.inputs[j].size(1);
            if (result[j].defined())
              times(Out{result[j].data_ptr<float>(), width}.below(r), h, w.columns(column), rows, n, width);
            column += width;
          }
        }
      }
    });
    float* sum = partial.data_ptr<float>();
    for (int64_t i = 1; i < shares.count(); ++i) rows_kernels().shift(sum, sum + i * all, 1, all, all);
    int64_t offset = 0;
    for (size_t i = 0; i < net.count(); ++i) {
      Tensor* of_layer = &result[net.inputs.size() + 2 * i];
      of_layer[0] = cut(partial, offset, {net.out(i), net.in(i)});
      offset += net.out(i) * net.in(i);
      if (net.layers[i].bias.defined()) of_layer[1] = cut(partial, offset, {net.out(i)});
      offset += net.out(i);
    }
  }

  // Gradients of large layers are written to their final place.
  static Tensor place_for(const Tensor& variable) {
    const Tensor place = Destination::place_of(variable);
    return place.defined() ? place : at::empty(variable.sizes(), variable.options().requires_grad(false));
  }

  // A part of the backward pass of a layer of large weights: some entries of the gradient of input
  // j, or of a hidden layer; or, with outputs, some outputs and inputs of the gradient of the weights.
  struct Task {
    size_t j;
    int64_t from, size, output, outputs;
  };

  // The parts of the gradient of layer i's weights. The inputs are divided rather than the outputs,
  // since a part arranges its inputs anew for its products.
  static void divide_weights(const Net& net, size_t i, std::vector<Task>& tasks) {
    const int64_t most = 4 * threads(), n = net.out(i);
    const Parts outputs(n, std::clamp<int64_t>(n / 512, 1, most), unit);
    const Parts inputs(net.in(i), std::max<int64_t>(1, most / outputs.count()), unit);
    for (int64_t o = 0; o < n; o += outputs.part)
      for (int64_t c = 0; c < inputs.n; c += inputs.part)
        tasks.push_back({0, c, std::min(inputs.part, inputs.n - c), o, std::min(outputs.part, n - o)});
  }

  void backward_by_columns(const Net& net, const Tensor& g, torch::autograd::variable_list& result) const {
    const int64_t rows = net.rows(), widest = net.widest();
    const float* kept = this->kept.const_data_ptr<float>();
    const Scratch one = scratch(rows * widest), two = scratch(rows * widest);
    std::vector<float*> weights_at, biases_at;
    for (size_t i = 0; i < net.count(); ++i) {
      Tensor* of_layer = &result[net.inputs.size() + 2 * i];
      const Layer& layer = net.layers[i];
      of_layer[0] = place_for(layer.weight);
      of_layer[1] = layer.bias.defined() ? place_for(layer.bias)
                                         : at::empty({net.out(i)}, g.options().requires_grad(false));
      weights_at.push_back(of_layer[0].data_ptr<float>());
      biases_at.push_back(of_layer[1].data_ptr<float>());
    }
    // y ← h · the slope of layer i's activation, for some of its outputs, and their sums.
    const auto through_activation = [&](size_t i, Out y, In h, int64_t column, int64_t columns) {
      const int64_t n = net.out(i);
      y = y.columns(column), h = h.columns(column);
      float* bias = biases_at[i] + column;
      if (i >= net.activated()) return rows_kernels().sum(bias, h.at, rows, columns, n);
      const float* slope = kept + place_of(net, i) + rows * n + column;
      rows_kernels().scale(y.at, bias, h.at, slope, rows, columns, n);
    };
    const size_t last = net.count() - 1;
    In h = reading(g);
    const Out first{one.get(), net.out(last)};
    shares_of_columns(net.out(last)).each([&](int64_t, int64_t column, int64_t columns) {
      through_activation(last, first, h, column, columns);
    });
    if (last < net.activated()) h = reading(first);
    for (size_t i = net.count(); i-- > 0;) {
      // The layer below waits for the gradient of the inputs, and nothing for that of the weights.
      std::vector<Task> tasks;
      const auto divide_input = [&](size_t j, int64_t width) {
        const Parts parts = shares_of_columns(width);
        for (int64_t c = 0; c < width; c += parts.part)
          tasks.push_back({j, c, std::min(parts.part, width - c), 0, 0});
      };
      if (i > 0) {
        divide_input(0, net.in(i));
      } else {
        for (size_t j = 0; j < net.inputs.size(); ++j)
          if (result[j].defined()) divide_input(j, net.inputs[j].size(1));
      }
      divide_weights(net, i, tasks);
      const Out below{h.at == one.get() ? two.get() : one.get(), net.in(i)};
      const In w = reading(net.layers[i].weight);
      const int64_t count = static_cast<int64_t>(tasks.size());
      Parts(count, count, 1).each([&](int64_t number, int64_t, int64_t) {
        const Task& t = tasks[number];
        if (t.outputs > 0) {
          weights(net, kept, {i, 0, rows, t.output, t.outputs}, h.columns(t.output), weights_at[i], t.from, t.size);
        } else if (i > 0) {
          times(below.columns(t.from), h, w.columns(t.from), rows, net.out(i), t.size);
          through_activation(i - 1, below, reading(below), t.from, t.size);
        } else {
          int64_t column = t.from;
          for (size_t j = 0; j < t.j; ++j) column += net.inputs[j].size(1);
          const Out to{result[t.j].data_ptr<float>(), net.inputs[t.j].size(1)};
          times(to.columns(t.from), h, w.columns(column), rows, net.out(i), t.size);
        }
      });
      h = reading(below);
      // The sums of its biases came with the round before.
      const size_t weight = net.inputs.size() + 2 * i;
      hand_over(*this, weight, result[weight]);
      if (net.layers[i].bias.defined()) hand_over(*this, weight + 1, result[weight + 1]);
    }
  }
};

}  // namespace

// Linear layers over concatenated `inputs` [rows, …]. `parameters`: weight and bias (or null) of
// each layer in turn. `start` ([rows, outputs of the first layer], or null) is added to the output
// of the first layer.
extern "C" Tensor* triflow_chain(
    const Tensor* const* inputs, int input_count, const Tensor* start, const Tensor* const* parameters, int count,
    int activation, int linear_end, char** error) {
  return guarded(error, [&] {
    std::vector<Tensor> all;
    for (int i = 0; i < input_count; ++i) all.push_back(*inputs[i]);
    for (int i = 0; i < 2 * count; ++i) all.push_back(parameters[i] ? *parameters[i] : Tensor());
    const auto learned = [](const Tensor& t) { return t.defined() && t.requires_grad(); };
    const bool recorded =
        at::GradMode::is_enabled() && ((start && learned(*start)) || std::any_of(all.begin(), all.end(), learned));
    Net net = Chain::net_of(all, input_count, activation, linear_end != 0);
    if (start) net.start = *start;
    if (!fast(net) || (recorded && start)) return plain(net);
    RECORD_FUNCTION("triflow::chain", std::vector<c10::IValue>({net.rows(), net.parameters()}));
    if (!recorded) return evaluate(net);
    return Chain::forward(net, all);
  });
}
