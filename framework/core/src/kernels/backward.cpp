#include "backward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <optional>
#include <queue>
#include <string>
#include <unordered_map>

using at::Tensor;
using torch::autograd::Node;
using torch::autograd::variable_list;

namespace {

// Gradients that have reached a node, and the number of edges that are still to deliver one.
struct Pending {
  variable_list gradients;
  int outstanding = 0;
};

// Orders nodes by creation, the latest first, as LibTorch's engine does: what a step allocates last
// is freed first.
struct Earlier {
  bool operator()(const Node* a, const Node* b) const { return a->sequence_nr() < b->sequence_nr(); }
};

// Backward pass on the calling thread. LibTorch's engine serves many devices and threads; on one
// CPU its overhead for each node equals the time of a small product. The nodes are the same, called
// in the same order.
std::vector<Tensor> on_this_thread(const Tensor& loss, const std::vector<Tensor>& leaves) {
  const at::AutoGradMode not_recorded(false);
  std::unordered_map<const Node*, size_t> leaf;
  for (size_t i = 0; i < leaves.size(); ++i)
    leaf[torch::autograd::impl::gradient_edge(leaves[i]).function.get()] = i;
  Node* root = loss.grad_fn().get();
  std::unordered_map<const Node*, Pending> nodes{{root, {}}};
  for (std::vector<Node*> found{root}; !found.empty();) {
    Node* node = found.back();
    found.pop_back();
    for (const auto& edge : node->next_edges()) {
      if (!edge.is_valid()) continue;
      if (nodes.try_emplace(edge.function.get()).second) found.push_back(edge.function.get());
      ++nodes[edge.function.get()].outstanding;
    }
  }
  std::vector<Tensor> result(leaves.size());
  std::priority_queue<Node*, std::vector<Node*>, Earlier> ready;
  nodes[root].gradients = {at::ones_like(loss)};
  ready.push(root);
  while (!ready.empty()) {
    Node* node = ready.top();
    ready.pop();
    variable_list gradients = std::move(nodes[node].gradients);
    // A node without outputs belongs to a variable. Nothing is added to its `grad`.
    if (node->num_outputs() == 0) {
      const auto place = leaf.find(node);
      if (place != leaf.end() && !gradients.empty()) result[place->second] = gradients[0];
      continue;
    }
    gradients.resize(node->num_inputs());
    variable_list further = (*node)(std::move(gradients));
    torch::autograd::validate_outputs(
        node->next_edges(), further, [&](const std::string& what) { return node->name() + ": " + what; });
    node->release_variables();
    for (size_t i = 0; i < further.size(); ++i) {
      const auto& edge = node->next_edge(i);
      if (!edge.is_valid()) continue;
      Pending& next = nodes[edge.function.get()];
      if (further[i].defined()) {
        if (next.gradients.size() <= edge.input_nr) next.gradients.resize(edge.input_nr + 1);
        Tensor& sum = next.gradients[edge.input_nr];
        sum = sum.defined() ? sum + further[i] : further[i];
      }
      if (--next.outstanding == 0) ready.push(edge.function.get());
    }
  }
  return result;
}

}  // namespace

std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& leaves) {
  if (loss.device().is_cpu() && loss.grad_fn()) return on_this_thread(loss, leaves);
  return torch::autograd::grad({loss}, leaves, {}, std::nullopt, false, true);
}

std::vector<Tensor> recorded_gradients(
    const Node& node, const Tensor& plain, at::ArrayRef<Tensor> inputs, const Tensor& g) {
  variable_list asked;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined() && inputs[i].requires_grad() && node.task_should_compute_output(i)) {
      asked.push_back(inputs[i]);
      places.push_back(i);
    }
  const auto found = torch::autograd::grad({plain}, asked, {g}, true, true, true);
  variable_list result(inputs.size());
  for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
  return result;
}
