// Places for the gradients of a step: a kernel that writes a gradient there saves a copy.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// Consecutive places in a flat tensor for the gradients of variables, while a gradient is computed
// on this thread. Gradients that are elsewhere are copied into their places when they arrive.
class Destination {
 public:
  Destination(const at::Tensor* const* variables, int count);
  ~Destination();
  Destination(const Destination&) = delete;

  // [entries of all variables], on the device and in the precision of the first variable.
  const at::Tensor& flat() const { return flat_; }
  // Copies the gradient of variable i into its place, which is not given out afterwards; zeros if
  // it is undefined.
  void put(int i, const at::Tensor& gradient);

  // The place for the gradient of `variable`, in its shape; undefined if it has none, or if it was
  // given out already: a variable that is used twice has two gradients to add.
  static at::Tensor place_of(const at::Tensor& variable);

 private:
  struct Entry {
    const void* variable;
    int64_t entries, offset;
    bool taken;
  };
  std::vector<Entry> entries_;
  at::Tensor flat_;
  Destination* before_;
};

// Entries of `flat` from `from` on, as a tensor. Views made by LibTorch's operations cost more than
// small products.
at::Tensor cut(const at::Tensor& flat, int64_t from, at::IntArrayRef shape);
