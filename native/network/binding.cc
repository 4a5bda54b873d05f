#include "network/binding.h"

#include <string>
#include <vector>

#include "core/call.h"
#include "core/convert.h"
#include "network/resolve.h"

namespace hostbrick {

namespace {

Napi::Value resolve(const Napi::CallbackInfo& info) {
  const auto host = info[0].As<Napi::String>().Utf8Value();
  return start_call(info.Env(), "host:" + host, [host] { return resolve_host(host); }, to_array);
}

}  // namespace

void export_network(Napi::Env env, Napi::Object exports) {
  exports.Set("resolveHost", Napi::Function::New(env, resolve, "resolveHost"));
}

}  // namespace hostbrick
