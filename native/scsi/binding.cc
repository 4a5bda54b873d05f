#include "scsi/binding.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "core/call.h"
#include "core/values.h"
#include "scsi/command.h"

namespace hostbrick {

namespace scsi {
namespace {

Napi::Value to_object(Napi::Env env, const Identification& answers) {
  const auto value = [env](const std::optional<Bytes>& answer) {
    return answer ? copy_to_buffer(env, *answer) : env.Null();
  };
  auto object = Napi::Object::New(env);
  object.Set("standard", value(answers.standard));
  object.Set("page83", value(answers.page83));
  object.Set("page80", value(answers.page80));
  return object;
}

Napi::Value ask_if_running(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [device = info[1].As<Napi::String>().Utf8Value(), state = info[2].As<Napi::String>().Utf8Value(),
       timeout = to_timeout(info[3])] { return designators_if_running(device, state, timeout); },
      [](Napi::Env env, const std::optional<Bytes>& page) { return page ? copy_to_buffer(env, *page) : env.Null(); });
}

template <auto Command, auto Convert = copy_to_buffer>
Napi::Value ask(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [device = info[1].As<Napi::String>().Utf8Value(), timeout = to_timeout(info[2])] {
        return Command(device, timeout);
      },
      Convert);
}

}  // namespace
}  // namespace scsi

void export_scsi(Napi::Env env, Napi::Object exports) {
  exports.Set("identify", Napi::Function::New(env, scsi::ask<identify, scsi::to_object>, "identify"));
  exports.Set("designatorsIfRunning", Napi::Function::New(env, scsi::ask_if_running, "designatorsIfRunning"));
  exports.Set("reportLuns", Napi::Function::New(env, scsi::ask<report_luns>, "reportLuns"));
  exports.Set("readCapacity", Napi::Function::New(env, scsi::ask<read_capacity>, "readCapacity"));
}

}  // namespace hostbrick
