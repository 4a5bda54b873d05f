#include "udev/binding.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/call.h"
#include "core/convert.h"
#include "udev/monitor.h"

namespace hostbrick {

namespace {

void deliver(Napi::Env env, Napi::Function receive, std::nullptr_t*, UeventBatch* raw) {
  const std::unique_ptr<UeventBatch> batch(raw);
  if (env == nullptr) return;  // The environment is being torn down.
  receive.Call({to_array(env, batch->events), Napi::Boolean::New(env, batch->lost)});
}

using Delivery = Napi::TypedThreadSafeFunction<std::nullptr_t, UeventBatch, deliver>;

// The thread-safe function owns the monitor: Node runs its finalizer both after a close and at the environment's end,
// and always before it frees the function, so that joining the thread there leaves nobody to call it.
Napi::Value open_monitor(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto group = info[0].As<Napi::String>().Utf8Value() == "udev" ? UeventGroup::udev : UeventGroup::kernel;
  const auto monitor = std::make_shared<std::optional<UeventMonitor>>();
  try {
    auto socket = open_uevent_socket(group);
    auto delivery = Delivery::New(env, info[1].As<Napi::Function>(), "hostbrick.monitor", 0, 1, nullptr,
                                  [monitor](Napi::Env, void*, std::nullptr_t*) { monitor->reset(); });
    monitor->emplace(std::move(socket), group, [delivery](UeventBatch batch) {
      auto owned = std::make_unique<UeventBatch>(std::move(batch));
      if (delivery.NonBlockingCall(owned.get()) == napi_ok) (void)owned.release();
    });
    return Napi::Function::New(
        env,
        [delivery, open = true](const Napi::CallbackInfo&) mutable {
          if (std::exchange(open, false)) delivery.Release();
        },
        "close");
  } catch (const SystemError& failure) {
    throw to_javascript(env, failure);
  }
}

}  // namespace

void export_udev(Napi::Env env, Napi::Object exports) {
  exports.Set("openMonitor", Napi::Function::New(env, open_monitor, "openMonitor"));
}

}  // namespace hostbrick
