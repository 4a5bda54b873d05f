#include "network/binding.h"

#include <string>
#include <vector>

#include "core/call.h"
#include "core/convert.h"
#include "network/local_socket.h"
#include "network/resolve.h"

namespace hostbrick {

namespace {

Napi::Value resolve(const Napi::CallbackInfo& info) {
  const auto host = info[0].As<Napi::String>().Utf8Value();
  return start_call(info.Env(), "host:" + host, [host] { return resolve_host(host); }, to_array);
}

// Resolves to the descriptor's number, which is then the caller's to close.
Napi::Value connect(const Napi::CallbackInfo& info) {
  const auto name = info[0].As<Napi::String>().Utf8Value();
  return start_call(
      info.Env(), "socket:" + name, [name] { return connect_abstract(name); },
      [](Napi::Env env, FileDescriptor socket) { return Napi::Number::New(env, socket.release()); });
}

}  // namespace

void export_network(Napi::Env env, Napi::Object exports) {
  exports.Set("connectAbstract", Napi::Function::New(env, connect, "connectAbstract"));
  exports.Set("resolveHost", Napi::Function::New(env, resolve, "resolveHost"));
}

}  // namespace hostbrick
