// A group of processes on LibTorch's c10d: a TCPStore, where processes meet and leave texts, and a
// backend that sums and sends tensors: gloo on CPUs, NCCL (nccl.cpp) on GPUs.
//
// Every call answers 0, or 1 and a message that the caller frees with triflow_group_free.

#include <ATen/ATen.h>
#include <c10/util/Logging.h>
#include <dlfcn.h>
#include <signal.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>

using c10::intrusive_ptr;
using std::chrono::milliseconds;

struct triflow_group {
  intrusive_ptr<c10d::Store> store;
  // None before triflow_group_connect and after triflow_group_disconnect.
  intrusive_ptr<c10d::Backend> backend;
  int rank, size;
  milliseconds timeout;
};

struct triflow_sum {
  intrusive_ptr<c10d::Work> work;
};

namespace {

template <typename F>
int guarded(char** error, F f) {
  try {
    f();
    return 0;
  } catch (const c10::Error& e) {
    *error = strdup(e.what_without_backtrace());
  } catch (const std::exception& e) {
    *error = strdup(e.what());
  } catch (...) {
    *error = strdup("an exception that says nothing");
  }
  return 1;
}

using MakeNccl = c10d::Backend* (*)(c10d::Store*, int rank, int size, int device, int64_t timeout_ms);

intrusive_ptr<c10d::Backend> by_gloo(const triflow_group& group, const char* address) {
  using Gloo = c10d::ProcessGroupGloo;
  auto options = Gloo::Options::create(group.timeout);
  // The user's choice of an interface wins.
  if (getenv("GLOO_SOCKET_IFNAME"))
    options = Gloo::Options::create_default(group.timeout);
  else
    options->devices.push_back(Gloo::createDeviceForHostname(address));
  return c10::make_intrusive<Gloo>(group.store, group.rank, group.size, std::move(options));
}

intrusive_ptr<c10d::Backend> by_nccl(const triflow_group& group, const char* library, int device) {
  void* loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  TORCH_CHECK(loaded, dlerror());
  const auto make = reinterpret_cast<MakeNccl>(dlsym(loaded, "triflow_nccl_backend"));
  const auto version = reinterpret_cast<const char* (*)()>(dlsym(loaded, "triflow_nccl_libtorch"));
  TORCH_CHECK(make && version, library, " is another library");
  // Their builds for CPUs and for CUDA differ in what follows the plus.
  const std::string built(version()), own(TORCH_VERSION);
  TORCH_CHECK(
      built.substr(0, built.find('+')) == own.substr(0, own.find('+')), library, " is for LibTorch ", built,
      ", but this is ", own, ": build it again with `make libtriflow-nccl`");
  return intrusive_ptr<c10d::Backend>::reclaim(
      make(group.store.get(), group.rank, group.size, device, group.timeout.count()));
}

}  // namespace

extern "C" {

// Opens the store at host:port. `serve`: this process keeps it, and listens at the socket `listener`,
// or on all interfaces where that is -1.
int triflow_group_open(
    const char* host, int port, int serve, int listener, const char* prefix, int rank, int size,
    int64_t timeout_ms, triflow_group** group, char** error) {
  return guarded(error, [&] {
    // A peer that is gone is an error of the call, not the end of the process.
    signal(SIGPIPE, SIG_IGN);
    // c10d logs a page of addresses for a lost store, beside the error that is reported anyway.
    if (!getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = 3;
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = serve != 0;
    options.numWorkers = size;
    // A launcher's store does not count its clients.
    options.waitWorkers = false;
    options.timeout = milliseconds(timeout_ms);
    if (listener >= 0) options.masterListenFd = listener;
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    *group = new triflow_group{
        c10::make_intrusive<c10d::PrefixStore>(prefix, std::move(store)), {}, rank, size, milliseconds(timeout_ms)};
  });
}

// Connects with the others by gloo, at this machine's `address`, or by the library of nccl.cpp at the
// path `nccl_library` (null: gloo), with the GPU `device`.
int triflow_group_connect(
    triflow_group* group, const char* address, const char* nccl_library, int device, char** error) {
  return guarded(error, [&] {
    group->backend = nccl_library ? by_nccl(*group, nccl_library, device) : by_gloo(*group, address);
  });
}

int triflow_group_set(triflow_group* group, const char* key, const char* value, char** error) {
  return guarded(error, [&] { group->store->set(key, std::string(value)); });
}

// Waits until the key is set, within a time limit; 0 is none.
int triflow_group_get(triflow_group* group, const char* key, int64_t timeout_ms, char** value, char** error) {
  return guarded(error, [&] {
    group->store->wait({key}, milliseconds(timeout_ms));
    *value = strdup(group->store->get_to_str(key).c_str());
  });
}

// Sets a key that is not set yet; gives the text that it has afterwards.
int triflow_group_set_first(triflow_group* group, const char* key, const char* value, char** now, char** error) {
  return guarded(error, [&] {
    const auto bytes = group->store->compareSet(
        key, std::vector<uint8_t>(), std::vector<uint8_t>(value, value + std::strlen(value)));
    *now = strdup(std::string(bytes.begin(), bytes.end()).c_str());
  });
}

// The text of a key; null if it is not set.
int triflow_group_find(triflow_group* group, const char* key, char** value, char** error) {
  return guarded(error, [&] {
    *value = group->store->check({key}) ? strdup(group->store->get_to_str(key).c_str()) : nullptr;
  });
}

// Adds 1 to a counter; gives its value afterwards.
int triflow_group_count(triflow_group* group, const char* key, int64_t* now, char** error) {
  return guarded(error, [&] { *now = group->store->add(key, 1); });
}

// Begins to replace a tensor of one piece by its sum over the group, in the background: nothing may
// use the tensor until the sum was awaited. All processes begin the same sums in the same order.
int triflow_group_begin_sum(triflow_group* group, void* tensor, triflow_sum** sum, char** error) {
  return guarded(error, [&] {
    const at::NoGradGuard off;
    TORCH_CHECK(group->backend, "this process has left the group");
    std::vector<at::Tensor> one{static_cast<at::Tensor*>(tensor)->view({-1})};
    *sum = new triflow_sum{group->backend->allreduce(one, c10d::AllreduceOptions())};
  });
}

int triflow_group_await_sum(triflow_sum* sum, char** error) {
  return guarded(error, [&] { sum->work->wait(); });
}

// A sum that is still under way goes on, and keeps the memory of its tensor.
void triflow_group_drop_sum(triflow_sum* sum) { delete sum; }

// Replaces a tensor by that of the rank `from`.
int triflow_group_broadcast(triflow_group* group, void* tensor, int from, char** error) {
  return guarded(error, [&] {
    const at::NoGradGuard off;
    TORCH_CHECK(group->backend, "this process has left the group");
    std::vector<at::Tensor> one{*static_cast<at::Tensor*>(tensor)};
    c10d::BroadcastOptions options;
    options.rootRank = from;
    group->backend->broadcast(one, options)->wait();
  });
}

// Closes the connections, on which the calls of the others fail, after the sums that are under way.
// The store stays.
void triflow_group_disconnect(triflow_group* group) { group->backend.reset(); }

void triflow_group_drop(triflow_group* group) { delete group; }

void triflow_group_free(char* text) { std::free(text); }
}
