#include "udev/binding.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/convert.h"
#include "netlink/delivery.h"
#include "sysfs/values.h"
#include "udev/monitor.h"

namespace hostbrick {

namespace udev {
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
    const auto look_at_next = [interest](const Napi::CallbackInfo& plan) {
      interest->look_at_next(to_folders(plan[0]));
    };
    monitor.Set("lookAtNext", Napi::Function::New(info.Env(), look_at_next, "lookAtNext"));
    return monitor;
  } catch (const SystemError& failure) {
    throw to_javascript(info.Env(), failure);
  }
}

}  // namespace
}  // namespace udev

// What deliver_batch finds by the batch's type.
static std::vector<napi_value> to_arguments(Napi::Env env, UeventBatch& batch) {
  auto look = Napi::Value(env.Null());
  if (batch.look) {
    auto object = Napi::Object::New(env);
    object.Set("names", to_array(env, batch.look->names));
    object.Set("bytes", to_buffer(env, std::move(batch.look->bytes)));
    look = object;
  }
  return {to_array(env, batch.events), Napi::Boolean::New(env, batch.lost), look};
}

void export_udev(Napi::Env env, Napi::Object exports) {
  exports.Set("openMonitor", Napi::Function::New(env, udev::open_monitor, "openMonitor"));
}

}  // namespace hostbrick
