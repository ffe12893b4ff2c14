// A CPU allocator that refuses what does not fit in free memory: the system would grant it and end
// the process when it is used.

#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdint>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

// Free memory is checked for allocations of LARGE bytes or more, and after every SEVERAL bytes in
// total.
constexpr uint64_t LARGE = uint64_t(128) << 20;
constexpr uint64_t SEVERAL = uint64_t(1) << 30;

uint64_t (*bytes_free)() = nullptr;

class Guarded final : public c10::Allocator {
 public:
  explicit Guarded(c10::Allocator* inner) : inner_(inner) {}

  c10::DataPtr allocate(size_t n) override {
    uint64_t before = since_.fetch_add(n, std::memory_order_relaxed);
    if (n >= LARGE || before + n >= SEVERAL) {
      since_.store(0, std::memory_order_relaxed);
      check(n);
    }
    return inner_->allocate(n);
  }

  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }

  bool is_simple_data_ptr(const c10::DataPtr& data) const override {
    return inner_->is_simple_data_ptr(data);
  }

  void copy_data(void* to, const void* from, std::size_t n) const override {
    inner_->copy_data(to, from, n);
  }

 private:
  static void check(uint64_t n) {
    if (n <= bytes_free()) return;
#ifdef __GLIBC__
    // Freed memory that the allocator keeps is free too: return it, and look again.
    malloc_trim(0);
#endif
    uint64_t found = bytes_free();
    TORCH_CHECK(n <= found, "needs ", n, " bytes of memory at once, and ", found, " are free");
  }

  c10::Allocator* inner_;
  std::atomic<uint64_t> since_{0};
};

}  // namespace

// Called once, before anything else allocates much. `found` returns the free bytes.
extern "C" void triflow_guard_memory(uint64_t (*found)()) {
  bytes_free = found;
  c10::SetCPUAllocator(new Guarded(c10::GetCPUAllocator()), 1);
}
