// Convention of the shim: C++ returns a new tensor, or null and a message that the caller frees
// with triflow_free.
#pragma once

#include <ATen/ATen.h>
#include <ATen/TracerMode.h>

#include <cstring>
#include <exception>

template <typename F>
at::Tensor* guarded(char** error, F f) {
  try {
    return new at::Tensor(f());
  } catch (const std::exception& e) {
    *error = strdup(e.what());
  } catch (...) {
    *error = strdup("an exception that says nothing");
  }
  return nullptr;
}

// True while LibTorch records the operations of this thread as a graph, which has a node for each of
// its own and none for those of this library.
inline bool traced() { return at::tracer::impl::is_dispatch_enabled(); }
