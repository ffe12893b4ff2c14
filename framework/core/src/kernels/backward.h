// Gradients of a loss, computed on the calling thread, and of the nodes of our own operations where
// they are to be differentiated again.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/function.h>

#include <vector>

// Gradient with respect to `leaves`, which all require gradients; undefined for those that the loss
// does not depend on. The graph is freed.
std::vector<at::Tensor> gradients(const at::Tensor& loss, const std::vector<at::Tensor>& leaves);

// Of `node`, which is being applied, the gradients of its inputs for the gradient `g` of its output,
// in the order of its edges and recorded: `plain` is the same output by LibTorch's own operations.
// Undefined where none is asked for.
std::vector<at::Tensor> recorded_gradients(
    const torch::autograd::Node& node, const at::Tensor& plain, at::ArrayRef<at::Tensor> inputs, const at::Tensor& g);
