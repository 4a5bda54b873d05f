#include "udev/binding.h"

#include "netlink/delivery.h"
#include "udev/monitor.h"

namespace hostbrick {

namespace {

Napi::Value open_monitor(const Napi::CallbackInfo& info) {
  const auto group = info[0].As<Napi::String>().Utf8Value() == "udev" ? UeventGroup::udev : UeventGroup::kernel;
  const auto receive = info[1].As<Napi::Function>();
  try {
    return monitor_for<UeventMonitor>(info.Env(), receive, open_uevent_socket(group), group);
  } catch (const SystemError& failure) {
    throw to_javascript(info.Env(), failure);
  }
}

}  // namespace

void export_udev(Napi::Env env, Napi::Object exports) {
  exports.Set("openMonitor", Napi::Function::New(env, open_monitor, "openMonitor"));
}

}  // namespace hostbrick
