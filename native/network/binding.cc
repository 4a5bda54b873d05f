#include "network/binding.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/call.h"
#include "core/convert.h"
#include "network/exchange.h"
#include "network/local_socket.h"
#include "network/probe.h"
#include "network/resolve.h"

namespace hostbrick {

namespace network {
namespace {

Napi::Value resolve(const Napi::CallbackInfo& info) {
  const auto host = info[0].As<Napi::String>().Utf8Value();
  return start_call(info.Env(), "host:" + host, [host] { return resolve_host(host); }, to_array);
}

Napi::Value probe(const Napi::CallbackInfo& info) {
  ProbedPort place{info[0].As<Napi::String>(), static_cast<std::uint16_t>(info[1].As<Napi::Number>().Uint32Value()),
                   info[2].As<Napi::String>(), info[3].As<Napi::String>()};
  return start_interruptible_call(
      info.Env(), "probe",
      [place = std::move(place)](const Event& interrupt) {
        probe_port(place, interrupt);
        return true;
      },
      [](Napi::Env env, bool) { return env.Undefined(); });
}

Listener to_listener(const Napi::Object& place) {
  if (place.Has("abstract")) return {Listener::Kind::abstract, place.Get("abstract").As<Napi::String>(), 0};
  if (place.Has("path")) return {Listener::Kind::path, place.Get("path").As<Napi::String>(), 0};
  const auto port = place.Get("port").As<Napi::Number>().Uint32Value();
  return {Listener::Kind::port, place.Get("address").As<Napi::String>(), static_cast<std::uint16_t>(port)};
}

std::vector<Listener> to_listeners(const Napi::Array& places) {
  std::vector<Listener> listeners;
  listeners.reserve(places.Length());
  for (std::uint32_t i = 0; i < places.Length(); ++i) {
    listeners.push_back(to_listener(places.Get(i).As<Napi::Object>()));
  }
  return listeners;
}

std::string to_bytes(const Napi::Value& buffer) {
  const auto bytes = buffer.As<Napi::Buffer<char>>();
  return {bytes.Data(), bytes.Length()};
}

Napi::Value exchange_with(const Napi::CallbackInfo& info) {
  const AnswerLength length{info[2].IsNumber() ? info[2].As<Napi::Number>().Uint32Value() : 0, !info[2].IsNumber()};
  return start_interruptible_call(
      info.Env(), "exchange",
      [listeners = to_listeners(info[0].As<Napi::Array>()), request = to_bytes(info[1]),
       length](const Event& interrupt) { return exchange(listeners, request, length, interrupt); },
      [](Napi::Env env, const std::string& answer) {
        return Napi::Buffer<char>::Copy(env, answer.data(), answer.size());
      });
}

// On the caller's own thread.
Napi::Value listening(const Napi::CallbackInfo& info) {
  try {
    return Napi::Boolean::New(info.Env(), is_listening(to_listeners(info[0].As<Napi::Array>())));
  } catch (const SystemError& failure) {
    throw to_javascript(info.Env(), failure);
  }
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
  const std::chrono::milliseconds timeout(info[2].As<Napi::Number>().Int64Value());
  return start_call(
      info.Env(), "socket:" + name,
      [name, request = to_bytes(info[1]), timeout] { return ask_abstract(name, request, timeout); }, to_object);
}

}  // namespace
}  // namespace network

void export_network(Napi::Env env, Napi::Object exports) {
  exports.Set("askAbstract", Napi::Function::New(env, network::ask, "askAbstract"));
  exports.Set("exchange", Napi::Function::New(env, network::exchange_with, "exchange"));
  exports.Set("isListening", Napi::Function::New(env, network::listening, "isListening"));
  exports.Set("probePort", Napi::Function::New(env, network::probe, "probePort"));
  exports.Set("resolveHost", Napi::Function::New(env, network::resolve, "resolveHost"));
}

}  // namespace hostbrick
