// Where the gradients of a step are to lie: what writes one of them there saves a copy of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// Places in a flat tensor for the gradients of variables, one after another, while a gradient is taken on this
// thread. Others may write elsewhere: what is not in its place is copied there afterwards.
class Destination {
 public:
  Destination(const at::Tensor* const* variables, int count);
  ~Destination();
  Destination(const Destination&) = delete;

  // [entries of all variables], on the device and in the precision of the first.
  const at::Tensor& flat() const { return flat_; }
  // Fills variable i's place with its gradient; with 0 if that is undefined.
  void put(int i, const at::Tensor& gradient) const;

  // A place for the gradient of `variable`, in its shape; undefined if nobody asked for it, or it is taken: a
  // variable that is used twice has two gradients to add.
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

// Entries of `flat` from `from` on, as a tensor by itself: views made by operations cost more than small products.
at::Tensor cut(const at::Tensor& flat, int64_t from, at::IntArrayRef shape);
