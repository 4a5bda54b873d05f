#include "sysfs/values.h"

#include <cstdint>
#include <utility>

#include "core/call.h"
#include "core/system_error.h"
#include "sysfs/plan.h"

namespace hostbrick {

std::vector<WalkFolder> to_folders(const Napi::Value& plan) {
  try {
    return read_plan(plan.As<Napi::String>().Utf8Value());
  } catch (const SystemError& failure) {
    throw to_javascript(plan.Env(), failure);
  }
}

Napi::Value to_values(Napi::Env env, std::vector<FileRead> files) {
  auto values = Napi::Array::New(env, files.size());
  for (std::uint32_t i = 0; i < values.Length(); ++i) {
    auto& [error, content] = files[i];
    values.Set(i, error == 0 ? to_buffer(env, std::move(content)) : Napi::Number::New(env, -error));
  }
  return values;
}

}  // namespace hostbrick
