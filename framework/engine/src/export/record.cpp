// Records a function of tensors as a TorchScript archive.
//
// LibTorch's tracer records the operations that the calling thread runs. It writes the sizes that it
// sees as numbers, so the function is recorded for two sizes of the batch: numbers that are the same
// multiple of both become multiples of the size of the first input, and any other difference between
// the two graphs is an error.
#include <ATen/ATen.h>
#include <ATen/TracerMode.h>
#include <ATen/record_function.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/common_subexpression_elimination.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/shape_analysis.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

using at::Tensor;
using namespace torch::jit;

namespace {

// Evaluates the function; null if it fails.
using Recorded = Tensor* (*)(void* context, const Tensor* const* inputs);

// A variable: `key` is the tensor that the function computes with, `value` is what is saved.
struct Variable {
  std::string name;
  Tensor key, value;
};

struct Request {
  std::vector<Variable> variables;
  std::vector<std::string> names;         // of the inputs
  std::vector<std::vector<Tensor>> rows;  // the inputs of both batches
  Recorded function;
  void* context;
};

// "crn.network.join.weight" → its parts.
std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// The `own` of all variables, whose first `depth` parts are the same, as a tree of modules.
Module tree(
    const std::string& path, const std::vector<Variable>& all, const std::vector<size_t>& own, size_t depth,
    const std::shared_ptr<CompilationUnit>& unit) {
  Module module(c10::QualifiedName(path), unit);
  std::vector<std::pair<std::string, std::vector<size_t>>> below;
  for (const size_t i : own) {
    const auto parts = parts_of(all[i].name);
    if (parts.size() == depth + 1) {
      module.register_parameter(parts[depth], all[i].key, false);
      continue;
    }
    const auto found =
        std::find_if(below.begin(), below.end(), [&](const auto& group) { return group.first == parts[depth]; });
    if (found == below.end())
      below.push_back({parts[depth], {i}});
    else
      found->second.push_back(i);
  }
  for (const auto& [name, group] : below)
    module.register_module(name, tree(path + "_" + name, all, group, depth + 1, unit));
  return module;
}

Module module_of(const std::vector<Variable>& variables) {
  std::vector<size_t> all(variables.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  return tree("__torch__.triflow", variables, all, 0, std::make_shared<CompilationUnit>());
}

// A tensor that begins as zeros. One that is made of numbers of the program is so too, and gets them
// in a way that is not recorded.
struct Made {
  Value* value;
  c10::Storage storage;
  std::vector<int64_t> sizes;
  at::ScalarType type;

  // True if a recorded operation writes to it.
  bool is_written() const {
    for (const Use& use : value->uses()) {
      const std::string name = use.user->kind().toUnqualString();
      if (name.size() > 1 && name.back() == '_') return true;
    }
    return false;
  }
};

thread_local std::vector<Made>* made = nullptr;

std::unique_ptr<at::ObserverContext> ignore(const at::RecordFunction&) { return nullptr; }

void keep(const at::RecordFunction& function, at::ObserverContext*) {
  if (!made || !tracer::isTracing() || std::strcmp(function.name(), "aten::zeros") != 0) return;
  const auto& state = tracer::getTracingState();
  for (const auto& output : function.outputs()) {
    if (!output.isTensor() || !state->hasValue(output)) continue;
    const Tensor& t = output.toTensor();
    made->push_back({state->getValue(output), t.storage(), t.sizes().vec(), t.scalar_type()});
  }
}

// Observes the tensors that begin as zeros while a function is recorded.
struct Observer {
  std::vector<Made> all;
  at::CallbackHandle handle;

  Observer() {
    made = &all;
    const auto callback = at::RecordFunctionCallback(&ignore, &keep).needsOutputs(true);
    handle = at::addThreadLocalCallback(callback);
  }
  ~Observer() {
    at::removeCallback(handle);
    made = nullptr;
  }
  Observer(const Observer&) = delete;

  // Those that were filled in another way than by recorded operations become constants.
  void finish(Graph& graph) {
    const at::tracer::impl::NoTracerDispatchMode not_recorded;
    for (const Made& one : all) {
      const Tensor t = at::from_blob(one.storage.mutable_data(), one.sizes, at::TensorOptions(one.type)).clone();
      if (t.numel() == 0 || one.is_written() || !t.ne(0).any().item<bool>()) continue;
      const WithInsertPoint at(one.value->node());
      one.value->replaceAllUsesWith(graph.insertConstant(t));
    }
  }
};

std::shared_ptr<Graph> record(const Request& request, size_t batch, Module& module) {
  Stack inputs;
  for (const Tensor& input : request.rows[batch]) inputs.emplace_back(input);
  const auto run = [&](Stack stack) -> Stack {
    std::vector<Tensor> given;
    for (const auto& value : stack) given.push_back(value.toTensor());
    std::vector<const Tensor*> pointers;
    for (const Tensor& t : given) pointers.push_back(&t);
    Observer observer;
    const std::unique_ptr<Tensor> result(request.function(request.context, pointers.data()));
    if (!result) throw std::runtime_error("the function failed");
    observer.finish(*tracer::getTracingState()->graph);
    return {*result};
  };
  const auto nameless = [](const Tensor&) { return std::string(); };
  auto traced = tracer::trace(inputs, run, nameless, true, false, &module, request.names);
  auto graph = traced.first->graph;
  EliminateDeadCode(graph);
  return graph;
}

std::string kind_of(const Node* node) { return node->kind().toQualString(); }

// Refuses a difference, and names the operation that it belongs to.
[[noreturn]] void differ(const Node* node, const std::string& how) {
  const Node* at = node;
  if (at->kind() == prim::Constant && !at->output()->uses().empty()) at = at->output()->uses()[0].user;
  if (at->kind() == prim::ListConstruct && !at->output()->uses().empty()) at = at->output()->uses()[0].user;
  throw std::runtime_error(how + " (at " + kind_of(at) + ")");
}

bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
      (a.is_same(b) || at::allclose(a.to(at::kDouble), b.to(at::kDouble), 0, 0, true));
}

// The first graph with sizes in place of the numbers that depend on the size of the batch.
struct Generaliser {
  Graph& graph;
  int64_t first, second;  // sizes of the batches
  Value* rows = nullptr;
  std::unordered_map<int64_t, Value*> multiples;

  // `factor` times the number of rows.
  Value* multiple(int64_t factor) {
    const auto found = multiples.find(factor);
    if (found != multiples.end()) return found->second;
    const WithInsertPoint at(rows ? rows->node()->next() : *graph.nodes().begin());
    if (!rows) {
      rows = graph.insert(aten::size, {graph.inputs()[1], 0});
      multiples[1] = rows;
      if (factor == 1) return rows;
      return multiple(factor);
    }
    Value* made = graph.insert(aten::mul, {rows, factor});
    return multiples[factor] = made;
  }

  void constant(Node* a, const Node* b) {
    const IValue one = *toIValue(a->output()), other = *toIValue(b->output());
    if (one.isTensor() && other.isTensor()) {
      if (!same_tensor(one.toTensor(), other.toTensor()))
        differ(a, "a value that does not come from recorded operations depends on the inputs");
      return;
    }
    if (one.isInt() && other.isInt() && one.toInt() != other.toInt()) {
      const int64_t factor = one.toInt() / first;
      if (factor < 1 || factor * first != one.toInt() || factor * second != other.toInt())
        differ(a, "a number that is " + std::to_string(one.toInt()) + " for " + std::to_string(first) + " rows and " +
                   std::to_string(other.toInt()) + " for " + std::to_string(second) + " is no multiple of the rows");
      a->output()->replaceAllUsesWith(multiple(factor));
      return;
    }
    if (one.isDouble() && other.isDouble() && std::isnan(one.toDouble()) && std::isnan(other.toDouble())) return;
    if (one.isTensor() != other.isTensor() || (!one.isTensor() && one != other))
      differ(a, "an argument depends on the values of the inputs or on the number of rows");
  }

  void run(const Graph& other) {
    std::unordered_map<const Value*, const Value*> same;
    const auto pair = [&](at::ArrayRef<const Value*> a, at::ArrayRef<const Value*> b) {
      for (size_t i = 0; i < a.size(); ++i) same[a[i]] = b[i];
    };
    pair(const_cast<const Graph&>(graph).inputs(), other.inputs());
    std::vector<Node*> mine;
    for (Node* node : graph.nodes()) mine.push_back(node);
    std::vector<const Node*> its;
    for (const Node* node : other.nodes()) its.push_back(node);
    const std::string changes = "which operations run depends on the size of the batch or the values of the inputs";
    if (mine.size() != its.size()) differ(mine[std::min(mine.size(), its.size()) - 1], changes);
    // Replacing a constant changes the inputs of later nodes, so all are compared first.
    for (size_t i = 0; i < mine.size(); ++i) {
      const Node *a = mine[i], *b = its[i];
      if (a->kind() != b->kind() || a->inputs().size() != b->inputs().size() ||
          a->outputs().size() != b->outputs().size() || !a->blocks().empty())
        differ(a, changes);
      for (size_t k = 0; k < a->inputs().size(); ++k)
        if (same[a->inputs()[k]] != b->inputs()[k]) differ(a, changes);
      if (a->kind() == prim::GetAttr && a->s(attr::name) != b->s(attr::name)) differ(a, changes);
      pair(a->outputs(), b->outputs());
    }
    for (size_t i = 0; i < mine.size(); ++i)
      if (mine[i]->kind() == prim::Constant) constant(mine[i], its[i]);
  }

  // Devices of new tensors become that of the first input.
  void move() {
    Value* device = nullptr;
    std::vector<Node*> all;
    for (Node* node : graph.nodes()) all.push_back(node);
    for (Node* node : all) {
      if (node->kind() != prim::Constant || !toIValue(node->output())->isDevice()) continue;
      if (!device) {
        const WithInsertPoint at(*graph.nodes().begin());
        device = graph.insert(prim::device, {graph.inputs()[1]});
      }
      node->output()->replaceAllUsesWith(device);
    }
  }
};

// Names of the variables that a graph reads.
std::set<std::string> used(const Graph& graph) {
  std::unordered_map<const Value*, std::string> paths{{graph.inputs()[0], ""}};
  std::set<std::string> names;
  for (const Node* node : graph.nodes()) {
    if (node->kind() != prim::GetAttr) continue;
    const std::string& before = paths[node->input()];
    const std::string path = before.empty() ? node->s(attr::name) : before + "." + node->s(attr::name);
    paths[node->output()] = path;
    names.insert(path);
  }
  return names;
}

std::string archive(Request& request, const std::string& about) {
  {
    Module all = module_of(request.variables);
    const auto names = used(*record(request, 0, all));
    std::vector<Variable> kept;
    for (Variable& own : request.variables)
      if (names.count(own.name)) kept.push_back(std::move(own));
    request.variables = std::move(kept);
  }
  Module module = module_of(request.variables), again = module_of(request.variables);
  auto graph = record(request, 0, module);
  const auto other = record(request, 1, again);
  Generaliser both{*graph, request.rows[0][0].size(0), request.rows[1][0].size(0)};
  both.run(*other);
  EraseShapeInformation(graph);
  EliminateDeadCode(graph);
  ConstantPropagation(graph);
  both.move();
  EliminateCommonSubexpression(graph);
  EliminateDeadCode(graph);
  graph->lint();
  for (const Variable& own : request.variables) {
    Module at = module;
    const auto parts = parts_of(own.name);
    for (size_t i = 0; i + 1 < parts.size(); ++i) at = at.attr(parts[i]).toModule();
    at.setattr(parts.back(), own.value.detach().clone());
  }
  const auto name = c10::QualifiedName(*module.type()->name(), "forward");
  auto* function = module._ivalue()->compilation_unit()->create_function(name, graph);
  module.type()->addMethod(function);
  std::ostringstream out;
  module.save(out, {{"triflow.json", about}});
  return out.str();
}

char* copied(const std::string& text, size_t* size) {
  char* bytes = static_cast<char*>(std::malloc(text.size() + 1));
  if (!bytes) throw std::bad_alloc();
  std::memcpy(bytes, text.data(), text.size());
  bytes[text.size()] = '\0';
  *size = text.size();
  return bytes;
}

}  // namespace

// The archive of `function`, or null and a message; both are freed by triflow_record_free.
// `keys` and `values`: `variable_count` tensors each. `rows`: `input_count` inputs of a first batch,
// then those of a second one.
extern "C" char* triflow_record(
    const char* const* variable_names, const Tensor* const* keys, const Tensor* const* values, int variable_count,
    const char* const* input_names, const Tensor* const* rows, int input_count, Recorded function, void* context,
    const char* about, size_t* size, char** error) {
  try {
    Request request{{}, {}, {{}, {}}, function, context};
    for (int i = 0; i < variable_count; ++i) request.variables.push_back({variable_names[i], *keys[i], *values[i]});
    for (int i = 0; i < input_count; ++i) {
      request.names.emplace_back(input_names[i]);
      request.rows[0].push_back(*rows[i]);
      request.rows[1].push_back(*rows[input_count + i]);
    }
    return copied(archive(request, about), size);
  } catch (const std::exception& e) {
    *error = strdup(e.what());
  } catch (...) {
    *error = strdup("an exception that says nothing");
  }
  return nullptr;
}

extern "C" void triflow_record_free(char* bytes) { std::free(bytes); }
