#include "network/binding.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/call.h"
#include "core/convert.h"
#include "network/addresses.h"
#include "network/local_socket.h"
#include "network/probe.h"
#include "network/resolve.h"

namespace hostbrick {

namespace {

Napi::Value resolve(const Napi::CallbackInfo& info) {
  const auto host = info[0].As<Napi::String>().Utf8Value();
  return start_call(info.Env(), "host:" + host, [host] { return resolve_host(host); }, to_array);
}

Napi::Value addresses(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), info[0].As<Napi::String>(), own_addresses, to_array);
}

// Every probe waits on a lane of its own.
Napi::Value probe(const Napi::CallbackInfo& info) {
  const auto interrupt = std::make_shared<Event>();
  ProbedPort place{info[0].As<Napi::String>(), static_cast<std::uint16_t>(info[1].As<Napi::Number>().Uint32Value()),
                   info[2].As<Napi::String>(), info[3].As<Napi::String>()};
  const auto lane = "probe:" + std::to_string(interrupt->descriptor());
  return start_call(
      info.Env(), lane,
      [place = std::move(place), interrupt] {
        probe_port(place, *interrupt);
        return true;
      },
      [](Napi::Env env, bool) { return env.Undefined(); }, [interrupt] { interrupt->set(); });
}

// Resolves to the descriptor's number, which is then the caller's to close.
template <FileDescriptor (*Connect)(const std::string&)>
Napi::Value connect(const Napi::CallbackInfo& info) {
  const auto name = info[0].As<Napi::String>().Utf8Value();
  return start_call(
      info.Env(), "socket:" + name, [name] { return Connect(name); },
      [](Napi::Env env, FileDescriptor socket) { return Napi::Number::New(env, socket.release()); });
}

Napi::Value to_object(Napi::Env env, const Answer& answer) {
  auto object = Napi::Object::New(env);
  object.Set("bytes", Napi::Buffer<std::uint8_t>::Copy(env, answer.bytes.data(), answer.bytes.size()));
  object.Set("pid", answer.pid);
  object.Set("consumed", answer.consumed);
  return object;
}

Napi::Value ask(const Napi::CallbackInfo& info) {
  auto name = info[0].As<Napi::String>().Utf8Value();
  const auto bytes = info[1].As<Napi::Buffer<char>>();
  const std::chrono::milliseconds timeout(info[2].As<Napi::Number>().Int64Value());
  return start_call(
      info.Env(), "socket:" + name,
      [name, request = std::string(bytes.Data(), bytes.Length()), timeout] {
        return ask_abstract(name, request, timeout);
      },
      to_object);
}

}  // namespace

void export_network(Napi::Env env, Napi::Object exports) {
  exports.Set("askAbstract", Napi::Function::New(env, ask, "askAbstract"));
  exports.Set("connectAbstract", Napi::Function::New(env, connect<connect_abstract>, "connectAbstract"));
  exports.Set("connectPath", Napi::Function::New(env, connect<connect_path>, "connectPath"));
  exports.Set("ownAddresses", Napi::Function::New(env, addresses, "ownAddresses"));
  exports.Set("probePort", Napi::Function::New(env, probe, "probePort"));
  exports.Set("resolveHost", Napi::Function::New(env, resolve, "resolveHost"));
}

}  // namespace hostbrick
