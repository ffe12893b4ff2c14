// Gradient of a loss, computed on the calling thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

// Gradient with respect to `leaves`, which all require gradients; undefined for those that the loss
// does not depend on. The graph is freed.
std::vector<at::Tensor> gradients(const at::Tensor& loss, const std::vector<at::Tensor>& leaves);
