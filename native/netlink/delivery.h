#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <utility>

#include "core/call.h"
#include "core/convert.h"
#include "core/file_descriptor.h"

namespace hostbrick {

template <typename Batch>
void deliver_batch(Napi::Env env, Napi::Function receive, std::nullptr_t*, Batch* raw) {
  const std::unique_ptr<Batch> batch(raw);
  if (env == nullptr) return;  // The environment is being torn down.
  receive.Call({to_array(env, batch->events), Napi::Boolean::New(env, batch->lost)});
}

/**
 * Opens a monitor on a socket: `receive(events, lost)` gets its batches until the function that is returned is called.
 * `arguments` are what the monitor takes between the socket and its receiver; `to_array(env, events)` converts.
 *
 * The thread-safe function owns the monitor: Node runs its finalizer both after a close and at the environment's end,
 * and always before it frees the function, so that joining the thread there leaves nobody to call it.
 */
template <typename Monitor, typename... Arguments>
Napi::Value monitor_for(Napi::Env env, const Napi::Function& receive, FileDescriptor socket,
                        const Arguments&... arguments) {
  using Batch = typename Monitor::Batch;
  using Delivery = Napi::TypedThreadSafeFunction<std::nullptr_t, Batch, deliver_batch<Batch>>;
  const auto monitor = std::make_shared<std::optional<Monitor>>();
  auto delivery = Delivery::New(env, receive, "hostbrick.monitor", 0, 1, nullptr,
                                [monitor](Napi::Env, void*, std::nullptr_t*) { monitor->reset(); });
  monitor->emplace(std::move(socket), arguments..., [delivery](Batch batch) {
    auto owned = std::make_unique<Batch>(std::move(batch));
    if (delivery.NonBlockingCall(owned.get()) == napi_ok) (void)owned.release();
  });
  return Napi::Function::New(
      env,
      [delivery, open = true](const Napi::CallbackInfo&) mutable {
        if (std::exchange(open, false)) delivery.Release();
      },
      "close");
}

}  // namespace hostbrick
