#pragma once

#include <chrono>

namespace gloo {
class Context {
 public:
  // A header that held one by value would not compile.
  Context() = delete;
  ~Context() = delete;
  void setTimeout(std::chrono::milliseconds);
};
}  // namespace gloo
