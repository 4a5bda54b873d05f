#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core/call.h"
#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

/**
 * So many batches wait for an event loop that is busy. Then the monitor waits as well, and what comes meanwhile fills
 * its socket: an overflow is told as lost, while a queue without an end would take all memory.
 */
constexpr std::size_t most_batches = 64;

template <typename Batch>
void deliver_batch(Napi::Env env, Napi::Function receive, std::nullptr_t*, Batch* raw) {
  const std::unique_ptr<Batch> batch(raw);
  if (env == nullptr) return;  // The monitor has been closed, or the environment is being torn down.
  receive.Call(to_arguments(env, *batch));
}

/**
 * Opens a monitor on a socket: `receive(events, lost)` gets its batches until the function that is returned is called.
 * `arguments` are what the monitor takes between the socket and its receiver; `to_arguments(env, batch)` converts.
 * Throws SystemError when it cannot be opened.
 *
 * The thread-safe function owns the monitor: Node runs its finalizer both after a close and at the environment's end,
 * and always before it frees the function, so that joining the thread there leaves nobody to call it. A thread that
 * waits for room in the queue is woken before, by Abort() and by the environment's end: what is joined comes to an end.
 */
template <typename Monitor, typename... Arguments>
Napi::Value monitor_for(Napi::Env env, const Napi::Function& receive, FileDescriptor socket,
                        const Arguments&... arguments) {
  using Batch = typename Monitor::Batch;
  using Delivery = Napi::TypedThreadSafeFunction<std::nullptr_t, Batch, deliver_batch<Batch>>;
  const auto monitor = std::make_shared<std::optional<Monitor>>();
  auto delivery = Delivery::New(env, receive, "hostbrick.monitor", most_batches, 1, nullptr,
                                [monitor](Napi::Env, void*, std::nullptr_t*) { monitor->reset(); });
  const auto deliver = [delivery](Batch batch) {
    auto owned = std::make_unique<Batch>(std::move(batch));
    if (delivery.BlockingCall(owned.get()) == napi_ok) (void)owned.release();
  };
  try {
    monitor->emplace(std::move(socket), arguments..., deliver);
  } catch (const std::system_error& failure) {
    delivery.Abort();
    throw SystemError(failure.code().value(), "pthread_create");
  } catch (...) {
    delivery.Abort();
    throw;
  }
  return Napi::Function::New(
      env,
      [delivery, open = true](const Napi::CallbackInfo&) mutable {
        // What has not been received yet is not going to be.
        if (std::exchange(open, false)) delivery.Abort();
      },
      "close");
}

}  // namespace hostbrick
