#include "destination.h"

#include <ATen/ops/empty.h>

#include <cstring>

namespace {
// One for each thread and copy: kernels in a plugin see none, and their gradients are copied.
thread_local Destination* current = nullptr;
}  // namespace

at::Tensor cut(const at::Tensor& flat, int64_t from, at::IntArrayRef shape) {
  at::Tensor t = at::detail::make_tensor<c10::TensorImpl>(c10::Storage(flat.storage()), flat.key_set(), flat.dtype());
  t.unsafeGetTensorImpl()->set_storage_offset(flat.storage_offset() + from);
  t.unsafeGetTensorImpl()->set_sizes_contiguous(shape);
  return t;
}

Destination::Destination(const at::Tensor* const* variables, int count) : before_(current) {
  int64_t all = 0;
  for (int i = 0; i < count; ++i) {
    const at::Tensor& v = *variables[i];
    // Variables on another device, or not contiguous, have no place to write to directly.
    const bool dense = v.device().is_cpu() && v.is_contiguous();
    entries_.push_back({dense ? v.const_data_ptr() : nullptr, v.numel(), all, false});
    all += v.numel();
  }
  flat_ = at::empty({all}, variables[0]->options().requires_grad(false));
  current = this;
}

Destination::~Destination() { current = before_; }

void Destination::put(int i, const at::Tensor& gradient) {
  Entry& entry = entries_[i];
  entry.taken = true;
  const at::Tensor place = cut(flat_, entry.offset, {entry.entries});
  if (!gradient.defined()) {
    place.zero_();
  } else if (
      flat_.device().is_cpu() && gradient.device().is_cpu() && gradient.is_contiguous() &&
      gradient.scalar_type() == flat_.scalar_type()) {
    if (gradient.const_data_ptr() != place.const_data_ptr())
      std::memcpy(place.mutable_data_ptr(), gradient.const_data_ptr(), entry.entries * flat_.element_size());
  } else {
    place.copy_(gradient.reshape({-1}));
  }
}

at::Tensor Destination::place_of(const at::Tensor& variable) {
  if (!current || variable.scalar_type() != current->flat_.scalar_type() || !variable.is_contiguous()) return {};
  for (Entry& entry : current->entries_)
    if (entry.variable && entry.variable == variable.const_data_ptr() && entry.entries == variable.numel()) {
      if (entry.taken) return {};
      entry.taken = true;
      return cut(current->flat_, entry.offset, variable.sizes());
    }
  return {};
}
