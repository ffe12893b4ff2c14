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
  // True for a variable whose gradient was handed over before its node returned it.
  bool arrived = false;
};

// Orders nodes by creation, the latest first, as LibTorch's engine does: what a step allocates last
// is freed first.
struct Earlier {
  bool operator()(const Node* a, const Node* b) const { return a->sequence_nr() < b->sequence_nr(); }
};

// Backward pass on the calling thread. LibTorch's engine serves many devices and threads; on one
// CPU its overhead for each node equals the time of a small product. The nodes are the same, called
// in the same order.
class Pass {
 public:
  Pass(const Tensor& loss, const std::vector<Tensor>& leaves, const Arrived& arrived)
      : arrived_(arrived), before_(current) {
    Node* root = loss.grad_fn().get();
    nodes_[root].gradients = {at::ones_like(loss)};
    for (std::vector<Node*> found{root}; !found.empty();) {
      Node* node = found.back();
      found.pop_back();
      for (const auto& edge : node->next_edges()) {
        if (!edge.is_valid()) continue;
        if (nodes_.try_emplace(edge.function.get()).second) found.push_back(edge.function.get());
        ++nodes_[edge.function.get()].outstanding;
      }
    }
    ready_.push(root);
    for (size_t i = 0; i < leaves.size(); ++i) {
      const auto node = torch::autograd::impl::gradient_edge(leaves[i]).function;
      if (nodes_.count(node.get()))
        leaf_[node.get()] = i;
      else
        arrived_(i, Tensor());
    }
    current = this;
  }

  ~Pass() { current = before_; }
  Pass(const Pass&) = delete;

  void run() {
    while (!ready_.empty()) {
      Node* node = ready_.top();
      ready_.pop();
      variable_list gradients = std::move(nodes_[node].gradients);
      // A node without outputs belongs to a variable. Nothing is added to its `grad`.
      if (node->num_outputs() == 0) {
        const auto place = leaf_.find(node);
        if (place != leaf_.end() && !nodes_[node].arrived)
          arrived_(place->second, gradients.empty() ? Tensor() : gradients[0]);
        continue;
      }
      gradients.resize(node->num_inputs());
      applied_ = node;
      variable_list further = (*node)(std::move(gradients));
      applied_ = nullptr;
      torch::autograd::validate_outputs(
          node->next_edges(), further, [&](const std::string& what) { return node->name() + ": " + what; });
      node->release_variables();
      for (size_t i = 0; i < further.size(); ++i) {
        const auto& edge = node->next_edge(i);
        if (!edge.is_valid()) continue;
        Pending& next = nodes_[edge.function.get()];
        if (further[i].defined()) {
          if (next.gradients.size() <= edge.input_nr) next.gradients.resize(edge.input_nr + 1);
          Tensor& sum = next.gradients[edge.input_nr];
          sum = sum.defined() ? sum + further[i] : further[i];
        }
        if (--next.outstanding == 0) ready_.push(edge.function.get());
      }
    }
  }

  static void hand_over(const Node& node, size_t output, const Tensor& gradient) {
    // A node may also be applied by a pass of LibTorch's engine inside this one.
    if (!current || current->applied_ != &node) return;
    const auto leaf = current->leaf_.find(node.next_edge(output).function.get());
    if (leaf == current->leaf_.end()) return;
    Pending& pending = current->nodes_[leaf->first];
    if (pending.outstanding != 1 || !pending.gradients.empty()) return;
    pending.arrived = true;
    current->arrived_(leaf->second, gradient);
  }

 private:
  // One for each thread and copy: nodes of a plugin hand over nothing.
  static thread_local Pass* current;

  const Arrived& arrived_;
  Pass* before_;
  std::unordered_map<const Node*, Pending> nodes_;
  std::unordered_map<const Node*, size_t> leaf_;
  std::priority_queue<Node*, std::vector<Node*>, Earlier> ready_;
  const Node* applied_ = nullptr;
};

thread_local Pass* Pass::current = nullptr;

}  // namespace

void gradients(const Tensor& loss, const std::vector<Tensor>& leaves, const Arrived& arrived) {
  const at::AutoGradMode not_recorded(false);
  if (loss.device().is_cpu() && loss.grad_fn()) return Pass(loss, leaves, arrived).run();
  const auto found = torch::autograd::grad({loss}, leaves, {}, std::nullopt, false, true);
  for (size_t i = 0; i < leaves.size(); ++i) arrived(i, found[i]);
}

void hand_over(const Node& node, size_t output, const Tensor& gradient) { Pass::hand_over(node, output, gradient); }

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
