#include "nvme/binding.h"

#include <chrono>
#include <cstdint>
#include <string>

#include "core/call.h"
#include "core/values.h"
#include "nvme/admin.h"
#include "nvme/fabrics.h"

namespace hostbrick {

namespace nvme {
namespace {

Napi::Value options(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info[0]), fabrics_options,
                    [](Napi::Env env, const std::string& list) { return Napi::String::New(env, list); });
}

Napi::Value connect(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), text(info[0]), [asked = text(info[1])] { return connect_fabrics(asked); },
      [](Napi::Env env, const FabricsController& controller) {
        auto object = Napi::Object::New(env);
        object.Set("instance", controller.instance);
        object.Set("connected", controller.controller_id != unconnected);
        object.Set("reason", controller.reason);
        return object;
      });
}

Napi::Value identify_structure(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), text(info[0]),
      [device = text(info[1]), cns = static_cast<std::uint8_t>(info[2].As<Napi::Number>().Uint32Value()),
       namespace_id = info[3].As<Napi::Number>().Uint32Value(),
       timeout = to_timeout(info[4])] { return identify_nvme(device, cns, namespace_id, timeout); },
      copy_to_buffer);
}

LogPage to_log_page(const Napi::Object& page) {
  return {
      .identifier = static_cast<std::uint8_t>(page.Get("identifier").As<Napi::Number>().Uint32Value()),
      .specific = static_cast<std::uint8_t>(page.Get("specific").As<Napi::Number>().Uint32Value()),
      .offset = static_cast<std::uint64_t>(page.Get("offset").As<Napi::Number>().Int64Value()),
      .length = page.Get("length").As<Napi::Number>().Uint32Value(),
  };
}

Napi::Value read_log(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), text(info[0]),
      [device = text(info[1]), page = to_log_page(info[2].As<Napi::Object>()), timeout = to_timeout(info[3])] {
        return log_page(device, page, timeout);
      },
      copy_to_buffer);
}

Napi::Value rescan(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info[0]), [device = text(info[1])] { rescan_controller(device); });
}

}  // namespace
}  // namespace nvme

void export_nvme(Napi::Env env, Napi::Object exports) {
  exports.Set("fabricsOptions", Napi::Function::New(env, nvme::options, "fabricsOptions"));
  exports.Set("connectFabrics", Napi::Function::New(env, nvme::connect, "connectFabrics"));
  exports.Set("identifyNvme", Napi::Function::New(env, nvme::identify_structure, "identifyNvme"));
  exports.Set("nvmeLogPage", Napi::Function::New(env, nvme::read_log, "nvmeLogPage"));
  exports.Set("rescanController", Napi::Function::New(env, nvme::rescan, "rescanController"));
}

}  // namespace hostbrick
