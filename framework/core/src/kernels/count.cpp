// Counts the multiply-adds of matrix products, convolutions and attention on this thread, as
// LibTorch reports each operation before it runs. Element by element operations are not counted.

#include <ATen/core/ivalue.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace {

// Sum of this thread's innermost counter, and number of its counters.
thread_local int64_t counted = 0;
thread_local int counters = 0;

using Inputs = c10::ArrayRef<const c10::IValue>;

at::IntArrayRef shape(Inputs inputs, size_t i) {
  return i < inputs.size() && inputs[i].isTensor() ? inputs[i].toTensor().sizes() : at::IntArrayRef();
}

// [batch, …, k] · [batch, k, m]: every entry of the first matrix meets m numbers.
int64_t of_product(at::IntArrayRef a, at::IntArrayRef b) {
  return a.empty() || b.empty() ? 0 : c10::multiply_integers(a) * (b.size() > 1 ? b.back() : 1);
}

// Scores and weighted sum of queries [batch, heads, n, d] over keys and values [batch, heads, m, d].
int64_t of_attention(at::IntArrayRef q, at::IntArrayRef k) {
  return q.size() < 4 || k.size() < 4 ? 0 : 2 * c10::multiply_integers(q) * k[k.size() - 2];
}

// `image` [batch, channels, …] has the positions at which the whole kernel `weight` is applied.
int64_t of_kernel(at::IntArrayRef image, int64_t positions, at::IntArrayRef weight) {
  return image.empty() || weight.empty() ? 0 : image[0] * positions * c10::multiply_integers(weight);
}

int64_t positions(at::IntArrayRef image) {
  return image.size() < 3 ? 0 : c10::multiply_integers(image.slice(2));
}

// (input, weight, bias, stride, padding, dilation, transposed, …)
int64_t of_convolution(Inputs inputs) {
  const at::IntArrayRef image = shape(inputs, 0), weight = shape(inputs, 1);
  if (inputs.size() < 7 || image.size() < 3 || image.size() != weight.size()) return 0;
  // A transposed convolution applies the kernel at each position of its input.
  if (inputs[6].toBool()) return of_kernel(image, positions(image), weight);
  const auto stride = inputs[3].toIntVector(), padding = inputs[4].toIntVector(), dilation = inputs[5].toIntVector();
  int64_t outputs = 1;
  for (size_t i = 0; i + 2 < image.size(); ++i) {
    const auto at = [&](const std::vector<int64_t>& all) { return all[std::min(i, all.size() - 1)]; };
    outputs *= (image[i + 2] + 2 * at(padding) - at(dilation) * (weight[i + 2] - 1) - 1) / at(stride) + 1;
  }
  return of_kernel(image, outputs, weight);
}

int64_t of_operation(std::string_view name, Inputs inputs) {
  if (name == "aten::mm" || name == "aten::bmm" || name == "aten::mv")
    return of_product(shape(inputs, 0), shape(inputs, 1));
  if (name == "aten::addmm" || name == "aten::baddbmm" || name == "aten::addmv")
    return of_product(shape(inputs, 1), shape(inputs, 2));
  if (name == "aten::convolution") return of_convolution(inputs);
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu" ||
      name == "aten::_scaled_dot_product_flash_attention" || name == "aten::_scaled_dot_product_efficient_attention")
    return of_attention(shape(inputs, 0), shape(inputs, 1));
  if (name == "aten::convolution_backward")
    return of_kernel(shape(inputs, 0), positions(shape(inputs, 0)), shape(inputs, 2));
  // Own operations report two factors, from any copy of the kernels.
  if (name == "triflow::chain" || name == "triflow::attention") return inputs[0].toInt() * inputs[1].toInt();
  return 0;
}

}  // namespace

// Begins to count on this thread, from 0. Returns what ends it.
extern "C" uint64_t triflow_count_begin(int64_t* before) {
  *before = counted;
  counted = 0;
  if (counters++ > 0) return at::INVALID_CALLBACK_HANDLE;
  const auto begin = [](const at::RecordFunction& f) -> std::unique_ptr<at::ObserverContext> {
    counted += of_operation(f.name(), f.inputs());
    return nullptr;
  };
  return at::addThreadLocalCallback(
      at::RecordFunctionCallback(begin).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
}

// Multiply-adds since the beginning. The counter around this one has counted them too.
extern "C" int64_t triflow_count_end(uint64_t handle, int64_t before) {
  --counters;
  if (handle != at::INVALID_CALLBACK_HANDLE) at::removeCallback(handle);
  const int64_t found = counted;
  counted += before;
  return found;
}
