// The gradient of a loss, taken on the calling thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

// By `leaves`, each a variable that asks for its gradient; undefined where the loss does not reach one. The graph
// is used up.
std::vector<at::Tensor> gradients(const at::Tensor& loss, const std::vector<at::Tensor>& leaves);
