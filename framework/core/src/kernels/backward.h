// Gradients of a loss, computed on the calling thread, and of the nodes of our own operations where
// they are to be differentiated again.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>

#include <functional>
#include <vector>

// Takes the gradient of a leaf, which is complete; undefined if the loss does not depend on it.
using Arrived = std::function<void(size_t leaf, const at::Tensor& gradient)>;

// Calls `arrived` with the gradient of each of `leaves`, which all require gradients: on a CPU as
// soon as nothing further contributes to it. The graph is freed.
void gradients(const at::Tensor& loss, const std::vector<at::Tensor>& leaves, const Arrived& arrived);

// Hands over the gradient of a leaf before `node`, which is being applied, returns it as `output`,
// so that it arrives earlier. Without effect if it is not the whole gradient of a leaf.
void hand_over(const torch::autograd::Node& node, size_t output, const at::Tensor& gradient);

// Of `node`, which is being applied, the gradients of its inputs for the gradient `g` of its output,
// in the order of its edges and recorded: `plain` is the same output by LibTorch's own operations.
// Undefined where none is asked for.
std::vector<at::Tensor> recorded_gradients(
    const torch::autograd::Node& node, const at::Tensor& plain, at::ArrayRef<at::Tensor> inputs, const at::Tensor& g);
