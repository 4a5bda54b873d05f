#pragma once

#include <napi.h>

#include <chrono>
#include <string>

#include "core/bytes.h"

namespace hostbrick {

// JavaScript's values and ours.

inline std::string text(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }

/** From a number of milliseconds. */
inline std::chrono::milliseconds to_timeout(const Napi::Value& value) {
  return std::chrono::milliseconds(value.As<Napi::Number>().Int64Value());
}

inline Napi::Value copy_to_buffer(Napi::Env env, const Bytes& bytes) {
  return Napi::Buffer<std::uint8_t>::Copy(env, bytes.data(), bytes.size());
}

}  // namespace hostbrick
