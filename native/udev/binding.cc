#include "udev/binding.h"

#include <memory>

#include "core/convert.h"
#include "netlink/delivery.h"
#include "udev/monitor.h"

namespace hostbrick {

namespace {

Napi::Value open_monitor(const Napi::CallbackInfo& info) {
  const auto group = info[0].As<Napi::String>().Utf8Value() == "udev" ? UeventGroup::udev : UeventGroup::kernel;
  const auto receive = info[1].As<Napi::Function>();
  try {
    const auto interest = std::make_shared<UeventInterest>();
    auto monitor = Napi::Object::New(info.Env());
    monitor.Set("close", monitor_for<UeventMonitor>(info.Env(), receive, open_uevent_socket(group), group, interest));
    const auto only = [interest](const Napi::CallbackInfo& texts) { interest->set(to_texts(texts[0])); };
    monitor.Set("only", Napi::Function::New(info.Env(), only, "only"));
    return monitor;
  } catch (const SystemError& failure) {
    throw to_javascript(info.Env(), failure);
  }
}

}  // namespace

void export_udev(Napi::Env env, Napi::Object exports) {
  exports.Set("openMonitor", Napi::Function::New(env, open_monitor, "openMonitor"));
}

}  // namespace hostbrick
